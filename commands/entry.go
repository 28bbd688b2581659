package commands

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/attendance"
	"zurnals/domain/identity"
	"zurnals/domain/roster"
	"zurnals/eventstore"
)

// An Entry is one event, told to people: what has changed, when, by whom, in
// which role and how.
type Entry struct {
	Position int64
	ID       uuid.UUID
	Stream   string
	Version  int
	At       time.Time
	Type     string

	By   domain.Meta
	Name string // initials of who it was, if a member of staff whose data is there

	Method string // how it was done, where the event says so
	Reason string // why, where it says so

	Lesson   domain.LessonID // that it belongs to, of the history of a pupil
	LessonAt time.Time       // when that starts

	Refusal *Refusal // not an event, but an entry of the security log; nil for an event

	Changes []Change
	Omitted int  // changes beyond those that are told
	Erased  bool // data of somebody who was erased is missing
}

// A Change is what an event makes of one field. A field that was not there, or
// no longer is, is empty.
type Change struct{ Field, Old, New string }

// changesMost is how many changes are told of one event.
const changesMost = 500

// A teller tells the events of streams as entries, in the order of the streams.
// It remembers what was said before, to tell the old value beside the new.
type teller struct {
	c       *Commands
	ctx     context.Context
	by      access.Actor
	alone   bool             // tell each event without what was before
	student domain.StudentID // tell only what happens to the marks of this pupil

	// past says which events are neither told nor change what is told of later
	// ones, so that they need not be opened; nil: there are none.
	past func(eventstore.Event) bool

	things  map[string]map[string]value // fields by what they belong to
	lessons map[string]attendance.Lesson
}

// A value is what a field says, and what of it is told to who asks.
type value struct{ plain, shown string }

// A field of an event, as a path in its JSON.
type field struct {
	path string
	value
}

// A whereabout is the place that an event names.
type whereabout struct {
	scope access.Scope
	named bool
}

// entry tells an event, and where it was.
func (t *teller) entry(stored eventstore.Event, e domain.Event) (Entry, whereabout, error) {
	entry := Entry{
		Position: stored.Position, ID: stored.ID, Stream: stored.Stream, Version: stored.Version,
		At: stored.RecordedAt, Type: stored.Type, Erased: stored.Erased,
	}
	fail := func(err error) (Entry, whereabout, error) {
		return entry, whereabout{}, fmt.Errorf("%s@%d: %w", stored.Stream, stored.Version, err)
	}
	if err := json.Unmarshal(stored.Meta, &entry.By); err != nil {
		return fail(err)
	}
	fields, place, err := t.fields(e)
	if err != nil {
		return fail(err)
	}
	fields = slices.DeleteFunc(fields, func(f field) bool {
		switch f.path {
		case "method":
			entry.Method = f.shown
		case "reason":
			entry.Reason = f.shown
		default:
			return len(f.plain) == 36 && strings.HasSuffix(stored.Stream, f.plain) // the stream says so already
		}
		return true
	})
	changes := t.changes(stored.Stream, e, fields)
	if lesson, ok := e.(attendance.LessonEvent); ok && !t.alone {
		if marks := t.marks(&entry, place.scope, lesson); len(marks) > 0 {
			changes = marks
		}
	}
	if over := len(changes) - changesMost; over > 0 {
		changes, entry.Omitted = changes[:changesMost], over
	}
	entry.Changes = changes
	return entry, place, nil
}

// fields returns what an event says, in its own order, and where it was.
func (t *teller) fields(e domain.Event) ([]field, whereabout, error) {
	plain, err := t.flat(e, func(_, plain string) string { return plain })
	if err != nil {
		return nil, whereabout{}, err
	}
	place, err := t.place(plain)
	if err != nil {
		return nil, place, err
	}
	switch e.(type) {
	case access.AssignmentEvent, identity.UserInvited, identity.UserAttached, identity.EmailCorrected, identity.EmailRecoveryStarted:
		place.named = true // if nothing, then the installation
	}
	sees := t.sees(e, place.scope)
	shown, err := t.flat(e, func(tag, plain string) string {
		// Why an administrator did something is what a history is read for (C14).
		if (sees || tag == "reason") && tag != "personal_code" && tag != "old_personal_code" {
			return plain
		}
		return mask(tag, plain)
	})
	if err != nil {
		return nil, place, err
	}
	if len(plain) != len(shown) { // a mask is never empty, so that no field is left out
		return nil, place, fmt.Errorf("%s: %d fields, masked %d", e.EventType(), len(plain), len(shown))
	}
	for i := range plain {
		plain[i].shown = shown[i].plain
	}
	return plain, place, nil
}

