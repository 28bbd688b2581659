package commands

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/attendance"
	"zurnals/domain/audit"
	"zurnals/domain/identity"
	"zurnals/domain/learner"
	"zurnals/domain/organisation"
	"zurnals/domain/roster"
	"zurnals/domain/surveys"
)

// A telling is how the fields of an event follow from those before it.
type telling struct {
	thing string   // of the stream that it is about; empty: what the stream is of
	alone bool     // it happens again and again: what was before is no old value of it
	ends  bool     // the thing is no more
	whole []string // fields that it names anew: one that is missing is gone
}

// toldAs says how an event is told. What is not listed here changes fields of
// the thing that its stream is of.
func toldAs(e domain.Event) telling {
	switch e := e.(type) {
	case access.RoleGiven:
		return telling{thing: e.Assignment.String()}
	case access.RoleTaken:
		return telling{thing: e.Assignment.String(), ends: true}
	case access.MembershipStarted:
		return telling{thing: e.Place.School.String() + e.Place.Municipality.String()}
	case access.MembershipEnded:
		return telling{thing: e.Place.School.String() + e.Place.Municipality.String(), ends: true}
	case access.AdministratorAdded:
		return telling{thing: e.Account.String()}
	case access.AdministratorRemoved:
		return telling{thing: e.Account.String(), ends: true}
	case roster.StudentDetailsChanged:
		return telling{whole: []string{"given_name", "family_name", "personal_code", "grade"}}
	case attendance.RegisterChanged:
		return telling{whole: []string{"name", "description", "grade_type", "grade_maximum", "from", "until"}}
	case attendance.StatusSetChanged:
		return telling{whole: []string{"statuses"}}
	}
	return telling{alone: alone[e.EventType()]}
}

// alone are the types of events that happen again and again.
var alone = types(
	identity.UserAttached{}, identity.LoginCodeIssued{}, identity.LoginCodeAccepted{}, identity.SignedIn{},
	identity.EmailChangeStarted{}, identity.EmailGiven{}, identity.EmailRecoveryStarted{}, identity.EmailChangeReplaced{},
	identity.EmailChangeStopped{}, identity.PasswordResetAsked{}, identity.Reauthenticated{},
	learner.SignedIn{}, organisation.SchoolYearOpened{}, audit.HistoryRead{},
	roster.StudentEnrolled{}, roster.EnrolmentRedated{}, roster.EnrolmentEnded{},
	roster.GradesSynced{}, roster.AbsencesSynced{},
	roster.RunBegan{}, roster.ChunkApplied{}, roster.RunEnded{}, attendance.MarksTaken{}, attendance.SelfRecorded{}, surveys.SurveyTokensIssued{},
)

func types(events ...domain.Event) map[string]bool {
	all := make(map[string]bool, len(events))
	for _, e := range events {
		all[e.EventType()] = true
	}
	return all
}

// changes returns what an event makes of the fields of its thing.
func (t *teller) changes(stream string, e domain.Event, fields []field) (all []Change) {
	how := toldAs(e)
	if how.alone || t.alone {
		for _, f := range fields {
			if f.plain != "" {
				all = append(all, Change{Field: f.path, New: f.shown})
			}
		}
		return all
	}
	key := stream + "/" + how.thing
	known := t.things[key]
	if known == nil {
		known = make(map[string]value)
	}
	missing := maps.Clone(known)
	for _, f := range fields {
		old := known[f.path]
		delete(missing, f.path)
		switch {
		case how.ends && old.plain != "":
			all = append(all, Change{f.path, old.shown, ""})
		case old.plain != f.plain:
			all = append(all, Change{f.path, old.shown, f.shown})
		}
		known[f.path] = f.value
	}
	for _, path := range slices.Sorted(maps.Keys(missing)) {
		name := path[:min(len(path), strings.IndexAny(path+".", ".["))]
		if slices.Contains(how.whole, name) {
			if old := known[path]; old.plain != "" {
				all = append(all, Change{path, old.shown, ""})
			}
			delete(known, path)
		}
	}
	if t.things == nil {
		t.things = make(map[string]map[string]value)
	}
	if t.things[key] = known; how.ends {
		delete(t.things, key)
	}
	return all
}

// marks returns what an event of a lesson makes of marks. The lesson itself
// knows which they were before.
func (t *teller) marks(entry *Entry, place access.Scope, e attendance.LessonEvent) (all []Change) {
	lesson := t.lessons[entry.Stream]
	sees := t.sees(e, place)
	for _, c := range lesson.Changes(e) {
		prefix := "marks." + c.Student.String() + "."
		switch t.student {
		case c.Student:
			prefix = ""
		case domain.StudentID{}:
		default:
			continue // another pupil
		}
		add := func(field, was, is string) {
			if was != is {
				if field == "remark" && !sees {
					was, is = mask(field, was), mask(field, is)
				}
				all = append(all, Change{prefix + field, was, is})
			}
		}
		add("status", c.Was.Status, c.Is.Status)
		add("points", pointsOf(c.Was), pointsOf(c.Is))
		add("status_set", number(c.Was.Set), number(c.Is.Set))
		add("remark", c.Was.Remark, c.Is.Remark)
		add("method", string(c.Was.Method), string(c.Is.Method))
	}
	switch e := e.(type) {
	case attendance.MarksTaken:
		entry.Method = string(attendance.Manual) // also where a pupil made the mark, and this is only a remark
	case attendance.SelfRecorded:
		if e.Address != "" {
			all = append(all, Change{Field: "address", New: mask("address", e.Address)})
		}
	}
	if t.lessons == nil {
		t.lessons = make(map[string]attendance.Lesson)
	}
	lesson = attendance.Lessons.Evolve(lesson, e)
	t.lessons[entry.Stream] = lesson
	if !t.student.IsZero() {
		entry.Lesson, entry.LessonAt = lesson.ID, lesson.StartsAt
	}
	return all
}

// pointsOf returns the points of a mark of the most there were: 1.5 of 2.
func pointsOf(m attendance.Mark) string {
	if m.Status == "" {
		return ""
	}
	decimal := func(p attendance.Points) string { return strconv.FormatFloat(float64(p)/100, 'f', -1, 64) }
	return decimal(m.Points) + " of " + decimal(m.Maximum)
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}
