package access_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/uuid"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/internal/trace"
)

func staff(role access.Role, scope access.Scope) access.Actor {
	return access.Actor{Kind: domain.ActorAccount, ID: laura.UUID, Active: access.Assignment{ID: first, Role: role, Scope: scope}}
}

// A role reaches the place where it is held and what is in it. What is in the
// same school is refused, and what is elsewhere is not there.
func TestHowFarARoleReaches(t *testing.T) {
	trace.Covers(t, "EMU-063", "EMU-077", "C23")
	class7b := access.Scope{Municipality: school.Municipality, School: school.School, Class: domain.NewID[domain.ClassID]()}
	elsewhere := access.Scope{Municipality: citur.Municipality, School: domain.NewID[domain.SchoolID]()}
	for _, test := range []struct {
		role  access.Role
		scope access.Scope
		place map[access.Scope]error
	}{
		{access.ClassTeacher, class6a, map[access.Scope]error{
			class6a: nil, class7b: access.ErrForbidden, school: access.ErrForbidden, other: access.ErrElsewhere, parauga: access.ErrForbidden,
			elsewhere: access.ErrElsewhere, anywhere: access.ErrForbidden,
		}},
		{access.SchoolAdmin, school, map[access.Scope]error{
			class6a: nil, class7b: nil, school: nil, other: access.ErrElsewhere, parauga: access.ErrForbidden,
			citur: access.ErrElsewhere, anywhere: access.ErrForbidden,
		}},
		{access.MunicipalityAdmin, parauga, map[access.Scope]error{
			class6a: nil, school: nil, other: nil, parauga: nil, citur: access.ErrElsewhere, elsewhere: access.ErrElsewhere, anywhere: access.ErrForbidden,
		}},
		{access.PlatformAdmin, anywhere, map[access.Scope]error{
			class6a: nil, school: nil, parauga: nil, elsewhere: nil, anywhere: nil,
		}},
	} {
		for place, want := range test.place {
			if err := staff(test.role, test.scope).Allow(access.At(access.SeeSchool, place)); !errors.Is(err, want) {
				t.Errorf("%s at %+v reaches %+v: %v, want %v", test.role, test.scope, place, err, want)
			}
		}
	}
}

// Who has no role reaches the own things only, and nobody those of another.
func TestOwnThings(t *testing.T) {
	trace.Covers(t, "EMU-048")
	nobody := access.Actor{Kind: domain.ActorAccount, ID: laura.UUID}
	if err := nobody.Allow(access.Own(access.OwnAccount, laura.UUID)); err != nil {
		t.Error(err)
	}
	if err := nobody.Allow(access.Own(access.OwnAccount, admin.UUID)); !errors.Is(err, access.ErrElsewhere) {
		t.Error(err)
	}
	if err := staff(access.PlatformAdmin, anywhere).Allow(access.Own(access.OwnAccount, admin.UUID)); !errors.Is(err, access.ErrElsewhere) {
		t.Error(err)
	}
	if err := nobody.Allow(access.At(access.SeeSchool, school)); !errors.Is(err, access.ErrNoRole) {
		t.Error(err)
	}
}

// Pupils, links and strangers have no rights of staff, and the other way round.
func TestKindsOfActors(t *testing.T) {
	for _, kind := range []domain.ActorKind{domain.ActorLearner, domain.ActorToken, domain.ActorAnonymous, ""} {
		by := access.Actor{Kind: kind, ID: uuid.New()}
		for _, p := range []access.Permission{access.ManageUsers, access.SeeStudents, access.TakeAttendance, access.ReadHistory, access.CreateAdmin, "made.up"} {
			if err := by.Allow(access.At(p, school)); !errors.Is(err, access.ErrForbidden) {
				t.Errorf("%q: %s: %v", kind, p, err)
			}
		}
	}
	if err := staff(access.PlatformAdmin, anywhere).Allow(access.At(access.SelfRecord, school)); !errors.Is(err, access.ErrForbidden) {
		t.Error(err)
	}
	if err := access.System("test").Allow(access.At("made.up", access.Scope{})); !errors.Is(err, access.ErrForbidden) {
		t.Error(err)
	}
}

// The administrator manages people and classes and sees nothing of pupils'
// results; the others see, and manage nobody.
func TestAdministratorSeesNoResults(t *testing.T) {
	trace.Covers(t, "EMU-072", "EMU-091")
	for _, p := range []access.Permission{access.SeeAttendance, access.TakeAttendance, access.SeeRegisters, access.ReadAnalytics, access.ReadHistory} {
		if slices.Contains(access.Holders(p), access.SchoolAdmin) {
			t.Errorf("the administrator has %s", p)
		}
	}
	for _, p := range []access.Permission{access.ManageUsers, access.GiveSchoolRole, access.ManageClasses} {
		for _, role := range []access.Role{access.ClassTeacher, access.SupportStaff, access.SchoolManagement, access.Instructor} {
			if slices.Contains(access.Holders(p), role) {
				t.Errorf("%s has %s", role, p)
			}
		}
	}
}

