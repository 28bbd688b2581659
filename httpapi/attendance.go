package httpapi

import (
	"context"
	"math"
	"net/http"

	"zurnals/commands"
	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/projections/attendance"
)

// attendanceRoutes are for those who keep attendance registers.
func (a *API) attendanceRoutes() {
	const tag = "attendance"
	handle(a, route{
		id: "open-register", method: "POST", path: "/schools/{school}/registers", tag: tag, permission: access.OpenRegister, status: http.StatusCreated,
		summary: "Open an attendance register for a class", about: "Who opens it becomes its instructor: name that role for what follows.",
	}, a.openRegister)
	handle(a, route{
		id: "list-registers", method: "GET", path: "/schools/{school}/registers", tag: tag, permission: access.SeeRegisters,
		summary: "Attendance registers that the role sees, by name",
	}, a.listRegisters)
	handle(a, route{
		id: "get-register", method: "GET", path: "/registers/{register}", tag: tag, permission: access.SeeRegisters,
		summary: "One register with its statuses",
	}, a.getRegister)
	handle(a, route{
		id: "change-register", method: "PATCH", path: "/registers/{register}", tag: tag, permission: access.ManageRegister, status: http.StatusNoContent,
		summary: "Change what is said of a register",
	}, a.changeRegister)
	handle(a, route{
		id: "get-status-set", method: "GET", path: "/registers/{register}/status-sets/{n}", tag: tag, permission: access.SeeRegisters,
		summary: "One version of the statuses of a register",
	}, a.getStatusSet)
	handle(a, route{
		id: "put-status-set", method: "PUT", path: "/registers/{register}/status-sets/{n}", tag: tag, permission: access.ManageRegister, status: http.StatusNoContent,
		summary: "Make a new version of the statuses", about: "n is one more than the version there is. Marks made before keep their version.",
	}, a.putStatusSet)
}

type (
	RegisterIn struct {
		Register string `path:"register" maxLength:"36"`
	}
	SessionIn struct {
		Session string `path:"session" maxLength:"36"`
	}
	PeriodIn struct {
		From  string `query:"from" format:"date" doc:"first day; the earliest if absent"`
		Until string `query:"until" format:"date" doc:"last day; the latest if absent"`
	}
)

func (p PeriodIn) period() attendance.Period {
	return attendance.Period{From: domain.Date(p.From), Until: domain.Date(p.Until)}
}

// register returns the place that a register in a path is.
func (a *API) register(ctx context.Context, id string) (access.Scope, error) {
	register, err := domain.ParseID[domain.RegisterID](id)
	if err != nil {
		return access.Scope{}, err
	}
	return a.Commands.RegisterScope(ctx, register)
}

// lesson returns a lesson in a path, and the place that it is.
func (a *API) lesson(ctx context.Context, id string) (domain.LessonID, access.Scope, error) {
	lesson, err := domain.ParseID[domain.LessonID](id)
	if err != nil {
		return lesson, access.Scope{}, err
	}
	place, err := a.Commands.LessonScope(ctx, lesson)
	return lesson, place, err
}

type openRegisterIn struct {
	School string `path:"school" maxLength:"36"`
	Body   struct {
		Class        string `json:"class_id" format:"uuid"`
		Name         string `json:"name" minLength:"1" maxLength:"200"`
		Description  string `json:"description,omitempty" maxLength:"2000"`
		GradeType    string `json:"grade_type,omitempty" enum:"points,none" doc:"points if absent"`
		GradeMaximum int    `json:"grade_maximum,omitempty" minimum:"1" maximum:"1000" doc:"the grade for all points; 100 if absent"`
		From         string `json:"from,omitempty" format:"date" doc:"lessons outside the period count for nobody"`
		Until        string `json:"until,omitempty" format:"date"`
	}
}

func (a *API) openRegister(ctx context.Context, by access.Actor, in *openRegisterIn) (*made, error) {
	school, err := domain.ParseID[domain.SchoolID](in.School)
	if err != nil {
		return nil, err
	}
	class, err := domain.ParseID[domain.ClassID](in.Body.Class)
	if err != nil {
		return nil, err
	}
	cmd := commands.OpenRegister{School: school, Class: class}
	cmd.Name, cmd.Description, cmd.GradeMaximum = in.Body.Name, in.Body.Description, in.Body.GradeMaximum
	cmd.From, cmd.Until = domain.Date(in.Body.From), domain.Date(in.Body.Until)
	cmd.GradeType = commands.GradeType(in.Body.GradeType)
	id, err := a.Commands.OpenRegister(ctx, by, cmd)
	if err != nil {
		return nil, err
	}
	return madeAt("/registers", id), nil
}

type listRegistersIn struct {
	School string `path:"school" maxLength:"36"`
	Page
}

