package httpapi

import (
	"context"
	"net/http"

	"zurnals/commands"
	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/internal/qr"
	"zurnals/projections/attendance"
)

// lessonRoutes are for those who take attendance.
func (a *API) lessonRoutes() {
	const tag = "attendance"
	handle(a, route{
		id: "schedule-session", method: "POST", path: "/registers/{register}/sessions", tag: tag, permission: access.ManageRegister, status: http.StatusCreated,
		summary: "Plan a lesson",
	}, a.scheduleSession)
	handle(a, route{
		id: "list-sessions", method: "GET", path: "/registers/{register}/sessions", tag: tag, permission: access.SeeAttendance,
		summary: "Lessons of a register, in the order of time",
	}, a.listSessions)
	handle(a, route{
		id: "get-sheet", method: "GET", path: "/attendance-sessions/{session}/sheet", tag: tag, permission: access.SeeAttendance,
		summary: "A lesson with all its pupils, as it is or as it was",
		about:   "The ETag is what PUT …/marks wants as If-Match. With as_of the marks are those of that moment; names and the lesson itself are as they are.",
	}, a.getSheet)
	handle(a, route{
		id: "put-marks", method: "PUT", path: "/attendance-sessions/{session}/marks", tag: tag, permission: access.TakeAttendance, status: http.StatusNoContent,
		summary: "Save attendance: all the marks or none",
		about: "Pupils not named keep their marks. An empty status and remark takes a mark back. " +
			"412 if a mark that is named has changed since the sheet was read; pupils recording themselves meanwhile are in nobody's way.",
	}, a.putMarks)
	handle(a, route{
		id: "get-session-password", method: "GET", path: "/attendance-sessions/{session}/password", tag: tag, permission: access.SeeLessonSecret,
		summary: "The password of a lesson, to be told to the class",
	}, a.getPassword)
	handle(a, route{
		id: "get-session-qr", method: "GET", path: "/attendance-sessions/{session}/qr", tag: tag, permission: access.SeeLessonSecret,
		summary: "The QR code of a lesson, to be shown to the class", produces: []string{"image/png", "image/svg+xml"},
	}, a.getQR)
	handle(a, route{
		id: "get-report", method: "GET", path: "/registers/{register}/report", tag: tag, permission: access.SeeAttendance,
		summary: "Attendance added up: by pupil and by lesson",
	}, a.getReport)
	handle(a, route{
		id: "export-register", method: "GET", path: "/registers/{register}/export", tag: tag, permission: access.SeeAttendance,
		summary: "The report as a file", produces: []string{kindXLSX, kindCSV},
	}, a.exportRegister)
}

type scheduleSessionIn struct {
	RegisterIn
	Body struct {
		Audience      string `json:"audience,omitempty" maxLength:"50" doc:"all, which is all who are in the class on the day"`
		Date          string `json:"date" format:"date"`
		From          string `json:"from" maxLength:"5" doc:"08:30, as the clock on the wall shows" example:"08:30"`
		Until         string `json:"until,omitempty" maxLength:"5" example:"09:10"`
		Description   string `json:"description,omitempty" maxLength:"1000"`
		SelfRecording *struct {
			Password   bool  `json:"password,omitempty"`
			QR         bool  `json:"qr,omitempty"`
			Rotate     bool  `json:"rotate,omitempty" doc:"not offered yet"`
			EarlyOpen  int   `json:"early_open,omitempty" minimum:"0" maximum:"1440" doc:"minutes that it opens before the start"`
			LateAfter  int   `json:"late_after,omitempty" minimum:"0" maximum:"1440" doc:"minutes, inclusive, that the best status can be had for; 0: as the statuses say"`
			OwnUpdates bool  `json:"own_updates,omitempty" doc:"pupils may record again"`
			AutoStatus *bool `json:"auto_status,omitempty" doc:"the best status there is at the time, which is so if absent; otherwise pupils may choose"`
		} `json:"self_recording,omitempty"`
	}
}

func (a *API) scheduleSession(ctx context.Context, by access.Actor, in *scheduleSessionIn) (*made, error) {
	place, err := a.register(ctx, in.Register)
	if err != nil {
		return nil, err
	}
	cmd := commands.ScheduleLesson{
		Register: place.Register, Audience: in.Body.Audience, Date: domain.Date(in.Body.Date),
		From: in.Body.From, Until: in.Body.Until, Description: in.Body.Description,
	}
	if s := in.Body.SelfRecording; s != nil {
		cmd.SelfRecording = &commands.SelfRecording{
			Password: s.Password, QR: s.QR, Rotate: s.Rotate, EarlyOpen: s.EarlyOpen, LateAfter: s.LateAfter,
			OwnUpdates: s.OwnUpdates, AutoStatus: s.AutoStatus == nil || *s.AutoStatus,
		}
	}
	id, err := a.Commands.ScheduleLesson(ctx, by, cmd)
	if err != nil {
		return nil, err
	}
	return madeAt("/attendance-sessions", id), nil
}

type listSessionsIn struct {
	RegisterIn
	PeriodIn
	PageOnly
}

func (a *API) listSessions(ctx context.Context, by access.Actor, in *listSessionsIn) (*list[attendance.Lesson], error) {
	place, err := a.register(ctx, in.Register)
	if err != nil {
		return nil, err
	}
	items, next, err := attendance.Lessons(ctx, a.Views, by, place, in.period(), in.asked())
	if err != nil {
		return nil, err
	}
	return listOf(items, next), nil
}

