// Package commands is the only way to change anything. Each use case is one
// method of Commands, and all of them go through one door, do, which allows,
// lets deciders decide, and appends what they decided in one transaction.
//
//	allow → load → decide → append
//
// A use case may decide on several streams (an account, its roles, the
// administrators of a school); one append carries all of it or nothing.
package commands

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/eventstore"
)

// Commands are the use cases.
type Commands struct {
	Log         eventstore.Log
	Keys        eventstore.Keys
	Catalogue   *domain.Catalogue
	Now         func() time.Time // the one clock
	Credentials Credentials      // passwords, kept outside the log
	Attempts    Attempts         // wrong codes and passwords, counted outside the log
	Links       *Links           // secrets that are mailed
	AlwaysCode  bool             // ask for a mailed code at every sign-in, not only the first

	states  states
	places  places
	lessons turns // of those who write marks of one lesson
}

// Credentials keeps passwords as hashes, each under an id of its own. A row is
// written before the event that names it and means nothing without it.
type Credentials interface {
	// Owner is the stream whose events may name it.
	Create(ctx context.Context, id domain.CredentialID, owner, password string) error

	// Verify says whether the password is the one kept under id. For the zero
	// id it takes as long and says no.
	Verify(ctx context.Context, id domain.CredentialID, password string) (bool, error)

	// Delete throws away what no event names any more.
	Delete(ctx context.Context, id domain.CredentialID) error

	// Sweep throws away all that no event names. Named tells which the events
	// of some streams name.
	Sweep(ctx context.Context, named func(ctx context.Context, owners []string) ([]domain.CredentialID, error)) error
}

// ErrReused refuses a request that comes under the idempotency key of another.
var ErrReused = domain.Refuse(domain.Invalid, "idempotency.reused", "this Idempotency-Key was used for another request")

// attempts is how often a use case is decided anew when streams keep growing
// meanwhile.
const attempts = 5

// An Outcome tells the caller what became of a command besides its result.
type Outcome struct {
	Position int64 // of the last event appended, 0 for none
	Repeated bool  // the same command had been carried out before
}

type outcomeKey struct{}

// WithOutcome returns a context in which use cases note their outcome.
func WithOutcome(ctx context.Context) (context.Context, *Outcome) {
	o := new(Outcome)
	return context.WithValue(ctx, outcomeKey{}, o), o
}

func note(ctx context.Context, r eventstore.Result) {
	if o, ok := ctx.Value(outcomeKey{}).(*Outcome); ok {
		o.Position = max(o.Position, r.Last)
		o.Repeated = o.Repeated || r.Duplicate
	}
}

// do is the door. It lets f decide, if by has what it needs, and appends what
// was decided. If a stream has moved meanwhile, f decides anew: it must not
// have effects other than on the unit and on variables that it sets each time.
//
// The need is for the place that the command names. That the thing really is
// in that place only its history can tell, so the decider must check it.
//
// For a command that was carried out before, f is not run: what a use case
// returns follows from the command alone (newID).
func (c *Commands) do(ctx context.Context, by access.Actor, need access.Need, f func(*unit) error) error {
	if err := by.Allow(need); err != nil {
		return err
	}
	if done, err := c.carriedOut(ctx, by); done || err != nil {
		return err
	}
	for n := 1; ; n++ {
		u := &unit{c: c, ctx: ctx, by: by, at: c.Now()}
		if err := f(u); err != nil {
			return err
		}
		result, err := c.append(ctx, u)
		var conflict *eventstore.ConflictError
		if !errors.As(err, &conflict) || n == attempts {
			if err == nil {
				note(ctx, result)
			}
			return refusal(err)
		}
		if by, err = c.again(ctx, by, need); err != nil {
			return err
		}
	}
}

// carriedOut says whether the command of the request has been carried out.
func (c *Commands) carriedOut(ctx context.Context, by access.Actor) (bool, error) {
	if by.Command == uuid.Nil {
		return false, nil
	}
	result, fingerprint, found, err := c.Log.Command(ctx, by.Command)
	if err != nil || !found {
		return false, err
	}
	if !bytes.Equal(fingerprint, by.Fingerprint) {
		return false, ErrReused
	}
	result.Duplicate = true
	note(ctx, result)
	return true, nil
}