// listRegisters lists what the role is held for: of a class those of the class,
// of one register that one.
func (a *API) listRegisters(ctx context.Context, by access.Actor, in *listRegistersIn) (*list[attendance.Register], error) {
	school, err := domain.ParseID[domain.SchoolID](in.School)
	if err != nil {
		return nil, err
	}
	place, err := a.Commands.SchoolScope(ctx, school)
	if err != nil {
		return nil, err
	}
	if held := by.Active.Scope; held.School == school {
		place = held
	}
	items, next, err := attendance.Registers(ctx, a.Views, by, place, in.asked())
	if err != nil {
		return nil, err
	}
	return listOf(items, next), nil
}

type registerOut struct {
	ETag string `header:"ETag"`
	Body struct {
		attendance.Register
		Statuses []attendance.Status `json:"statuses" doc:"of the version that marks are made with now"`
	}
}

func (a *API) getRegister(ctx context.Context, by access.Actor, in *RegisterIn) (*registerOut, error) {
	place, err := a.register(ctx, in.Register)
	if err != nil {
		return nil, err
	}
	r, set, err := attendance.RegisterAt(ctx, a.Views, by, place)
	if err != nil {
		return nil, err
	}
	out := &registerOut{ETag: etag(r.Version)}
	out.Body.Register, out.Body.Statuses = r, set.Statuses
	return out, nil
}

type changeRegisterIn struct {
	RegisterIn
	IfMatch string `header:"If-Match" maxLength:"40"`
	Body    struct {
		Name         *string `json:"name,omitempty" minLength:"1" maxLength:"200"`
		Description  *string `json:"description,omitempty" maxLength:"2000"`
		GradeType    *string `json:"grade_type,omitempty" enum:"points,none"`
		GradeMaximum *int    `json:"grade_maximum,omitempty" minimum:"1" maximum:"1000"`
		From         *string `json:"from,omitempty" maxLength:"10" doc:"a date; empty for none"`
		Until        *string `json:"until,omitempty" maxLength:"10" doc:"a date; empty for none"`
	}
}

func (a *API) changeRegister(ctx context.Context, by access.Actor, in *changeRegisterIn) (*none, error) {
	place, err := a.register(ctx, in.Register)
	if err != nil {
		return nil, err
	}
	if err := by.Allow(access.At(access.ManageRegister, place)); err != nil {
		return nil, err // before a version is asked for
	}
	version, err := ifMatch(in.IfMatch)
	if err != nil {
		return nil, err
	}
	return nil, a.Commands.ChangeRegister(ctx, by, commands.ChangeRegister{
		Register: place.Register, Version: version, Name: in.Body.Name, Description: in.Body.Description,
		GradeType: in.Body.GradeType, GradeMaximum: in.Body.GradeMaximum,
		From: (*domain.Date)(in.Body.From), Until: (*domain.Date)(in.Body.Until),
	})
}

type statusSetIn struct {
	RegisterIn
	N int `path:"n" minimum:"1" maximum:"100000"`
}

type statusSetOut struct{ Body attendance.StatusSet }

func (a *API) getStatusSet(ctx context.Context, by access.Actor, in *statusSetIn) (*statusSetOut, error) {
	place, err := a.register(ctx, in.Register)
	if err != nil {
		return nil, err
	}
	set, err := attendance.StatusSetAt(ctx, a.Views, by, place, in.N)
	if err != nil {
		return nil, err
	}
	return &statusSetOut{set}, nil
}

type putStatusSetIn struct {
	RegisterIn
	N    int `path:"n" minimum:"1" maximum:"100000"`
	Body struct {
		Statuses []struct {
			Acronym     string  `json:"acronym" minLength:"1" maxLength:"4"`
			Description string  `json:"description" minLength:"1" maxLength:"60"`
			Points      float64 `json:"points" minimum:"-1000" maximum:"1000" doc:"two decimals are kept"`
			Self        int     `json:"self,omitempty" minimum:"-1" maximum:"1440" doc:"minutes after the start that pupils may take it; 0 never, -1 as long as the lesson is open"`
		} `json:"statuses" minItems:"1" maxItems:"20"`
	}
}

func (a *API) putStatusSet(ctx context.Context, by access.Actor, in *putStatusSetIn) (*none, error) {
	place, err := a.register(ctx, in.Register)
	if err != nil {
		return nil, err
	}
	cmd := commands.ChangeStatuses{Register: place.Register, Version: in.N}
	for _, s := range in.Body.Statuses {
		cmd.Statuses = append(cmd.Statuses, commands.AttendanceStatus{
			Acronym: s.Acronym, Description: s.Description,
			Points: commands.AttendancePoints(math.Round(s.Points * 100)), Self: commands.AttendanceLimit(s.Self),
		})
	}
	return nil, a.Commands.ChangeStatuses(ctx, by, cmd)
}