// Grades, absences and surveys: the class teacher of the own class and no other,
// those who support pupils single ones, the management results without names,
// the municipality summaries, the administrator none of it.
func TestWhoSeesGradesAndSurveys(t *testing.T) {
	trace.Partly(t, "EMU-064", "EMU-065", "EMU-067", "EMU-069", "EMU-070", "EMU-071", "EMU-073")
	class6b, elsewhere := class6a, class6a
	class6b.Class, elsewhere.School = domain.NewID[domain.ClassID](), domain.NewID[domain.SchoolID]()
	elsewhere.Class = domain.NewID[domain.ClassID]()
	answers := []access.Permission{access.SeeGrades, access.SeeSurveyAnswers, access.SeeAttendance}
	for _, c := range []struct {
		role access.Role
		held access.Scope
		may  []access.Permission
		at   access.Scope
		want error
	}{
		{access.ClassTeacher, class6a, append(answers, access.StartSurvey), class6a, nil},
		{access.ClassTeacher, class6a, append(answers, access.StartSurvey), class6b, access.ErrForbidden},
		{access.ClassTeacher, class6a, append(answers, access.StartSurvey), school, access.ErrForbidden},
		{access.ClassTeacher, class6a, append(answers, access.StartSurvey), elsewhere, access.ErrElsewhere},
		{access.ClassTeacher, class6a, []access.Permission{access.SeeSurveyResults, access.SeeSurveySummary, access.SeeSchoolOverview, access.SeeTeachers, access.SeeExamResults}, class6a, access.ErrForbidden},
		{access.SupportStaff, school, append(answers, access.SeeExamResults), class6b, nil},
		{access.SupportStaff, school, answers, elsewhere, access.ErrElsewhere},
		{access.SupportStaff, school, []access.Permission{access.StartSurvey, access.SeeSurveyResults, access.SeeSchoolOverview}, school, access.ErrForbidden},
		{access.SchoolManagement, school, []access.Permission{access.SeeSurveyResults, access.SeeSchoolOverview, access.SeeTeachers}, school, nil},
		{access.SchoolManagement, school, append(answers, access.StartSurvey, access.SeeStudents), class6a, access.ErrForbidden},
		{access.SchoolAdmin, school, []access.Permission{access.StartSurvey}, class6a, nil},
		{access.SchoolAdmin, school, append(answers, access.SeeSurveyResults, access.SeeSurveySummary, access.SeeSchoolOverview, access.SeeTeachers, access.SeeExamResults, access.RecordExamResults), school, access.ErrForbidden},
		{access.MunicipalityAnalyst, parauga, []access.Permission{access.SeeSurveySummary, access.SeeMunicipalityOverview}, parauga, nil},
		{access.MunicipalityAnalyst, parauga, append(answers, access.SeeSurveyResults, access.SeeSchoolOverview, access.SeeTeachers, access.SeeStudents), school, access.ErrForbidden},
		{access.MunicipalityAdmin, parauga, append(answers, access.SeeSurveyResults, access.SeeSurveySummary, access.SeeMunicipalityOverview), school, access.ErrForbidden},
	} {
		for _, p := range c.may {
			if err := staff(c.role, c.held).Allow(access.At(p, c.at)); !errors.Is(err, c.want) {
				t.Errorf("%s: %s at %+v: %v, want %v", c.role, p, c.at, err, c.want)
			}
		}
	}
}

// No role lets somebody give the role that lets give it.
func TestWhoGivesWhat(t *testing.T) {
	trace.Covers(t, "EMU-078")
	by := staff(access.SchoolAdmin, school)
	for role, scope := range map[access.Role]access.Scope{access.SchoolManagement: school, access.SupportStaff: school, access.ClassTeacher: class6a} {
		if err := by.Allow(access.ToGive(role, scope)); err != nil {
			t.Errorf("%s: %v", role, err)
		}
	}
	for role, scope := range map[access.Role]access.Scope{
		access.SchoolAdmin: school, access.MunicipalityAdmin: parauga, access.Auditor: school, access.Analyst: school,
	} {
		if err := by.Allow(access.ToGive(role, scope)); !errors.Is(err, access.ErrForbidden) {
			t.Errorf("%s: %v", role, err)
		}
	}
}
