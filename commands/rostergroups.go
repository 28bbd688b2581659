package commands

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"zurnals/domain"
	"zurnals/domain/organisation"
	"zurnals/domain/roster"
	"zurnals/internal/oneroster"
)

// classes finds the classes of the file, adopts those that were made by hand
// and makes those that are missing (C-08).
func (r *rosterRun) classes(ctx context.Context, part []oneroster.Group) error {
	var found map[string]group
	var problems []oneroster.Problem
	return r.unit(ctx, func(u *unit) error {
		found, problems = make(map[string]group), nil
		used := make(map[string]bool)
		for _, g := range part {
			used[g.Year] = true
		}
		years, err := r.openYears(u, used)
		if err != nil {
			return err
		}
		wanted := r.named(part, years, &problems)
		if err := wanted.find(u); err != nil {
			return err
		}
		for _, w := range wanted.classes {
			id, err := r.class(u, wanted, w)
			switch {
			case errors.Is(err, organisation.ErrClassTaken):
				problems = append(problems, w.Problem("title", organisation.ErrClassTaken.Code, false))
			case err != nil:
				return err
			default:
				found[w.SourceID] = group{class: id, since: w.year.From}
			}
		}
		return nil
	}, func() { r.keep(found, problems) })
}

// A namedClass is a class of the file with the name and year that it has here.
type namedClass struct {
	oneroster.Group
	name string
	year organisation.SchoolYear
}

func (n namedClass) keys(school domain.SchoolID) (source, name string) {
	return organisation.ClassSource(school, n.year.ID, n.SourceID).Value, organisation.ClassKey(school, n.year.ID, n.name).Value
}

// wantedClasses are classes of the file and which of them there are.
type wantedClasses struct {
	school   domain.SchoolID
	classes  []namedClass
	bySource map[string]domain.ClassID
	byName   map[string]domain.ClassID
}

// named reads the names of the classes; one that has no right name is reported.
func (r *rosterRun) named(part []oneroster.Group, years map[string]organisation.SchoolYear, problems *[]oneroster.Problem) *wantedClasses {
	w := &wantedClasses{school: r.place.School}
	for _, g := range part {
		name, _, err := organisation.ParseClassName(g.Title)
		year, ok := years[g.Year]
		switch {
		case err != nil:
			*problems = append(*problems, g.Problem("title", organisation.ErrClassName.Code, false))
		case !ok:
			*problems = append(*problems, g.Problem("termSourcedIds", organisation.ErrYear.Code, false))
		default:
			w.classes = append(w.classes, namedClass{g, name, year})
		}
	}
	return w
}

// find asks the log which of the classes there are, in two queries.
func (w *wantedClasses) find(u *unit) (err error) {
	var sources, names []string
	for _, class := range w.classes {
		source, name := class.keys(w.school)
		sources, names = append(sources, source), append(names, name)
	}
	category := organisation.Classes.Category
	w.bySource, err = holders[domain.ClassID](u, category, organisation.ClassSource(w.school, domain.SchoolYearID{}, "").Kind, sources)
	if err == nil {
		w.byName, err = holders[domain.ClassID](u, category, classClaim, names)
	}
	if err != nil {
		return err
	}
	var ids []domain.ClassID
	for _, id := range w.byName {
		ids = append(ids, id)
	}
	return readAll(u, organisation.Classes, ids)
}

// class returns the class that one of the file is.
func (r *rosterRun) class(u *unit, wanted *wantedClasses, w namedClass) (domain.ClassID, error) {
	source, name := w.keys(r.place.School)
	if id, ok := wanted.bySource[source]; ok {
		return id, nil
	}
	id, ok := wanted.byName[name]
	if ok {
		_, err := decide(u, organisation.Classes, id, organisation.ClassCommand(organisation.AdoptClass{
			Class: id, School: r.place.School, Source: w.SourceID,
		}))
		return id, err
	}
	id = domain.NewID[domain.ClassID]()
	wanted.byName[name] = id // another of this name in the file is not this one
	_, err := decide(u, organisation.Classes, id, organisation.ClassCommand(organisation.CreateClass{
		Class: id, School: r.place.School, Municipality: r.place.Municipality, Year: w.year.ID,
		Name: w.Title, Origin: organisation.BySync, Source: w.SourceID,
	}))
	return id, err
}

