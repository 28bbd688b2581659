// Package students is the read model of the roster: pupils (skolēni), their
// classes (klases) and courses, and the synchronisation runs that brought them.
package students

import (
	_ "embed"
	"encoding/json"
	"strings"
	"time"

	"github.com/google/uuid"

	"zurnals/domain"
	"zurnals/domain/organisation"
	"zurnals/domain/roster"
	"zurnals/projections"
)

//go:embed students.sql
var sql string

var schema, indexes, _ = strings.Cut(sql, "-- keys")

// Projection fills the tables.
var Projection = projections.Projection[Tables]{
	Name: "students", Version: 2, Schema: schema, Indexes: indexes, Tables: tables,
	On: []projections.Handler[Tables]{
		projections.On(registered),
		projections.On(detailsChanged),
		projections.On(enrolled),
		projections.On(redated),
		projections.On(ended),
		projections.On(courseRegistered),
		projections.On(courseRenamed),
		projections.On(yearOpened),
		projections.On(classCreated),
		projections.On(syncStarted),
		projections.On(syncCompleted),
		projections.On(syncFailed),
	},
}

// Tables are the tables of the projection.
type Tables struct {
	Students   *projections.Table[studentKey, studentRow]
	Enrolments *projections.Table[enrolmentKey, enrolmentRow]
	InCourses  *projections.Table[inCourseKey, enrolmentRow]
	Classes    *projections.Table[classKey, classRow]
	Years      *projections.Table[yearKey, yearRow]
	Courses    *projections.Table[courseKey, courseRow]
	Runs       *projections.Table[runKey, runRow]
	Missing    *projections.Table[missingKey, struct{}]
}

type (
	studentKey struct{ Student domain.StudentID }
	studentRow struct {
		School        domain.SchoolID
		Family, Given string
		Search        string
		Code          string
		Grade         string
	}

	enrolmentKey struct {
		Student domain.StudentID
		Class   domain.ClassID
		From    domain.Date
	}
	inCourseKey struct {
		Student domain.StudentID
		Course  domain.CourseID
		From    domain.Date
	}
	enrolmentRow struct{ Until domain.Date }

	classKey struct{ Class domain.ClassID }
	classRow struct {
		School domain.SchoolID
		Year   domain.SchoolYearID
		Name   string
		Grade  int32
		Search string
	}

	yearKey struct{ Year domain.SchoolYearID }
	yearRow struct {
		School   domain.SchoolID
		Name     string
		From, To domain.Date
	}

	courseKey struct{ Course domain.CourseID }
	courseRow struct {
		School domain.SchoolID
		Title  string
	}

	runKey struct{ Run domain.RosterSyncID }
	runRow struct {
		School    domain.SchoolID
		State     roster.SyncState
		Cause     string
		File      string
		ActorKind domain.ActorKind
		Actor     uuid.UUID
		Position  int64
		Started   time.Time
		Ended     time.Time

		Added, ClassChanged, Updated, Unchanged, Damaged, Active, NotInFile int32
		Classes, Courses, OtherSchools, OtherRoles, ErrorRows, WarningRows  int32
		Grades, Absences                                                    int32
		Problems                                                            string
	}

	missingKey struct {
		Run     domain.RosterSyncID
		Student domain.StudentID
	}
)

