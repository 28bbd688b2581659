package commands

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/attendance"
	"zurnals/domain/organisation"
	"zurnals/domain/roster"
	"zurnals/internal/oneroster"
)

// LoadRoster brings the records of a school to what a OneRoster 1.1 archive
// says: a synchronisation run (sinhronizācija). Grades and absences come with it,
// if the archive has them; who loads it is told how many changed, and not how
// anybody did (C-09).
type LoadRoster struct {
	School domain.SchoolID
	File   []byte
	DryRun bool // only tell what would happen
}

// A RosterLoad is what came of LoadRoster.
type RosterLoad struct {
	Run domain.RosterSyncID // zero for a dry run
	roster.Report
}

// ErrNotBound refuses the file of a school of which it is not known what the
// source calls it.
var ErrNotBound = domain.Refuse(domain.Conflict, "roster.not_bound", "the school has no source id, so no file can be about it")

// Bounds of one append of a run, well below those of the log.
const (
	chunkStudents = 200
	chunkEvents   = 600
	chunkGroups   = 200
)

// runPatience is how long a run may take, when the log is slow too.
const runPatience = 5 * time.Minute

// LoadRoster brings the records of a school to what the file says, in appends
// of some hundred events. A run that stops in the middle is gone on with by
// sending the same file again: what was done is not done twice, because every
// append is decided on what the records have by then.
//
// Rows with errors are reported, and the records they are about stay as they
// are. Pupils who are not in the file are reported, and stay too.
func (c *Commands) LoadRoster(ctx context.Context, by access.Actor, cmd LoadRoster) (RosterLoad, error) {
	place, err := c.SchoolScope(ctx, cmd.School)
	if err != nil {
		return RosterLoad{}, err
	}
	need := access.At(access.LoadRoster, place)
	school, err := look(ctx, c, by, need, organisation.Schools, cmd.School)
	if err != nil {
		return RosterLoad{}, err
	}
	if school.Source() == "" {
		return RosterLoad{}, ErrNotBound
	}
	archive, err := oneroster.Read(cmd.File)
	if err != nil {
		return RosterLoad{}, err
	}
	file, err := archive.School(school.Source())
	if err != nil {
		return RosterLoad{}, err
	}
	sum := sha256.Sum256(cmd.File)
	r := &rosterRun{
		c: c, by: by, need: need, place: place, dry: cmd.DryRun,
		id: newID[domain.RosterSyncID](by, "roster sync"), sum: hex.EncodeToString(sum[:]), file: file,
		groups: make(map[string]group), there: make(map[domain.StudentID]bool), ids: make(map[string]domain.StudentID),
	}
	if done, err := r.before(ctx); done != nil || err != nil {
		return RosterLoad{r.id, r.report}, err
	}
	// Whoever asked may hang up: what is begun goes on to its end.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), runPatience)
	defer cancel()
	if err := r.work(ctx); err != nil {
		return RosterLoad{}, errors.Join(err, r.fail(ctx, err))
	}
	if r.dry {
		r.id = domain.RosterSyncID{}
	}
	return RosterLoad{r.id, r.report}, nil
}

// A rosterRun is a run at work.
type rosterRun struct {
	c     *Commands
	by    access.Actor
	need  access.Need
	place access.Scope
	dry   bool
	id    domain.RosterSyncID
	sum   string // of the file
	file  *oneroster.School

	first  bool             // the school has had no whole file yet
	began  bool             // something was appended
	groups map[string]group // by id in the file, those without error
	there  map[domain.StudentID]bool
	ids    map[string]domain.StudentID // of those there, by id in the file
	done   roster.Changes
	report roster.Report
}

// A group is a class or a course that the file names.
type group struct {
	class  domain.ClassID
	course domain.CourseID
	since  domain.Date // when its school year begins
}

// errDry ends a unit of a dry run, so that nothing is appended.
var errDry = errors.New("dry run")