// openYears returns the school years that are used, by id in the file. A year
// that the school does not have is opened; one that it has with other days is
// taken as it is.
func (r *rosterRun) openYears(u *unit, used map[string]bool) (map[string]organisation.SchoolYear, error) {
	years := make(map[string]organisation.SchoolYear)
	for _, y := range r.file.Years {
		if !used[y.SourceID] {
			continue
		}
		school, err := peek(u, organisation.Schools, r.place.School)
		if err != nil {
			return nil, err
		}
		year, ok := school.YearFrom(y.From, y.To)
		for _, day := range []domain.Date{y.From, y.To} {
			if !ok {
				year, ok = school.YearOn(day)
			}
		}
		if !ok {
			id, err := openYear(u, r.place.School, y.From, y.To)
			var refusal *domain.Error
			switch {
			case errors.As(err, &refusal): // such as one of 500 days: its classes are reported
				continue
			case err != nil:
				return nil, err
			}
			year = organisation.SchoolYear{ID: id, From: y.From, To: y.To}
		}
		years[y.SourceID] = year
	}
	return years, nil
}

// courses finds the courses of the file and makes those that are missing.
func (r *rosterRun) courses(ctx context.Context, part []oneroster.Group) error {
	values := make([]string, len(part))
	for i, g := range part {
		values[i] = roster.CourseClaim(r.place.School, g.SourceID).Value
	}
	since := make(map[string]domain.Date)
	for _, y := range r.file.Years {
		since[y.SourceID] = y.From
	}
	var found map[string]group
	return r.unit(ctx, func(u *unit) error {
		found = make(map[string]group)
		known, err := holders[domain.CourseID](u, roster.Courses.Category, roster.ClaimCourse, values)
		if err != nil {
			return err
		}
		var ids []domain.CourseID
		for _, id := range known {
			ids = append(ids, id)
		}
		if err := readAll(u, roster.Courses, ids); err != nil {
			return err
		}
		for i, g := range part {
			id, old := known[values[i]]
			if !old {
				id = domain.NewID[domain.CourseID]()
			}
			_, err := decide(u, roster.Courses, id, roster.CourseCommand(roster.FollowCourse{
				Course: id, School: r.place.School, SourceID: g.SourceID, Title: g.Title,
			}))
			if err != nil {
				return err
			}
			found[g.SourceID] = group{course: id, since: since[g.Year]}
		}
		return nil
	}, func() { r.keep(found, nil) })
}

// keep notes what a unit found out about groups.
func (r *rosterRun) keep(found map[string]group, problems []oneroster.Problem) {
	for source, g := range found {
		r.groups[source] = g
	}
	r.file.Errors += len(problems)
	r.file.Problems = append(problems, r.file.Problems...)
}

// summary returns the report of the run, on the roster as it is now.
func (r *rosterRun) summary(u *unit, state roster.Roster) (roster.Report, error) {
	f := r.file
	report := roster.Report{
		Changes: r.done, Damaged: len(f.Damaged),
		Unchanged: len(f.Students) - r.done.Added - r.done.ClassChanged - r.done.Updated,
		Classes:   len(f.Classes), Courses: len(f.Courses),
		OtherSchools: f.OtherSchools, OtherRoles: f.OtherRoles, Errors: f.Errors, Warnings: f.Warnings,
	}
	for _, p := range f.Problems[:min(len(f.Problems), roster.MaxProblems)] {
		report.Problems = append(report.Problems, roster.Problem(p))
	}
	damaged := make(map[domain.StudentID]bool)
	for part := range slices.Chunk(f.Damaged, 1000) {
		values := make([]string, len(part))
		for i, id := range part {
			values[i] = roster.SourceClaim(r.place.School, id).Value
		}
		known, err := holders[domain.StudentID](u, roster.Students.Category, roster.ClaimSource, values)
		if err != nil {
			return report, err
		}
		for _, id := range known {
			damaged[id] = true
		}
	}
	all := state.Students()
	report.Active = len(all)
	if r.dry {
		report.Active += r.done.Added
	}
	for _, id := range all {
		if r.there[id] || damaged[id] {
			continue
		}
		if report.NotInFile++; len(report.Missing) < roster.MaxMissing {
			report.Missing = append(report.Missing, id)
		}
	}
	return report, nil
}

// holders returns the things of one category that hold claims, by value.
func holders[ID ~struct{ uuid.UUID }](u *unit, category, kind string, values []string) (map[string]ID, error) {
	streams, err := u.c.Log.Holders(u.ctx, kind, values)
	if err != nil {
		return nil, refusal(err)
	}
	ids := make(map[string]ID, len(streams))
	for value, stream := range streams {
		id, err := domain.ParseID[ID](strings.TrimPrefix(stream, category+"-"))
		if err != nil {
			return nil, fmt.Errorf("claim %s is held by %s, which is no %s", kind, stream, category)
		}
		ids[value] = id
	}
	return ids, nil
}