func tables(s *projections.Set) *Tables {
	type cols = []projections.Column
	return &Tables{
		Students: projections.NewTable(s, "student",
			func(k *studentKey) cols { return cols{projections.ColID("student", &k.Student)} },
			func(r *studentRow) cols {
				return cols{
					projections.ColID("school", &r.School), projections.ColText("family_name", &r.Family),
					projections.ColText("given_name", &r.Given), projections.ColText("search", &r.Search),
					projections.ColText("code", &r.Code), projections.ColText("grade", &r.Grade),
				}
			}),
		Enrolments: projections.NewTable(s, "enrolment",
			func(k *enrolmentKey) cols {
				return cols{projections.ColID("student", &k.Student), projections.ColID("class", &k.Class), projections.ColDay("from_day", &k.From)}
			},
			func(r *enrolmentRow) cols { return cols{projections.ColDay("until_day", &r.Until)} }),
		InCourses: projections.NewTable(s, "course_enrolment",
			func(k *inCourseKey) cols {
				return cols{projections.ColID("student", &k.Student), projections.ColID("course", &k.Course), projections.ColDay("from_day", &k.From)}
			},
			func(r *enrolmentRow) cols { return cols{projections.ColDay("until_day", &r.Until)} }),
		Classes: projections.NewTable(s, "class",
			func(k *classKey) cols { return cols{projections.ColID("class", &k.Class)} },
			func(r *classRow) cols {
				return cols{
					projections.ColID("school", &r.School), projections.ColID("year", &r.Year), projections.ColText("name", &r.Name),
					projections.ColInt("grade", &r.Grade), projections.ColText("search", &r.Search),
				}
			}),
		Years: projections.NewTable(s, "school_year",
			func(k *yearKey) cols { return cols{projections.ColID("year", &k.Year)} },
			func(r *yearRow) cols {
				return cols{
					projections.ColID("school", &r.School), projections.ColText("name", &r.Name),
					projections.ColDay("from_day", &r.From), projections.ColDay("to_day", &r.To),
				}
			}),
		Courses: projections.NewTable(s, "course",
			func(k *courseKey) cols { return cols{projections.ColID("course", &k.Course)} },
			func(r *courseRow) cols {
				return cols{projections.ColID("school", &r.School), projections.ColText("title", &r.Title)}
			}),
		Runs: projections.NewTable(s, "sync_run",
			func(k *runKey) cols { return cols{projections.ColID("run", &k.Run)} }, runColumns),
		Missing: projections.NewTable(s, "missing",
			func(k *missingKey) cols {
				return cols{projections.ColID("run", &k.Run), projections.ColID("student", &k.Student)}
			},
			func(*struct{}) cols { return nil }),
	}
}

func runColumns(r *runRow) []projections.Column {
	return []projections.Column{
		projections.ColID("school", &r.School), projections.ColText("state", &r.State), projections.ColText("cause", &r.Cause),
		projections.ColText("file", &r.File), projections.ColText("actor_kind", &r.ActorKind), projections.ColUUID("actor", &r.Actor),
		projections.ColLong("position", &r.Position), projections.ColTime("started_at", &r.Started), projections.ColTime("ended_at", &r.Ended),
		projections.ColInt("added", &r.Added), projections.ColInt("class_changed", &r.ClassChanged),
		projections.ColInt("updated", &r.Updated), projections.ColInt("unchanged", &r.Unchanged),
		projections.ColInt("damaged", &r.Damaged), projections.ColInt("active", &r.Active), projections.ColInt("not_in_file", &r.NotInFile),
		projections.ColInt("grades", &r.Grades), projections.ColInt("absences", &r.Absences),
		projections.ColInt("classes", &r.Classes), projections.ColInt("courses", &r.Courses),
		projections.ColInt("other_schools", &r.OtherSchools), projections.ColInt("other_roles", &r.OtherRoles),
		projections.ColInt("errors", &r.ErrorRows), projections.ColInt("warnings", &r.WarningRows),
		projections.ColText("problems", &r.Problems),
	}
}

func registered(t *Tables, e roster.StudentRegistered, m projections.Meta) {
	if !m.Erased {
		t.Students.Put(studentKey{e.Student}, described(e.School, e.Details))
	}
}

func detailsChanged(t *Tables, e roster.StudentDetailsChanged, m projections.Meta) {
	if !m.Erased {
		t.Students.Put(studentKey{e.Student}, described(e.School, e.Details))
	}
}

func described(school domain.SchoolID, d roster.Details) studentRow {
	return studentRow{
		School: school, Family: d.FamilyName, Given: d.GivenName,
		// In both orders, since people type either.
		Search: projections.Searchable(d.FamilyName + " " + d.GivenName + " " + d.FamilyName),
		Code:   d.PersonalCode.String(), Grade: d.Grade,
	}
}

func enrolled(t *Tables, e roster.StudentEnrolled, _ projections.Meta) {
	t.put(e.Student, e.Class, e.Course, e.From, e.Until)
}

