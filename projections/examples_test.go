package projections_test

import (
	"time"

	"github.com/google/uuid"

	"zurnals/domain"
	"zurnals/projections"
)

// Two small projections to test the engine with: marks with totals, and staff.

type (
	markKey struct {
		Lesson  domain.LessonID
		Student domain.StudentID
	}
	mark struct {
		Register domain.RegisterID
		Status   string
		Points   int32
		Removed  bool
		TakenAt  time.Time
	}
	totalKey struct {
		Student  domain.StudentID
		Register domain.RegisterID
	}
	total struct{ Taken, Points int32 }

	markTables struct {
		Marks    *projections.Table[markKey, mark]
		ByLesson *projections.Group[domain.LessonID, markKey, mark]
		Totals   *projections.Table[totalKey, total]
	}
)

var marks = projections.Projection[markTables]{
	Name: "marks", Version: 1,
	Schema: `
CREATE TABLE mark (
  lesson uuid NOT NULL, student uuid NOT NULL, register uuid NOT NULL, status text NOT NULL,
  points integer NOT NULL, removed boolean NOT NULL, taken_at timestamptz NOT NULL);
CREATE TABLE total (
  student uuid NOT NULL, register uuid NOT NULL, taken integer NOT NULL, points integer NOT NULL);`,
	Indexes: `
ALTER TABLE mark ADD PRIMARY KEY (lesson, student);
ALTER TABLE total ADD PRIMARY KEY (student, register);`,
	Tables: func(s *projections.Set) *markTables {
		var t markTables
		t.Marks = projections.NewTable(s, "mark",
			func(k *markKey) []projections.Column {
				return []projections.Column{projections.ColID("lesson", &k.Lesson), projections.ColID("student", &k.Student)}
			},
			func(r *mark) []projections.Column {
				return []projections.Column{
					projections.ColID("register", &r.Register), projections.ColText("status", &r.Status),
					projections.ColInt("points", &r.Points), projections.ColBool("removed", &r.Removed), projections.ColTime("taken_at", &r.TakenAt),
				}
			})
		t.ByLesson = projections.GroupBy(t.Marks, "lesson", func(k markKey) domain.LessonID { return k.Lesson })
		t.Totals = projections.NewTable(s, "total",
			func(k *totalKey) []projections.Column {
				return []projections.Column{projections.ColID("student", &k.Student), projections.ColID("register", &k.Register)}
			},
			func(r *total) []projections.Column {
				return []projections.Column{projections.ColInt("taken", &r.Taken), projections.ColInt("points", &r.Points)}
			})
		return &t
	},
	On: []projections.Handler[markTables]{
		projections.On(func(t *markTables, e marked, m projections.Meta) {
			if e.Points == cursed {
				panic("cursed")
			}
			t.put(markKey{e.Lesson, e.Student}, mark{e.Register, e.Status, e.Points, false, m.RecordedAt})
		}),
		projections.On(func(t *markTables, e cleared, _ projections.Meta) {
			k := markKey{e.Lesson, e.Student}
			if old, ok := t.Marks.Get(k); ok {
				t.count(k, old, -1)
				t.Marks.Delete(k)
			}
		}),
		projections.On(func(t *markTables, e removed, _ projections.Meta) {
			for k, r := range t.ByLesson.Of(e.Lesson) {
				r.Removed = !r.Removed
				t.put(k, r)
			}
		}),
	},
	Views: []projections.View{{Name: "marks_by_role", Query: `
SELECT s.role, count(*) AS marks FROM {marks}.mark AS m JOIN {staff}.staff AS s ON s.account = m.student GROUP BY s.role`}},
}

func (t *markTables) put(k markKey, r mark) {
	if old, ok := t.Marks.Get(k); ok {
		t.count(k, old, -1)
	}
	t.Marks.Put(k, r)
	t.count(k, r, 1)
}

func (t *markTables) count(k markKey, r mark, n int32) {
	if r.Removed {
		return
	}
	key := totalKey{k.Student, r.Register}
	sum, _ := t.Totals.Get(key)
	t.Totals.Put(key, total{sum.Taken + n, sum.Points + n*r.Points})
}