// flat returns the fields of an event as it is stored today, with every personal
// one replaced by what show makes of it.
func (t *teller) flat(e domain.Event, show func(tag, plain string) string) ([]field, error) {
	_, data, err := t.c.Catalogue.Encode(e, uuid.Nil, func(_ uuid.UUID, _ domain.SubjectID, tag, plain string) string {
		return show(tag, plain)
	})
	if err != nil {
		return nil, err
	}
	return flatten(data)
}

// flatten returns the leaves of a JSON object with their paths: scope.school,
// marks[0].status.
func flatten(data []byte) ([]field, error) {
	var all []field
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var walk func(path string) error
	walk = func(path string) error {
		token, err := d.Token()
		if err != nil {
			return err
		}
		switch token := token.(type) {
		case json.Delim:
			for n := 0; d.More(); n++ {
				below := path + "[" + strconv.Itoa(n) + "]"
				if token == '{' {
					name, err := d.Token()
					if err != nil {
						return err
					}
					below = strings.TrimPrefix(path+"."+fmt.Sprint(name), ".")
				}
				if err := walk(below); err != nil {
					return err
				}
			}
			_, err := d.Token() // the end of it
			return err
		case string:
			all = append(all, field{path: path, value: value{plain: token}})
		case nil:
			all = append(all, field{path: path})
		default:
			all = append(all, field{path: path, value: value{plain: fmt.Sprint(token)}})
		}
		return nil
	}
	if err := walk(""); err != nil && err != io.EOF { //nolint:errorlint // the decoder returns it as it is
		return nil, err
	}
	return all, nil
}

// place returns the place that fields name.
func (t *teller) place(fields []field) (whereabout, error) {
	var w whereabout
	for _, f := range fields {
		var id *uuid.UUID
		switch f.path {
		case "municipality_id", "place.municipality", "scope.municipality":
			id = &w.scope.Municipality.UUID
		case "school_id", "place.school", "scope.school":
			id = &w.scope.School.UUID
		case "class_id", "place.class", "scope.class":
			id = &w.scope.Class.UUID
		case "register_id", "place.register", "scope.register":
			id = &w.scope.Register.UUID
		default:
			continue
		}
		if parsed, err := uuid.Parse(f.plain); err == nil {
			*id, w.named = parsed, true
		}
	}
	if w.scope.School.IsZero() || !w.scope.Municipality.IsZero() {
		return w, nil
	}
	school, err := t.c.SchoolScope(t.ctx, w.scope.School)
	if errors.Is(err, access.ErrElsewhere) {
		err = nil // of no school that there is: a history tells that too
	}
	w.scope.Municipality = school.Municipality
	return w, err
}

// seenBy says with which right the personal data of a context is seen outside
// of any history. Who has it at the place sees it in a history too.
var seenBy = map[string]access.Permission{
	"identity": access.SeeUsers, "roster": access.SeeStudents, "learner": access.SeeStudents, "attendance": access.SeeAttendance,
	"exams": access.SeeExamResults,
}

// sees says whether who asks sees the personal data of an event at a place as
// it is. An auditor does not.
func (t *teller) sees(e domain.Event, place access.Scope) bool {
	context, _, _ := strings.Cut(e.EventType(), ".")
	right, ok := seenBy[context]
	if _, journal := e.(roster.JournalEvent); journal {
		right = access.SeeGrades
	}
	return ok && t.by.Allow(access.At(right, place)) == nil
}

// mask returns what is told of personal data to those who do not see it: that
// it is there, and enough to follow it through a history. It is empty only for
// what is empty.
func mask(tag, plain string) string {
	first := func(s string) string {
		for _, r := range s {
			return string(r)
		}
		return ""
	}
	switch {
	case plain == "":
		return ""
	case tag == "personal_code", tag == "old_personal_code":
		return domain.PersonalCode(plain).String()
	case tag == "given_name", tag == "family_name":
		return first(plain) + "."
	case tag == "email", tag == "old_email":
		if name, host, ok := strings.Cut(plain, "@"); ok && name != "" {
			return first(name) + "***@" + host
		}
	}
	return "***" // free text, network addresses, names that pupils chose
}