func redated(t *Tables, e roster.EnrolmentRedated, _ projections.Meta) {
	if e.From != e.Began {
		t.enrolmentGone(e.Student, e.Class, e.Course, e.Began)
	}
	t.put(e.Student, e.Class, e.Course, e.From, e.Until)
}

func ended(t *Tables, e roster.EnrolmentEnded, _ projections.Meta) {
	t.put(e.Student, e.Class, domain.CourseID{}, e.Began, e.Until)
}

func (t *Tables) put(student domain.StudentID, class domain.ClassID, course domain.CourseID, from, until domain.Date) {
	if class.IsZero() {
		t.InCourses.Put(inCourseKey{student, course, from}, enrolmentRow{until})
	} else {
		t.Enrolments.Put(enrolmentKey{student, class, from}, enrolmentRow{until})
	}
}

func (t *Tables) enrolmentGone(student domain.StudentID, class domain.ClassID, course domain.CourseID, from domain.Date) {
	if class.IsZero() {
		t.InCourses.Delete(inCourseKey{student, course, from})
	} else {
		t.Enrolments.Delete(enrolmentKey{student, class, from})
	}
}

func courseRegistered(t *Tables, e roster.CourseRegistered, _ projections.Meta) {
	t.Courses.Put(courseKey{e.Course}, courseRow{e.School, e.Title})
}

func courseRenamed(t *Tables, e roster.CourseRenamed, _ projections.Meta) {
	t.Courses.Put(courseKey{e.Course}, courseRow{e.School, e.Title})
}

func yearOpened(t *Tables, e organisation.SchoolYearOpened, _ projections.Meta) {
	t.Years.Put(yearKey{e.Year}, yearRow{e.School, e.Name, e.From, e.To})
}

func classCreated(t *Tables, e organisation.ClassCreated, _ projections.Meta) {
	t.Classes.Put(classKey{e.Class}, classRow{e.School, e.Year, e.Name, int32(e.Grade), projections.Searchable(e.Name)})
}

func syncStarted(t *Tables, e roster.SyncStarted, m projections.Meta) {
	t.Runs.Put(runKey{e.Run}, runRow{
		School: e.School, State: roster.StateRunning, File: e.File,
		ActorKind: m.Actor, Actor: m.ActorID, Position: m.Position, Started: m.RecordedAt, Problems: "[]",
	})
}

func syncCompleted(t *Tables, e roster.SyncCompleted, m projections.Meta) {
	r, ok := t.Runs.Get(runKey{e.Run})
	if !ok { // it had nothing to change, so it was not started before
		r = runRow{School: e.School, File: e.File, ActorKind: m.Actor, Actor: m.ActorID, Position: m.Position, Started: m.RecordedAt}
	}
	r.State, r.Ended = roster.StateCompleted, m.RecordedAt
	r.Added, r.ClassChanged, r.Updated = int32(e.Added), int32(e.ClassChanged), int32(e.Updated)
	r.Unchanged, r.Damaged, r.Active, r.NotInFile = int32(e.Unchanged), int32(e.Damaged), int32(e.Active), int32(e.NotInFile)
	r.Grades, r.Absences = int32(e.Grades), int32(e.Absences)
	r.Classes, r.Courses = int32(e.Classes), int32(e.Courses)
	r.OtherSchools, r.OtherRoles = int32(e.OtherSchools), int32(e.OtherRoles)
	r.ErrorRows, r.WarningRows = int32(e.Errors), int32(e.Warnings)
	problems, err := json.Marshal(append([]roster.Problem{}, e.Problems...))
	if err != nil {
		panic(err) // strings and numbers can always be written
	}
	r.Problems = string(problems)
	t.Runs.Put(runKey{e.Run}, r)
	for _, student := range e.Missing {
		t.Missing.Put(missingKey{e.Run, student}, struct{}{})
	}
}

func syncFailed(t *Tables, e roster.SyncFailed, m projections.Meta) {
	r, _ := t.Runs.Get(runKey{e.Run})
	r.State, r.Cause, r.Ended = roster.StateFailed, e.Cause, m.RecordedAt
	t.Runs.Put(runKey{e.Run}, r)
}