type (
	staffKey struct{ Account domain.AccountID }
	staffRow struct {
		Name, Role string
		School     domain.SchoolID // none: NULL
		Day        string
		Rank       int16
		Seen       int64
		Born       time.Time
		Link       uuid.UUID
	}
	staffTables struct {
		Staff *projections.Table[staffKey, staffRow]
	}
)

var staff = projections.Projection[staffTables]{
	Name: "staff", Version: 3,
	Schema:  `CREATE TABLE staff (account uuid NOT NULL, name text NOT NULL, role text NOT NULL, school uuid, day date, rank smallint NOT NULL, seen bigint NOT NULL, born date, link uuid);`,
	Indexes: `ALTER TABLE staff ADD PRIMARY KEY (account);`,
	Tables: func(s *projections.Set) *staffTables {
		return &staffTables{projections.NewTable(s, "staff",
			func(k *staffKey) []projections.Column {
				return []projections.Column{projections.ColID("account", &k.Account)}
			},
			func(r *staffRow) []projections.Column {
				return []projections.Column{
					projections.ColText("name", &r.Name), projections.ColText("role", &r.Role),
					projections.ColID("school", &r.School), projections.ColDay("day", &r.Day),
					projections.ColShort("rank", &r.Rank), projections.ColLong("seen", &r.Seen),
					projections.ColDate("born", &r.Born), projections.ColUUID("link", &r.Link),
				}
			})}
	},
	On: []projections.Handler[staffTables]{
		projections.On(func(t *staffTables, e hired, m projections.Meta) {
			t.Staff.Put(staffKey{e.Account}, staffRow{Name: e.Name, Role: e.Role, Day: e.Day, Seen: m.Position, Rank: -2, Link: m.EventID})
		}),
		projections.On(func(t *staffTables, e left, _ projections.Meta) {
			t.Staff.Delete(staffKey{e.Account})
		}),
	},
}

type (
	marked struct {
		Lesson   domain.LessonID
		Student  domain.StudentID
		Register domain.RegisterID
		Status   string
		Points   int32
	}
	cleared struct {
		Lesson  domain.LessonID
		Student domain.StudentID
	}
	removed struct{ Lesson domain.LessonID } // or restored
	hired   struct {
		Account         domain.AccountID
		Name, Role, Day string
	}
	left  struct{ Account domain.AccountID }
	noted struct{} // nobody handles it
)

const cursed = -1

func (marked) EventType() string  { return "test.marked" }
func (cleared) EventType() string { return "test.cleared" }
func (removed) EventType() string { return "test.removed" }
func (hired) EventType() string   { return "test.hired" }
func (left) EventType() string    { return "test.left" }
func (noted) EventType() string   { return "test.noted" }

func (e *hired) PersonalFields() []domain.PersonalField {
	return []domain.PersonalField{{Subject: e.Account.Subject(), Tag: "name", Value: &e.Name}}
}

var catalogue = domain.NewCatalogue([]domain.Definition{
	domain.Define[marked](), domain.Define[cleared](), domain.Define[removed](),
	domain.Define[hired](), domain.Define[left](), domain.Define[noted](),
})

// story is n events about few things, so that they meet.
func story(n int) []domain.Event {
	register := domain.RegisterID{UUID: uuid.UUID{0xe}}
	lesson := func(i int) domain.LessonID { return domain.LessonID{UUID: uuid.UUID{1, byte(i % 11)}} }
	student := func(i int) domain.StudentID { return domain.StudentID{UUID: uuid.UUID{2, byte(i % 17)}} }
	account := func(i int) domain.AccountID { return domain.AccountID{UUID: uuid.UUID{2, byte(i % 5)}} }
	var all []domain.Event
	for i := range n {
		switch i % 10 {
		case 3:
			all = append(all, cleared{lesson(i * 3), student(i * 5)})
		case 5:
			all = append(all, hired{account(i), "Anna Bērziņa", []string{"teacher", "leader"}[i/10%2], "2025-09-01"})
		case 6:
			all = append(all, left{account(i * 3)})
		case 7:
			all = append(all, removed{lesson(i / 10)})
		case 8:
			all = append(all, noted{})
		default:
			all = append(all, marked{lesson(i), student(i * 7), register, "P", int32(i % 3)})
		}
	}
	return all
}
