package commands

import (
	"cmp"
	"context"
	"slices"

	"zurnals/domain"
	"zurnals/domain/organisation"
	"zurnals/domain/roster"
	"zurnals/internal/oneroster"
)

// A pupilYear is what the file says of one pupil in one school year.
type pupilYear struct {
	roster.Source
	grades   *roster.FollowGrades // nil: the file says nothing of it
	absences *roster.FollowAbsences
}

// chunkJournal is how many bytes of grades and absences one append of a run
// takes, roughly: sealed, they are some more.
const chunkJournal = 400 << 10

// journals brings grades and absences to what the file says, for the school
// years that it has any of. A pupil of whom it has none has none any more.
func (r *rosterRun) journals(ctx context.Context) error {
	years, err := r.journalYears(ctx)
	if err != nil || len(years) == 0 {
		return err
	}
	var part []pupilYear
	size := 0
	for _, s := range r.file.Students {
		for _, year := range years {
			py, bytes := r.pupilYear(s, year)
			if len(part) == chunkStudents || size+bytes > chunkJournal {
				if err := r.keepJournals(ctx, part); err != nil {
					return err
				}
				part, size = nil, 0
			}
			part, size = append(part, py), size+bytes
		}
	}
	return r.keepJournals(ctx, part)
}

// A journalYear is a school year that the file has grades or absences of.
type journalYear struct {
	id             domain.SchoolYearID
	graded, absent []string // what the file calls it
}

// journalYears returns the school years that the file has grades or absences
// of. One that the school cannot have is reported.
func (r *rosterRun) journalYears(ctx context.Context) (years []journalYear, err error) {
	used := make(map[string]bool)
	for _, id := range slices.Concat(r.file.GradedYears, r.file.AbsenceYears) {
		used[id] = true
	}
	if len(used) == 0 {
		return nil, nil
	}
	var problems []oneroster.Problem
	err = r.unit(ctx, func(u *unit) error {
		years, problems = nil, nil
		opened, err := r.openYears(u, used)
		if err != nil {
			return err
		}
		for _, y := range r.file.Years {
			year, ok := opened[y.SourceID]
			switch at := slices.IndexFunc(years, func(j journalYear) bool { return j.id == year.ID }); {
			case !used[y.SourceID]:
			case !ok:
				problems = append(problems, y.Problem("startDate", organisation.ErrYear.Code))
			case at < 0:
				years = append(years, journalYear{id: year.ID})
				years[len(years)-1].add(r.file, y.SourceID)
			default: // the file has two years for one of the school
				years[at].add(r.file, y.SourceID)
			}
		}
		return nil
	}, func() { r.keep(nil, problems) })
	return years, err
}

func (y *journalYear) add(file *oneroster.School, id string) {
	if slices.Contains(file.GradedYears, id) {
		y.graded = append(y.graded, id)
	}
	if slices.Contains(file.AbsenceYears, id) {
		y.absent = append(y.absent, id)
	}
}

// pupilYear returns what the file says of a pupil in one of its years, and
// roughly how many bytes that is.
func (r *rosterRun) pupilYear(s oneroster.Student, year journalYear) (py pupilYear, bytes int) {
	student := r.ids[s.SourceID]
	py.Source = roster.Source{
		Journal: roster.JournalOf(student, year.id), Student: student, School: r.place.School, Year: year.id,
		System: cmp.Or(r.file.System, "OneRoster"), // it need not say whose it is
	}
	const around = 200 // names of fields, and the seal
	if len(year.graded) > 0 {
		py.grades = &roster.FollowGrades{Source: py.Source, Partial: s.GradesPartial}
		for _, g := range s.Grades {
			if slices.Contains(year.graded, g.Year) {
				py.grades.Grades = append(py.grades.Grades, roster.Grade{
					Item: g.Item, Subject: g.Subject, Title: g.Title, Term: g.Term, Date: g.Date, Scale: roster.Scale(g.Scale), Value: g.Value,
				})
				bytes += len(g.Item) + len(g.Subject) + len(g.Title) + len(g.Term) + around
			}
		}
	}
	if len(year.absent) > 0 {
		py.absences = &roster.FollowAbsences{Source: py.Source, Partial: s.AbsencesPartial}
		for _, a := range s.Absences {
			if slices.Contains(year.absent, a.Year) {
				py.absences.Absences = append(py.absences.Absences, roster.Absence{
					Lesson: roster.Lesson{Date: a.Date, Number: a.Lesson}, Subject: a.Subject, Kind: roster.AbsenceKind(a.Kind),
				})
				bytes += len(a.Subject) + around
			}
		}
	}
	return py, bytes
}

// keepJournals brings some journals to what the file says.
func (r *rosterRun) keepJournals(ctx context.Context, part []pupilYear) error {
	var changes roster.Changes
	return r.unit(ctx, func(u *unit) error {
		changes = roster.Changes{}
		ids := make([]domain.JournalID, len(part))
		for i, py := range part {
			ids[i] = py.Journal
		}
		if err := readAll(u, roster.Journals, ids); err != nil {
			return err
		}
		for _, py := range part {
			for _, cmd := range py.commands() {
				happened, err := decide(u, roster.Journals, py.Journal, cmd)
				if err != nil {
					return err
				}
				changes = changes.Plus(journalChanges(happened))
			}
		}
		if len(u.changed) == 0 {
			return nil
		}
		if err := r.begin(u); err != nil {
			return err
		}
		_, err := decide(u, roster.Rosters, r.place.School, roster.RosterCommand(roster.ApplyChunk{
			School: r.place.School, Run: r.id, Changes: changes, At: u.at,
		}))
		return err
	}, func() { r.done = r.done.Plus(changes) })
}

// commands returns what is asked of the journal.
func (py pupilYear) commands() (all []roster.JournalCommand) {
	if py.grades != nil {
		all = append(all, *py.grades)
	}
	if py.absences != nil {
		all = append(all, *py.absences)
	}
	return all
}

// journalChanges counts what has changed in a journal.
func journalChanges(happened []roster.JournalEvent) (c roster.Changes) {
	for _, e := range happened {
		switch e := e.(type) {
		case roster.GradesSynced:
			c.Grades += len(e.Grades) + len(e.Gone)
		case roster.AbsencesSynced:
			c.Absences += len(e.Absences) + len(e.Gone)
		}
	}
	return c
}