type sheetOut struct {
	ETag string `header:"ETag"`
	Body attendance.Sheet
}

type sheetIn struct {
	SessionIn
	AsOf string `query:"as_of" maxLength:"40" doc:"the marks as they were at a position of the log, at a time (2025-09-01T08:40:00Z) or at the end of a day (2025-09-01); now if absent"`
}

func (a *API) getSheet(ctx context.Context, by access.Actor, in *sheetIn) (*sheetOut, error) {
	lesson, place, err := a.lesson(ctx, in.Session)
	if err != nil {
		return nil, err
	}
	sheet, err := attendance.SheetOf(ctx, a.Views, by, place, lesson)
	if err != nil {
		return nil, err
	}
	if in.AsOf != "" {
		if sheet, err = a.sheetAsOf(ctx, by, place, sheet, in.AsOf); err != nil {
			return nil, err
		}
	}
	return &sheetOut{etag(sheet.Lesson.Version), sheet}, nil
}

type putMarksIn struct {
	SessionIn
	IfMatch string `header:"If-Match" maxLength:"40" doc:"ETag of the sheet; * for any"`
	Body    struct {
		Marks []struct {
			Student string `json:"student_id" format:"uuid"`
			Status  string `json:"status,omitempty" maxLength:"4" doc:"acronym; empty for none"`
			Remark  string `json:"remark,omitempty" maxLength:"500"`
		} `json:"marks" minItems:"1" maxItems:"500"`
	}
}

func (a *API) putMarks(ctx context.Context, by access.Actor, in *putMarksIn) (*none, error) {
	lesson, place, err := a.lesson(ctx, in.Session)
	if err != nil {
		return nil, err
	}
	if err := by.Allow(access.At(access.TakeAttendance, place)); err != nil {
		return nil, err // before a version is asked for
	}
	version, err := ifMatch(in.IfMatch)
	if err != nil {
		return nil, err
	}
	cmd := commands.TakeMarks{Lesson: lesson, Version: version}
	for _, m := range in.Body.Marks {
		student, err := domain.ParseID[domain.StudentID](m.Student)
		if err != nil {
			return nil, err
		}
		cmd.Marks = append(cmd.Marks, commands.MarkEntry{Student: student, Status: m.Status, Remark: m.Remark})
	}
	return nil, a.Commands.TakeMarks(ctx, by, cmd)
}

type passwordOut struct {
	Body struct {
		Password string `json:"password" doc:"empty: the lesson has a QR code only"`
		Address  string `json:"address" doc:"that the QR picture leads to; empty: the lesson has a password only"`
	}
}

func (a *API) getPassword(ctx context.Context, by access.Actor, in *SessionIn) (*passwordOut, error) {
	secret, err := a.secret(ctx, by, in.Session)
	if err != nil {
		return nil, err
	}
	out := new(passwordOut)
	out.Body.Password = secret.Password
	if secret.Code != "" {
		out.Body.Address = a.scanAddress(secret)
	}
	return out, nil
}

func (a *API) secret(ctx context.Context, by access.Actor, session string) (commands.LessonSecret, error) {
	lesson, err := domain.ParseID[domain.LessonID](session)
	if err != nil {
		return commands.LessonSecret{}, err
	}
	return a.Commands.LessonSecret(ctx, by, lesson)
}

// scanAddress is where the page of a lesson's QR code is.
func (a *API) scanAddress(s commands.LessonSecret) string { return a.PublicURL + "/a/" + s.Code }

type qrIn struct {
	SessionIn
	Format string `query:"format" enum:"png,svg" default:"png"`
	Scale  int    `query:"scale" minimum:"1" maximum:"40" default:"8" doc:"pixels of a module in a PNG"`
}

type pictureOut struct {
	ContentType string `header:"Content-Type"`
	Body        []byte
}

// errNoCode refuses a picture of a code that the lesson does not have.
var errNoCode = domain.Refuse(domain.Conflict, "attendance.no_code", "the lesson has no QR code")

func (a *API) getQR(ctx context.Context, by access.Actor, in *qrIn) (*pictureOut, error) {
	secret, err := a.secret(ctx, by, in.Session)
	if err != nil {
		return nil, err
	}
	if secret.Code == "" {
		return nil, errNoCode
	}
	address := a.scanAddress(secret)
	if in.Format == "svg" {
		picture, err := qr.SVG(address)
		return &pictureOut{"image/svg+xml", picture}, err
	}
	picture, err := qr.PNG(address, in.Scale)
	return &pictureOut{"image/png", picture}, err
}

type reportIn struct {
	RegisterIn
	PeriodIn
	OnlyIn
}

// OnlyIn asks for one pupil of a report.
type OnlyIn struct {
	Student string `query:"student" maxLength:"36" doc:"only this pupil"`
}

func question(period PeriodIn, only OnlyIn) (attendance.Question, error) {
	q := attendance.Question{Period: period.period()}
	if only.Student == "" {
		return q, nil
	}
	var err error
	q.Student, err = domain.ParseID[domain.StudentID](only.Student)
	return q, err
}

type reportOut struct{ Body attendance.Report }

func (a *API) getReport(ctx context.Context, by access.Actor, in *reportIn) (*reportOut, error) {
	place, err := a.register(ctx, in.Register)
	if err != nil {
		return nil, err
	}
	ask, err := question(in.PeriodIn, in.OnlyIn)
	if err != nil {
		return nil, err
	}
	report, err := attendance.ReportOf(ctx, a.Views, by, place, ask)
	if err != nil {
		return nil, err
	}
	return &reportOut{report}, nil
}