// before tells what came of the run if it is over already, and whether it may
// work now.
func (r *rosterRun) before(ctx context.Context) (done *roster.Sync, err error) {
	sync, err := look(ctx, r.c, r.by, r.need, roster.Syncs, r.id)
	switch {
	case err != nil:
		return nil, err
	case sync.State != "" && sync.File != r.sum:
		return nil, ErrReused
	case sync.State == roster.StateCompleted:
		r.report = sync.Report
		_, err = r.c.carriedOut(ctx, r.by) // for the outcome
		return &sync, err
	case sync.State == roster.StateFailed:
		return nil, roster.ErrSyncOver
	}
	state, err := look(ctx, r.c, r.by, r.need, roster.Rosters, r.place.School)
	if err != nil {
		return nil, err
	}
	r.first, r.began, r.done = state.First(), sync.State != "", state.Done(r.id)
	return nil, state.Free(r.id, r.c.Now())
}

// work does all that a run does.
func (r *rosterRun) work(ctx context.Context) error {
	for part := range slices.Chunk(r.file.Classes, chunkGroups) {
		if err := r.classes(ctx, part); err != nil {
			return err
		}
	}
	for part := range slices.Chunk(r.file.Courses, chunkGroups) {
		if err := r.courses(ctx, part); err != nil {
			return err
		}
	}
	for start := 0; start < len(r.file.Students); {
		end, events := start, 0
		for end < len(r.file.Students) && end-start < chunkStudents && events < chunkEvents {
			events += 2 + len(r.file.Students[end].Enrolments)
			end++
		}
		if err := r.students(ctx, r.file.Students[start:end]); err != nil {
			return err
		}
		start = end
	}
	if err := r.journals(ctx); err != nil {
		return err
	}
	return r.complete(ctx)
}

// unit decides one append of the run. If anything happens in it, that the run
// is at work is part of it; f has no effects but on the unit, and what it finds
// out is kept by keep.
func (r *rosterRun) unit(ctx context.Context, f func(*unit) error, keep func()) error {
	by := r.by
	by.Command, by.Fingerprint = uuid.Nil, nil // repeating it changes nothing anyway
	appended := false
	err := r.c.do(ctx, by, r.need, func(u *unit) error {
		if err := f(u); err != nil {
			return err
		}
		appended = len(u.changed) > 0 && !r.dry
		if r.dry {
			return errDry
		}
		if appended {
			return r.begin(u)
		}
		return nil
	})
	if err != nil && !errors.Is(err, errDry) {
		return err
	}
	r.began = r.began || appended
	keep()
	return nil
}

// begin adds to a unit that the run is at work, if the log does not say so yet.
// A run that has fallen silent loses its place.
func (r *rosterRun) begin(u *unit) error {
	state, err := peek(u, roster.Rosters, r.place.School)
	if err != nil {
		return err
	}
	_, err = decide(u, roster.Rosters, r.place.School, roster.RosterCommand(roster.BeginRun{
		School: r.place.School, Run: r.id, At: u.at,
	}))
	if err != nil {
		return err
	}
	if old := state.Holder(); !old.IsZero() && old != r.id {
		_, err := decide(u, roster.Syncs, old, roster.SyncCommand(roster.FailSync{
			Run: old, School: r.place.School, Cause: roster.ErrTakenOver.Code,
		}))
		if err != nil {
			return err
		}
	}
	_, err = decide(u, roster.Syncs, r.id, roster.SyncCommand(roster.StartSync{
		Run: r.id, School: r.place.School, File: r.sum,
	}))
	return err
}

// students brings the records of some pupils to what the file says.
func (r *rosterRun) students(ctx context.Context, part []oneroster.Student) error {
	values := make([]string, len(part))
	for i, s := range part {
		values[i] = roster.SourceClaim(r.place.School, s.SourceID).Value
	}
	var found []domain.StudentID
	var changes roster.Changes
	return r.unit(ctx, func(u *unit) error {
		found, changes = nil, roster.Changes{}
		known, err := holders[domain.StudentID](u, roster.Students.Category, roster.ClaimSource, values)
		if err != nil {
			return err
		}
		var ids, added []domain.StudentID
		for _, id := range known {
			ids = append(ids, id)
		}
		if err := readAll(u, roster.Students, ids); err != nil {
			return err
		}
		for i, s := range part {
			id, old := known[values[i]]
			if !old {
				id = domain.NewID[domain.StudentID]()
				added = append(added, id)
			}
			happened, err := decide(u, roster.Students, id, roster.StudentCommand(r.follow(u, id, s)))
			if err != nil {
				return err
			}
			found = append(found, id)
			changes = changes.Plus(changed(happened))
		}
		if len(u.changed) == 0 {
			return nil
		}
		if err := r.begin(u); err != nil {
			return err
		}
		_, err = decide(u, roster.Rosters, r.place.School, roster.RosterCommand(roster.ApplyChunk{
			School: r.place.School, Run: r.id, Added: added, Changes: changes, At: u.at,
		}))
		return err
	}, func() {
		for i, id := range found {
			r.there[id], r.ids[part[i].SourceID] = true, id
		}
		r.done = r.done.Plus(changes)
	})
}

