// Package attendance is the read model of attendance: the registers of a
// class (apmeklējuma reģistri), their lessons (nodarbības) and the marks in
// them. Reports (pārskati) are added up when they are asked for, from the marks
// there are, so that nothing can be counted twice.
package attendance

import (
	_ "embed"
	"strings"
	"time"

	"zurnals/domain"
	"zurnals/domain/attendance"
	"zurnals/projections"
)

//go:embed attendance.sql
var sql string

var schema, indexes, _ = strings.Cut(sql, "-- keys")

// Projection fills the tables.
var Projection = projections.Projection[Tables]{
	Name: "attendance", Version: 1, Schema: schema, Indexes: indexes, Tables: tables,
	On: []projections.Handler[Tables]{
		projections.On(opened),
		projections.On(changed),
		projections.On(statusesChanged),
		projections.On(scheduled),
		projections.On(taken),
		projections.On(selfRecorded),
	},
}

// Tables are the tables of the projection.
type Tables struct {
	Registers *projections.Table[registerKey, registerRow]
	Statuses  *projections.Table[statusKey, statusRow]
	Lessons   *projections.Table[lessonKey, lessonRow]
	Marks     *projections.Table[markKey, markRow]
}

type (
	registerKey struct{ Register domain.RegisterID }
	registerRow struct {
		School       domain.SchoolID
		Class        domain.ClassID
		Name, Search string
		Description  string
		GradeType    attendance.GradeType
		GradeMaximum int32
		From, Until  domain.Date
		SetVersion   int32
		SetMaximum   int32
		Version      int32
		OpenedAt     time.Time
	}

	statusKey struct {
		Register   domain.RegisterID
		SetVersion int32
		Place      int32
	}
	statusRow struct {
		Acronym, Description string
		Points               int32
		SelfLimit            int32
	}

	lessonKey struct{ Lesson domain.LessonID }
	lessonRow struct {
		Register             domain.RegisterID
		School               domain.SchoolID
		Class                domain.ClassID
		Day                  domain.Date
		From, Until          string
		StartsAt, EndsAt     time.Time
		OpensAt, ClosesAt    time.Time
		Description          string
		Password, QR         bool
		OwnUpdates           bool
		AutoStatus           bool
		EarlyOpen, LateAfter int32
		Version              int32
		Marked, SelfRecorded int32
	}

	markKey struct {
		Lesson  domain.LessonID
		Student domain.StudentID
	}
	markRow struct {
		Register  domain.RegisterID
		Status    string
		Set       int32
		Points    int32
		Maximum   int32
		Remark    string
		Method    attendance.Method
		ChangedAt time.Time
	}
)

func tables(s *projections.Set) *Tables {
	return &Tables{
		Registers: projections.NewTable(s, "register",
			func(k *registerKey) []projections.Column {
				return []projections.Column{projections.ColID("register", &k.Register)}
			},
			func(r *registerRow) []projections.Column {
				return []projections.Column{
					projections.ColID("school", &r.School),
					projections.ColID("class", &r.Class),
					projections.ColText("name", &r.Name),
					projections.ColText("search", &r.Search),
					projections.ColText("description", &r.Description),
					projections.ColText("grade_type", &r.GradeType),
					projections.ColInt("grade_maximum", &r.GradeMaximum),
					projections.ColDay("from_day", &r.From),
					projections.ColDay("until_day", &r.Until),
					projections.ColInt("set_version", &r.SetVersion),
					projections.ColInt("set_maximum", &r.SetMaximum),
					projections.ColInt("version", &r.Version),
					projections.ColTime("opened_at", &r.OpenedAt),
				}
			}),
		Statuses: projections.NewTable(s, "status",
			func(k *statusKey) []projections.Column {
				return []projections.Column{
					projections.ColID("register", &k.Register),
					projections.ColInt("set_version", &k.SetVersion),
					projections.ColInt("place", &k.Place),
				}
			},
			func(r *statusRow) []projections.Column {
				return []projections.Column{
					projections.ColText("acronym", &r.Acronym),
					projections.ColText("description", &r.Description),
					projections.ColInt("points", &r.Points),
					projections.ColInt("self_limit", &r.SelfLimit),
				}
			}),
		Lessons: projections.NewTable(s, "lesson",
			func(k *lessonKey) []projections.Column {
				return []projections.Column{projections.ColID("lesson", &k.Lesson)}
			},
			func(r *lessonRow) []projections.Column {
				return []projections.Column{
					projections.ColID("register", &r.Register),
					projections.ColID("school", &r.School),
					projections.ColID("class", &r.Class),
					projections.ColDay("day", &r.Day),
					projections.ColText("from_time", &r.From),
					projections.ColText("until_time", &r.Until),
					projections.ColTime("starts_at", &r.StartsAt),
					projections.ColTime("ends_at", &r.EndsAt),
					projections.ColTime("opens_at", &r.OpensAt),
					projections.ColTime("closes_at", &r.ClosesAt),
					projections.ColText("description", &r.Description),
					projections.ColBool("by_password", &r.Password),
					projections.ColBool("by_code", &r.QR),
					projections.ColBool("own_updates", &r.OwnUpdates),
					projections.ColBool("auto_status", &r.AutoStatus),
					projections.ColInt("early_open", &r.EarlyOpen),
					projections.ColInt("late_after", &r.LateAfter),
					projections.ColInt("version", &r.Version),
					projections.ColInt("marked", &r.Marked),
					projections.ColInt("self_recorded", &r.SelfRecorded),
				}
			}),
		Marks: projections.NewTable(s, "mark",
			func(k *markKey) []projections.Column {
				return []projections.Column{projections.ColID("lesson", &k.Lesson), projections.ColID("student", &k.Student)}
			},
			func(r *markRow) []projections.Column {
				return []projections.Column{
					projections.ColID("register", &r.Register),
					projections.ColText("status", &r.Status),
					projections.ColInt("set_version", &r.Set),
					projections.ColInt("points", &r.Points),
					projections.ColInt("maximum", &r.Maximum),
					projections.ColText("remark", &r.Remark),
					projections.ColText("method", &r.Method),
					projections.ColTime("changed_at", &r.ChangedAt),
				}
			}),
	}
}

