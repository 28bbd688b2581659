package httpapi

import (
	"context"

	"zurnals/commands"
	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/projections/attendance"
)

type (
	auditRolesIn struct {
		Account string `path:"account" maxLength:"36"`
		AsOf    string `query:"as_of" maxLength:"40" doc:"a position of the log, a time (2025-09-01T08:40:00Z) or the end of a day (2025-09-01); now if absent"`
	}
	auditRolesOut struct {
		Body struct {
			AsOf  int64      `json:"as_of" doc:"position of the log that is told up to"`
			Items []roleHeld `json:"items" nullable:"false"`
		}
	}
	roleHeld struct {
		Assignment   domain.AssignmentID   `json:"assignment_id"`
		Role         access.Role           `json:"role"`
		Municipality domain.MunicipalityID `json:"municipality_id,omitzero"`
		School       domain.SchoolID       `json:"school_id,omitzero"`
		Class        domain.ClassID        `json:"class_id,omitzero"`
		Register     domain.RegisterID     `json:"register_id,omitzero"`
	}
)

func (a *API) auditRoles(ctx context.Context, by access.Actor, in *auditRolesIn) (*auditRolesOut, error) {
	account, err := domain.ParseID[domain.AccountID](in.Account)
	if err != nil {
		return nil, access.ErrElsewhere
	}
	asOf, err := commands.ParseAsOf(in.AsOf)
	if err != nil {
		return nil, err
	}
	roles, position, err := a.Commands.RolesAsOf(ctx, by, account, asOf)
	if err != nil {
		return nil, err
	}
	out := new(auditRolesOut)
	out.Body.AsOf, out.Body.Items = position, rolesHeld(roles)
	return out, nil
}

// sheetAsOf puts the marks of a moment in the past into a sheet.
func (a *API) sheetAsOf(ctx context.Context, by access.Actor, place access.Scope, sheet attendance.Sheet, moment string) (attendance.Sheet, error) {
	asOf, err := commands.ParseAsOf(moment)
	if err != nil {
		return sheet, err
	}
	lesson, err := a.Commands.LessonAsOf(ctx, by, place, sheet.Lesson.ID, asOf)
	if err != nil {
		return sheet, err
	}
	then := sheet
	then.Pupils = []attendance.Pupil{}
	then.Lesson.Version, then.Lesson.Marked, then.Lesson.SelfRecorded = lesson.Version, 0, 0
	for _, p := range sheet.Pupils {
		m, marked := lesson.Marks[p.Student]
		delete(lesson.Marks, p.Student)
		if !p.Enrolled && !marked {
			continue
		}
		p.Status, p.StatusSet, p.Remark, p.Method = m.Status, m.Set, m.Remark, m.Method
		p.Unmarked, p.SelfRecorded, p.ChangedAt = m.Status == "", m.Method.Self(), nil
		if m.Status != "" {
			then.Lesson.Marked++
		}
		if p.SelfRecorded {
			then.Lesson.SelfRecorded++
		}
		then.Pupils = append(then.Pupils, p)
	}
	// Who was marked then, and is neither in the class on that day nor marked now.
	for student, m := range lesson.Marks {
		then.Pupils = append(then.Pupils, attendance.Pupil{Student: student, Status: m.Status, StatusSet: m.Set, Remark: m.Remark,
			Method: m.Method, Unmarked: m.Status == "", SelfRecorded: m.Method.Self()})
		if m.Status != "" {
			then.Lesson.Marked++
		}
	}
	return then, nil
}