// append sends what a unit has decided to the log.
func (c *Commands) append(ctx context.Context, u *unit) (eventstore.Result, error) {
	if len(u.changed) == 0 && !u.always {
		return eventstore.Result{}, nil
	}
	request := eventstore.Request{Command: u.by.Command, Fingerprint: u.by.Fingerprint}
	if u.always && request.Command == uuid.Nil { // without events the log wants to know what for
		request.Command = uuid.New()
	}
	if u.by.Kind == domain.ActorAccount {
		u.guard(accessStream(u.by.Account()), u.by.Version)
	}
	meta := u.by.Meta()
	metaJSON, err := json.Marshal(meta)
	if err != nil {
		return eventstore.Result{}, err
	}
	var subjects []uuid.UUID
	for _, s := range u.changed {
		for _, e := range s.added {
			for _, subject := range c.Catalogue.Subjects(e) {
				subjects = append(subjects, uuid.UUID(subject))
			}
		}
	}
	request.Subjects = unique(subjects)
	sealer, err := c.Keys.EnsureKeys(ctx, request.Subjects...)
	if err != nil {
		return eventstore.Result{}, err
	}
	var sealErr error // the domain knows no failures of sealing
	seal := func(event uuid.UUID, subject domain.SubjectID, tag, plain string) string {
		sealed, err := sealer.Seal(event, uuid.UUID(subject), tag, plain)
		sealErr = errors.Join(sealErr, err)
		return sealed
	}
	for _, s := range u.changed {
		w := eventstore.Write{Stream: s.name, Expected: s.version}
		for _, e := range s.added {
			id := uuid.Must(uuid.NewV7())
			schema, data, err := c.Catalogue.Encode(e, id, seal)
			if err = errors.Join(err, sealErr); err != nil {
				return eventstore.Result{}, err
			}
			w.Events = append(w.Events, eventstore.NewEvent{ID: id, Type: e.EventType(), Schema: schema, Meta: metaJSON, Data: data})
			if claimer, ok := e.(domain.Claimer); ok {
				for _, claim := range claimer.Claims() {
					request.Take = append(request.Take, eventstore.Claim{Kind: claim.Kind, Value: claim.Value, Stream: s.name})
				}
			}
			if releaser, ok := e.(domain.Releaser); ok {
				for _, claim := range releaser.Releases() {
					request.Release = append(request.Release, eventstore.Claim{Kind: claim.Kind, Value: claim.Value, Stream: s.name})
				}
			}
			if eraser, ok := e.(domain.Eraser); ok {
				for _, subject := range eraser.Erases() {
					request.Erase = append(request.Erase, uuid.UUID(subject))
				}
			}
		}
		request.Writes = append(request.Writes, w)
	}
	for stream, version := range u.guards {
		if s, ok := u.streams[stream]; ok && len(s.added) > 0 {
			// The stream is written too, and a write is checked against the version it was read at.
			if s.version != version {
				return eventstore.Result{}, &eventstore.ConflictError{Stream: stream, Actual: s.version, Guard: true}
			}
			continue
		}
		request.Guards = append(request.Guards, eventstore.Guard{Stream: stream, Version: version})
	}
	return c.Log.Append(ctx, request)
}

// again allows a command anew whose append was refused because a stream had
// moved: it may have been the one that the right was read from.
func (c *Commands) again(ctx context.Context, by access.Actor, need access.Need) (access.Actor, error) {
	if by.Kind != domain.ActorAccount {
		return by, nil
	}
	held, version, err := c.assignments(ctx, by.Account())
	if err != nil {
		return by, err
	}
	if by.Version = version; by.Active.Role != "" {
		active, ok := find(held, by.Active.ID)
		if !ok {
			return by, access.ErrNoRole
		}
		by.Active = active
	}
	return by, by.Allow(need)
}

func find(held []access.Assignment, id domain.AssignmentID) (access.Assignment, bool) {
	for _, a := range held {
		if a.ID == id {
			return a, true
		}
	}
	return access.Assignment{}, false
}

// Refusals that follow from what the log answers.
var (
	ErrErased  = domain.Refuse(domain.Gone, "person.erased", "the person's data has been erased")
	ErrBusy    = domain.Refuse(domain.Unavailable, "log.busy", "others keep changing the same thing: try again")
	ErrOffline = domain.Refuse(domain.Unavailable, "log.unavailable", "the log cannot be reached: try again")
	ErrTooMuch = domain.Refuse(domain.TooLarge, "log.too_large", "too much for one command")
)

// refusal turns what the log refuses into what the person who asked is told.
// A claim that is taken is left to the use case, which knows what it means.
func refusal(err error) error {
	var conflict *eventstore.ConflictError
	var erased *eventstore.ErasedError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &conflict):
		return ErrBusy
	case errors.As(err, &erased):
		return ErrErased
	case errors.Is(err, eventstore.ErrCommandReused):
		return ErrReused
	case errors.Is(err, eventstore.ErrTooLarge):
		return ErrTooMuch
	case errors.Is(err, eventstore.ErrUnavailable):
		return fmt.Errorf("%w: %w", ErrOffline, err)
	}
	return err
}

// taken says whether err means that another stream holds a claim of a kind.
func taken(err error, kind string) bool {
	var claimed *eventstore.ClaimedError
	return errors.As(err, &claimed) && claimed.Kind == kind
}

func unique(ids []uuid.UUID) []uuid.UUID {
	seen := make(map[uuid.UUID]bool, len(ids))
	all := ids[:0]
	for _, id := range ids {
		if !seen[id] {
			seen[id] = true
			all = append(all, id)
		}
	}
	return all
}