func opened(t *Tables, e attendance.RegisterOpened, m projections.Meta) {
	row := registerRow{School: e.School, Class: e.Class, Version: int32(m.Version), OpenedAt: m.RecordedAt}
	row.describe(e.Description)
	t.putStatuses(e.Register, row, attendance.StatusSet{Version: 1, Statuses: e.Statuses})
}

func changed(t *Tables, e attendance.RegisterChanged, m projections.Meta) {
	row, _ := t.Registers.Get(registerKey{e.Register})
	row.describe(e.Description)
	row.Version = int32(m.Version)
	t.Registers.Put(registerKey{e.Register}, row)
}

func statusesChanged(t *Tables, e attendance.StatusSetChanged, m projections.Meta) {
	row, _ := t.Registers.Get(registerKey{e.Register})
	row.Version = int32(m.Version)
	t.putStatuses(e.Register, row, attendance.StatusSet{Version: e.Version, Statuses: e.Statuses})
}

func (r *registerRow) describe(d attendance.Description) {
	r.Name, r.Search, r.Description = d.Name, projections.Searchable(d.Name), d.Description
	r.GradeType, r.GradeMaximum, r.From, r.Until = d.GradeType, int32(d.GradeMaximum), d.From, d.Until
}

// putStatuses puts the register with a new status set beside its older ones.
func (t *Tables) putStatuses(register domain.RegisterID, row registerRow, set attendance.StatusSet) {
	row.SetVersion, row.SetMaximum = int32(set.Version), int32(set.Maximum())
	t.Registers.Put(registerKey{register}, row)
	for i, s := range set.Statuses {
		t.Statuses.Put(statusKey{register, int32(set.Version), int32(i + 1)},
			statusRow{s.Acronym, s.Description, int32(s.Points), int32(s.Self)})
	}
}

func scheduled(t *Tables, e attendance.LessonScheduled, m projections.Meta) {
	row := lessonRow{
		Register: e.Register, School: e.School, Class: e.Class, Day: e.Date, From: e.From, Until: e.Until,
		StartsAt: e.StartsAt, EndsAt: e.EndsAt, Description: e.Description, Version: int32(m.Version),
	}
	if s := e.SelfRecording; s != nil {
		row.OpensAt, row.ClosesAt = attendance.Lesson{StartsAt: e.StartsAt, EndsAt: e.EndsAt, SelfRecording: s}.Window()
		row.Password, row.QR, row.OwnUpdates, row.AutoStatus = s.Password, s.QR, s.OwnUpdates, s.AutoStatus
		row.EarlyOpen, row.LateAfter = int32(s.EarlyOpen), int32(s.LateAfter)
	}
	t.Lessons.Put(lessonKey{e.Lesson}, row)
}

func taken(t *Tables, e attendance.MarksTaken, m projections.Meta) {
	lesson, _ := t.Lessons.Get(lessonKey{e.Lesson})
	lesson.Version = int32(m.Version)
	for _, mark := range e.Marks {
		t.mark(&lesson, markKey{e.Lesson, mark.Student}, markRow{
			Register: e.Register, Status: mark.Status, Set: int32(mark.Set), Points: int32(mark.Points), Maximum: int32(mark.Maximum),
			Remark: mark.Remark, Method: mark.Method, ChangedAt: m.RecordedAt,
		})
	}
	t.Lessons.Put(lessonKey{e.Lesson}, lesson)
}

func selfRecorded(t *Tables, e attendance.SelfRecorded, m projections.Meta) {
	lesson, _ := t.Lessons.Get(lessonKey{e.Lesson})
	lesson.Version = int32(m.Version)
	key := markKey{e.Lesson, e.Student}
	old, _ := t.Marks.Get(key)
	t.mark(&lesson, key, markRow{
		Register: e.Register, Status: e.Status, Set: int32(e.Set), Points: int32(e.Points), Maximum: int32(e.Maximum),
		Remark: old.Remark, Method: e.Method, ChangedAt: m.RecordedAt,
	})
	t.Lessons.Put(lessonKey{e.Lesson}, lesson)
}

// mark puts a mark in the place of the one there was, and counts it.
func (t *Tables) mark(lesson *lessonRow, k markKey, is markRow) {
	was, _ := t.Marks.Get(k)
	lesson.count(was, -1)
	lesson.count(is, 1)
	if is.Status == "" && is.Remark == "" {
		t.Marks.Delete(k)
		return
	}
	t.Marks.Put(k, is)
}

func (l *lessonRow) count(m markRow, n int32) {
	if m.Status == "" {
		return
	}
	l.Marked += n
	if m.Method.Self() {
		l.SelfRecorded += n
	}
}
