package httpapi

import (
	"context"
	"net/http"

	"zurnals/commands"
	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/internal/texts"
	"zurnals/projections/attendance"
)

// selfRoutes are for pupils who record themselves.
func (a *API) selfRoutes() {
	const tag = "attendance"
	handle(a, route{
		id: "list-own-sessions", method: "GET", path: "/me/attendance-sessions", tag: tag, permission: access.OwnLessons,
		summary: "Lessons that concern the pupil who asks", about: "open says whether the pupil can record now.",
	}, a.ownSessions)
	handle(a, route{
		id: "get-own-attendance", method: "GET", path: "/me/attendance", tag: tag, permission: access.OwnLessons,
		summary: "What the pupil's own attendance adds up to, by register",
	}, a.ownAttendance)
	handle(a, route{
		id: "self-record", method: "POST", path: "/me/self-recordings", tag: tag, permission: access.SelfRecord, status: http.StatusCreated, limit: limitLearner,
		summary: "Record oneself in a lesson, by its password or by the code of its QR picture",
		about:   "After five wrong tries one waits for a minute.",
	}, a.selfRecord)
	a.scanPage()
}

type ownSessionsIn struct {
	PeriodIn
	PageOnly
}

func (a *API) ownSessions(ctx context.Context, by access.Actor, in *ownSessionsIn) (*list[attendance.OwnLesson], error) {
	student, err := a.Commands.LearnerStudent(ctx, by)
	if err != nil {
		return nil, err
	}
	items, next, err := attendance.OwnLessons(ctx, a.Views, by, student, a.Now(), in.period(), in.asked())
	if err != nil {
		return nil, err
	}
	return listOf(items, next), nil
}

func (a *API) ownAttendance(ctx context.Context, by access.Actor, _ *none) (*list[attendance.OwnRegister], error) {
	student, err := a.Commands.LearnerStudent(ctx, by)
	if err != nil {
		return nil, err
	}
	items, err := attendance.OwnRegisters(ctx, a.Views, by, student)
	if err != nil {
		return nil, err
	}
	return listOf(items, ""), nil
}

type selfRecordIn struct {
	Body struct {
		Session  string `json:"session,omitempty" maxLength:"36" doc:"the lesson, with password"`
		Password string `json:"password,omitempty" maxLength:"100"`
		Code     string `json:"code,omitempty" maxLength:"100" doc:"of the QR picture, instead of session and password"`
		Status   string `json:"status,omitempty" maxLength:"4" doc:"where pupils choose; the best there is if absent"`
		Student  string `json:"student_id,omitempty" maxLength:"36" doc:"may be left out: nobody but oneself can be recorded"`
	}
}

type selfRecordOut struct {
	Body struct {
		Session string `json:"session" format:"uuid"`
		Message string `json:"message" doc:"in the language asked for"`
	}
}

// errWhich refuses a recording that says too little or too much.
var errWhich = domain.Refuse(domain.Invalid, "attendance.session_or_code", "session and password are needed, or a code")

func (a *API) selfRecord(ctx context.Context, by access.Actor, in *selfRecordIn) (*selfRecordOut, error) {
	q := asked(ctx)
	cmd := commands.SelfRecord{Password: in.Body.Password, Code: in.Body.Code, Status: in.Body.Status, Address: q.address.String()}
	if (cmd.Code == "") == (in.Body.Session == "") || (cmd.Code == "") == (cmd.Password == "") {
		return nil, errWhich
	}
	var err error
	if in.Body.Session != "" {
		if cmd.Lesson, err = domain.ParseID[domain.LessonID](in.Body.Session); err != nil {
			return nil, err
		}
	}
	if in.Body.Student != "" {
		if cmd.Student, err = domain.ParseID[domain.StudentID](in.Body.Student); err != nil {
			return nil, err
		}
	}
	lesson, err := a.Commands.SelfRecord(ctx, by, cmd)
	if err != nil {
		return nil, err
	}
	out := new(selfRecordOut)
	out.Body.Session, out.Body.Message = lesson.String(), texts.Of(q.language, "attendance.recorded")
	return out, nil
}