// follow returns the command that brings the record of a pupil to what the
// file says.
func (r *rosterRun) follow(u *unit, id domain.StudentID, s oneroster.Student) roster.FollowSource {
	today := attendance.Day(u.at)
	cmd := roster.FollowSource{
		Student: id, School: r.place.School, SourceID: s.SourceID,
		Details: roster.Details{GivenName: s.GivenName, FamilyName: s.FamilyName, PersonalCode: s.PersonalCode, Grade: s.Grade},
		Partial: s.Partial, Today: today,
	}
	for _, e := range s.Enrolments {
		g, ok := r.groups[e.Group]
		if !ok { // the error is reported with the group
			cmd.Partial = true
			continue
		}
		// With the first file pupils come who have been there since the school
		// year began; later ones are there from the day we hear of them.
		since := g.since
		if !r.first || since == "" {
			since = max(since, today)
		}
		cmd.Enrolments = append(cmd.Enrolments, roster.SourceEnrolment{
			Enrolment: roster.Enrolment{Record: e.SourceID, Class: g.class, Course: g.course, From: e.From, Until: e.Until},
			Since:     since,
		})
	}
	return cmd
}

// changed counts a pupil by what happened to the record.
func changed(happened []roster.StudentEvent) (c roster.Changes) {
	moved := false
	for _, e := range happened {
		switch e := e.(type) {
		case roster.StudentRegistered:
			return roster.Changes{Added: 1}
		case roster.StudentEnrolled:
			moved = moved || !e.Class.IsZero()
		case roster.EnrolmentEnded:
			moved = true
		}
	}
	switch {
	case moved:
		c.ClassChanged = 1
	case len(happened) > 0:
		c.Updated = 1
	}
	return c
}

// complete ends the run with its report.
func (r *rosterRun) complete(ctx context.Context) error {
	var report roster.Report
	err := r.c.do(ctx, r.by, r.need, func(u *unit) error {
		state, err := load(u, roster.Rosters, r.place.School)
		if err != nil {
			return err
		}
		if report, err = r.summary(u, state); err != nil {
			return err
		}
		if r.dry {
			return errDry
		}
		if err := state.Free(r.id, u.at); err != nil {
			return err
		}
		if r.began {
			_, err = decide(u, roster.Rosters, r.place.School, roster.RosterCommand(roster.EndRun{
				School: r.place.School, Run: r.id, Completed: true,
			}))
			if err != nil {
				return err
			}
		}
		_, err = decide(u, roster.Syncs, r.id, roster.SyncCommand(roster.CompleteSync{
			Run: r.id, School: r.place.School, File: r.sum, Report: report,
		}))
		return err
	})
	if err != nil && !errors.Is(err, errDry) {
		return err
	}
	r.report = report
	return nil
}

// fail ends a run that cannot go on, so that another one may begin at once. If
// even that fails, its lease ends it.
func (r *rosterRun) fail(ctx context.Context, why error) error {
	if !r.began || r.dry {
		return nil
	}
	cause := "internal"
	var refusal *domain.Error
	if errors.As(why, &refusal) {
		cause = refusal.Code
	}
	by := access.System(r.by.Request)
	return r.c.do(ctx, by, r.need, func(u *unit) error {
		state, err := peek(u, roster.Rosters, r.place.School)
		if err != nil || state.Holder() != r.id {
			return err
		}
		_, err = decide(u, roster.Rosters, r.place.School, roster.RosterCommand(roster.EndRun{School: r.place.School, Run: r.id}))
		if err != nil {
			return err
		}
		_, err = decide(u, roster.Syncs, r.id, roster.SyncCommand(roster.FailSync{Run: r.id, School: r.place.School, Cause: cause}))
		return err
	})
}

// Today returns the day that it is where schools are.
func (c *Commands) Today() domain.Date { return attendance.Day(c.Now()) }
