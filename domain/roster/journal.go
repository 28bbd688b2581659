package roster

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"zurnals/domain"
)

// A Journal is what the e-journal (e-žurnāls) says of one pupil in one school
// year: grades (sekmes) and absences (kavējumi). It is read only here. An absence
// from the e-journal is not the status “late” of an attendance register, and the
// two are never added up (C-15).
type Journal struct {
	student  domain.StudentID
	school   domain.SchoolID
	grades   map[string]Grade // by item
	absences map[Lesson]Absence
}

// A Grade is one assessment (vērtējums), as the e-journal has it.
type Grade struct {
	Item    string      `json:"item"` // id in the source of what was graded; a pupil has one grade for it
	Subject string      `json:"subject"`
	Title   string      `json:"title,omitempty"` // of what was graded
	Term    string      `json:"term,omitempty"`  // such as “1. semestris”
	Date    domain.Date `json:"date,omitempty"`
	Scale   Scale       `json:"scale"`
	Value   string      `json:"value"` // such as 9, 87.5, i or ni; on any scale nv: nav vērtējuma
}

// A Scale says what the value of a grade is of.
type Scale string

const (
	ScaleTen     Scale = "ten"     // 1 to 10
	ScalePercent Scale = "percent" // 0 to 100, at most one decimal
	ScalePass    Scale = "pass"    // i: ieskaitīts, ni: neieskaitīts
)

// A Lesson is one of a day, by its number; 0 if the e-journal does not number them.
type Lesson struct {
	Date   domain.Date `json:"date"`
	Number int         `json:"lesson,omitempty"`
}

// An Absence is a lesson that a pupil was not in, as the e-journal has it.
type Absence struct {
	Lesson
	Subject string      `json:"subject,omitempty"`
	Kind    AbsenceKind `json:"kind"`
}

// An AbsenceKind says whether there was an excuse.
type AbsenceKind string

const (
	Excused     AbsenceKind = "excused"   // attaisnots
	Unexcused   AbsenceKind = "unexcused" // neattaisnots
	UnknownKind AbsenceKind = "unknown"   // the e-journal does not say, or says it in another way
)

// JournalOf returns the journal of a pupil in a school year. Its stream is
// short: a new year begins a new one.
func JournalOf(student domain.StudentID, year domain.SchoolYearID) domain.JournalID {
	return domain.DerivedID[domain.JournalID](student.UUID, "journal of "+year.String())
}

// A JournalCommand asks a journal for something.
//
//sumtype:decl
type JournalCommand interface{ journalCommand() }

// A Source is a journal and who says what it holds.
type Source struct {
	Journal domain.JournalID    `json:"journal_id"`
	Student domain.StudentID    `json:"student_id"`
	School  domain.SchoolID     `json:"school_id"`
	Year    domain.SchoolYearID `json:"school_year_id"`
	System  string              `json:"source"` // the e-journal, as it calls itself
}

type (
	// FollowGrades makes the grades as the source has them: they are all that it
	// has of that year, unless Partial says that some could not be read.
	FollowGrades struct {
		Source
		Grades  []Grade
		Partial bool
	}

	// FollowAbsences does the same for absences.
	FollowAbsences struct {
		Source
		Absences []Absence
		Partial  bool
	}
)

func (FollowGrades) journalCommand()   {}
func (FollowAbsences) journalCommand() {}

// Journals decides for journals.
var Journals = domain.Decider[Journal, JournalCommand, JournalEvent]{
	Category: "journal",
	Decide:   Journal.decide,
	Evolve:   Journal.evolve,
}

func (j Journal) decide(cmd JournalCommand) ([]JournalEvent, error) {
	switch cmd := cmd.(type) {
	case FollowGrades:
		if err := j.of(cmd.Source); err != nil {
			return nil, err
		}
		news, gone := compare(j.grades, cmd.Grades, cmd.Partial, func(g Grade) string { return g.Item }, cmp.Compare)
		if len(news)+len(gone) == 0 {
			return nil, nil
		}
		return []JournalEvent{GradesSynced{Source: cmd.Source, Grades: news, Gone: gone}}, nil
	case FollowAbsences:
		if err := j.of(cmd.Source); err != nil {
			return nil, err
		}
		news, gone := compare(j.absences, cmd.Absences, cmd.Partial, func(a Absence) Lesson { return a.Lesson }, Lesson.compare)
		if len(news)+len(gone) == 0 {
			return nil, nil
		}
		return []JournalEvent{AbsencesSynced{Source: cmd.Source, Absences: news, Gone: gone}}, nil
	}
	return nil, fmt.Errorf("roster: no decision on %T", cmd)
}

// of returns nil if the journal is, or can become, the one of a pupil.
func (j Journal) of(s Source) error {
	if !j.student.IsZero() && (j.student != s.Student || j.school != s.School) {
		return ErrNoStudent
	}
	return nil
}

// compare returns what of the source is not in the journal like that, and what
// of the journal the source no longer has.
func compare[K, V comparable](have map[K]V, want []V, partial bool, key func(V) K, order func(a, b K) int) (news []V, gone []K) {
	there := make(map[K]bool, len(want))
	for _, v := range want {
		there[key(v)] = true
		if old, ok := have[key(v)]; !ok || old != v {
			news = append(news, v)
		}
	}
	if !partial {
		for k := range have {
			if !there[k] {
				gone = append(gone, k)
			}
		}
	}
	slices.SortFunc(gone, order)
	return news, gone
}

func (l Lesson) compare(m Lesson) int {
	return cmp.Or(cmp.Compare(l.Date, m.Date), cmp.Compare(l.Number, m.Number))
}

func (j Journal) evolve(e JournalEvent) Journal {
	switch e := e.(type) {
	case GradesSynced:
		j.student, j.school = e.Student, e.School
		j.grades = with(j.grades, e.Grades, e.Gone, func(g Grade) string { return g.Item })
	case AbsencesSynced:
		j.student, j.school = e.Student, e.School
		j.absences = with(j.absences, e.Absences, e.Gone, func(a Absence) Lesson { return a.Lesson })
	}
	return j
}

// with returns values with some changed and some gone, and leaves the old ones be.
func with[K comparable, V any](have map[K]V, news []V, gone []K, key func(V) K) map[K]V {
	now := maps.Clone(have)
	if now == nil {
		now = make(map[K]V, len(news))
	}
	for _, v := range news {
		now[key(v)] = v
	}
	for _, k := range gone {
		delete(now, k)
	}
	return now
}
