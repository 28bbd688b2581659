package httpapi

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"zurnals/commands"
	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/internal/securitylog"
	"zurnals/internal/sheet"
	"zurnals/internal/texts"
	"zurnals/projections"
	"zurnals/projections/audit"
)

// auditRoutes are for auditors: what has happened, told from the log.
func (a *API) auditRoutes() {
	const tag = "audit"
	const about = "The oldest first, with old and new values. Personal data is masked. JSON, or CSV by Accept or format=csv. " +
		"That it was read is recorded in the log."
	handle(a, route{
		id: "audit-account", method: "GET", path: "/audit/accounts/{account}/events", tag: tag, permission: access.ReadHistory,
		summary: "What has happened to an account and its roles", produces: []string{"text/csv"},
		about: about + " Beside the events stands what was refused to the account, or when somebody asked for it or tried its password: an entry of the security log, without position. " +
			"An auditor of a school or municipality reads what concerns it of everybody who works or has worked there.",
	}, a.auditAccount)
	handle(a, route{
		id: "audit-account-diff", method: "GET", path: "/audit/accounts/{account}/diff", tag: tag, permission: access.ReadHistory,
		summary: "What changed in an account, its roles and classes between two moments",
		about:   "The difference, not the way: what came and went again is not told. Personal data is masked. That it was read is recorded.",
	}, a.auditDiff)
	handle(a, route{
		id: "audit-roles", method: "GET", path: "/audit/accounts/{account}/roles", tag: tag, permission: access.ReadHistory,
		summary: "The roles that an account held at a moment", about: "At the places that the asker may read of. That it was read is recorded.",
	}, a.auditRoles)
	handle(a, route{
		id: "audit-attendance", method: "GET", path: "/audit/students/{student}/attendance", tag: tag, permission: access.ReadHistory,
		summary: "What has happened to the marks of a pupil", produces: []string{"text/csv"}, about: about,
	}, a.auditAttendance)
	handle(a, route{
		id: "audit-log", method: "GET", path: "/audit/events", tag: tag, permission: access.ReadHistory,
		summary: "The log, event by event", produces: []string{"text/csv"},
		about: about + " For auditors of the whole installation. Old values are not told.",
	}, a.auditLog)
}

type (
	// HistoryIn asks for one page of a history.
	HistoryIn struct {
		AsOf   string `query:"as_of" maxLength:"40" doc:"as it was at a position of the log, at a time (2025-09-01T08:40:00Z) or at the end of a day (2025-09-01); now if absent"`
		Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"how many at most"`
		Cursor string `query:"cursor" maxLength:"60" pattern:"^[0-9.]*$" doc:"next of the page before"`
		Format string `query:"format" enum:"json,csv" doc:"before Accept"`
		Accept string `header:"Accept" maxLength:"1000"`
	}
	auditAccountIn struct {
		HistoryIn
		Account string `path:"account" maxLength:"36"`
	}
	auditAttendanceIn struct {
		HistoryIn
		Student string `path:"student" maxLength:"36"`
	}
)

// page returns the page that is asked for.
func (in HistoryIn) page() (p commands.HistoryPage, err error) {
	p.Limit = in.Limit
	if in.Cursor != "" {
		if p.After, err = strconv.ParseInt(in.Cursor, 10, 64); err != nil {
			return p, errCursor
		}
	}
	p.AsOf, err = commands.ParseAsOf(in.AsOf)
	return p, err
}

var errCursor = projections.ErrCursor.In("query.cursor")

// A historyOut is one page of a history, as JSON or as CSV.
type historyOut struct {
	ContentType string `header:"Content-Type"`
	Disposition string `header:"Content-Disposition"`
	Next        string `header:"Zurnals-Next" doc:"cursor of the next page, where the body is CSV too"`
	Body        historyPage
}

type historyPage struct {
	AsOf  int64          `json:"as_of" doc:"position of the log that is told up to"`
	Items []historyEntry `json:"items"`
	Next  string         `json:"next,omitempty" doc:"cursor of the next page; absent on the last"`

	language texts.Language // of the headings of a table
}

type historyEntry struct {
	Kind     string          `json:"kind" enum:"event,refusal" doc:"a refusal stands in the security log, not in the log"`
	Position int64           `json:"position,omitempty" doc:"this and the next three of an event"`
	ID       *uuid.UUID      `json:"event_id,omitempty"`
	Stream   string          `json:"stream,omitempty"`
	Version  int             `json:"version,omitempty" doc:"in the stream"`
	At       time.Time       `json:"at"`
	Type     string          `json:"type" doc:"of the event; of a refusal its code"`
	By       historyActor    `json:"by"`
	Method   string          `json:"method,omitempty" doc:"how it was done: manual, password, qr"`
	Reason   string          `json:"reason,omitempty"`
	Lesson   *historyLesson  `json:"lesson,omitempty" doc:"that the mark is of"`
	Changes  []historyChange `json:"changes"`
	Omitted  int             `json:"omitted,omitempty" doc:"changes beyond those told"`
	Erased   bool            `json:"erased,omitempty" doc:"data of somebody who was erased is missing"`
	Refusal  *historyRefusal `json:"refusal,omitempty"`
}

type historyRefusal struct {
	Route   string      `json:"route"`
	Objects []uuid.UUID `json:"objects" doc:"what was asked for"`
	Address string      `json:"address" doc:"keyed hash of the network address"`
	LastAt  time.Time   `json:"last_at"`
	Count   int         `json:"count" doc:"repeats within the same minute"`
}

type historyActor struct {
	Kind         domain.ActorKind       `json:"kind" enum:"account,learner,token,anonymous,system"`
	ID           *uuid.UUID             `json:"id,omitempty"`
	Name         string                 `json:"name,omitempty" doc:"initials"`
	Role         string                 `json:"role,omitempty" doc:"that the request acted in"`
	Assignment   *domain.AssignmentID   `json:"assignment_id,omitempty"`
	Municipality *domain.MunicipalityID `json:"municipality_id,omitempty" doc:"of the role"`
	School       *domain.SchoolID       `json:"school_id,omitempty" doc:"of the role"`
	Request      string                 `json:"request,omitempty"`
}

type historyLesson struct {
	ID       domain.LessonID `json:"id"`
	StartsAt time.Time       `json:"starts_at"`
}

type historyChange struct {
	Field string `json:"field" doc:"path in the event; marks.<student>.… of a mark"`
	Old   string `json:"old" doc:"empty: there was none"`
	New   string `json:"new" doc:"empty: there is none any more"`
}

func (a *API) auditAccount(ctx context.Context, by access.Actor, in *auditAccountIn) (*historyOut, error) {
	account, err := domain.ParseID[domain.AccountID](in.Account)
	if err != nil {
		return nil, err
	}
	page, err := in.page()
	if err != nil {
		return nil, err
	}
	page.Refusals = a.refusals(account)
	h, err := a.Commands.AccountHistory(ctx, by, account, page)
	return in.answer(ctx, "account-"+account.String(), h, err)
}

// page returns the page that is asked for. Its cursor may name a refusal after
// the position, by time and id.
func (in auditAccountIn) page() (p commands.HistoryPage, err error) {
	plain := in.HistoryIn
	parts := strings.Split(in.Cursor, ".")
	plain.Cursor = parts[0]
	if p, err = plain.page(); err != nil || len(parts) == 1 {
		return p, err
	}
	if len(parts) != 3 {
		return p, errCursor
	}
	at, err := strconv.ParseInt(parts[1], 10, 64)
	if err == nil {
		p.AfterRefusal.ID, err = strconv.ParseInt(parts[2], 10, 64)
	}
	if p.AfterRefusal.At = time.UnixMicro(at).UTC(); err != nil || p.AfterRefusal.At.Year() > 9999 {
		return p, errCursor
	}
	return p, nil
}

// refusals finds what was refused about an account.
func (a *API) refusals(account domain.AccountID) commands.Refusals {
	return func(ctx context.Context, after commands.RefusalMark, until time.Time, limit int) ([]commands.Refusal, error) {
		entries, err := a.Security.About(ctx, account.UUID, securitylog.Mark(after), until, limit)
		all := make([]commands.Refusal, len(entries))
		for i, e := range entries {
			all[i] = commands.Refusal{
				ID: e.ID, Kind: e.Kind, Route: e.Route, Objects: e.Objects, Address: hex.EncodeToString(e.Address), At: e.At, LastAt: e.LastAt, Count: e.Count,
				By: domain.Meta{Actor: e.Actor, ActorID: e.ActorID, Role: e.Role, Municipality: e.Municipality, School: e.School, Request: e.Request},
			}
		}
		return all, err
	}
}

// auditAttendance has a read model find the lessons, seen up to the very
// position that is asked for, and the log tell what happened in them.
func (a *API) auditAttendance(ctx context.Context, by access.Actor, in *auditAttendanceIn) (*historyOut, error) {
	student, err := domain.ParseID[domain.StudentID](in.Student)
	if err != nil {
		return nil, err
	}
	page, err := in.page()
	if err != nil {
		return nil, err
	}
	place, err := a.Commands.StudentScope(ctx, student)
	if err != nil {
		return nil, err
	}
	upto, err := a.Commands.Position(ctx, page.AsOf)
	if err != nil {
		return nil, err
	}
	marks, err := audit.MarksOf(projections.WithMinPosition(ctx, upto), a.Views, by, place, student, page.After, upto, in.Limit+1)
	if err != nil {
		return nil, err
	}
	found := make([]commands.MarkPlace, len(marks))
	for i, m := range marks {
		found[i] = commands.MarkPlace(m)
	}
	page.AsOf = commands.AsOfPosition(upto)
	h, err := a.Commands.AttendanceHistory(ctx, by, student, page, found)
	return in.answer(ctx, "student-"+student.String(), h, err)
}

func (a *API) auditLog(ctx context.Context, by access.Actor, in *HistoryIn) (*historyOut, error) {
	page, err := in.page()
	if err != nil {
		return nil, err
	}
	h, err := a.Commands.LogHistory(ctx, by, page)
	return in.answer(ctx, "log", h, err)
}

// answer answers with a page: as a table, it is to be saved under a name.
func (in HistoryIn) answer(ctx context.Context, name string, h commands.History, err error) (*historyOut, error) {
	if err != nil {
		return nil, err
	}
	out := &historyOut{ContentType: "application/json"}
	if in.Format == "csv" || in.Format == "" && strings.Contains(in.Accept, "text/csv") {
		out.ContentType, out.Disposition = kindCSV, attachment(name+".csv")
	}
	if h.Next > 0 {
		out.Next = strconv.FormatInt(h.Next, 10)
	}
	if r := h.NextRefusal; r.ID > 0 {
		out.Next = fmt.Sprintf("%d.%d.%d", h.Next, r.At.UnixMicro(), r.ID)
	}
	out.Body = historyPage{AsOf: h.AsOf, Items: make([]historyEntry, len(h.Entries)), Next: out.Next, language: asked(ctx).language}
	for i, e := range h.Entries {
		out.Body.Items[i] = shownEntry(e)
	}
	return out, nil
}

func shownEntry(e commands.Entry) historyEntry {
	shown := historyEntry{
		Kind: "event", Position: e.Position, Stream: e.Stream, Version: e.Version, At: e.At, Type: e.Type,
		By: historyActor{
			Kind: e.By.Actor, Name: e.Name, Role: e.By.Role, Assignment: some(e.By.Assignment),
			Municipality: some(e.By.Municipality), School: some(e.By.School), Request: e.By.Request,
		},
		Method: e.Method, Reason: e.Reason, Changes: make([]historyChange, len(e.Changes)), Omitted: e.Omitted, Erased: e.Erased,
	}
	if e.ID != uuid.Nil {
		shown.ID = &e.ID
	}
	if e.By.ActorID != uuid.Nil {
		shown.By.ID = &e.By.ActorID
	}
	if r := e.Refusal; r != nil {
		shown.Kind = "refusal"
		shown.Refusal = &historyRefusal{r.Route, append([]uuid.UUID{}, r.Objects...), r.Address, r.LastAt, r.Count}
	}
	if !e.Lesson.IsZero() {
		shown.Lesson = &historyLesson{e.Lesson, e.LessonAt}
	}
	for i, c := range e.Changes {
		shown.Changes[i] = historyChange(c)
	}
	return shown
}

// csvFormat writes a body that knows itself as a table. Its name has a
// parameter, so that no Accept header chooses it: the handler does.
var csvFormat = huma.Format{
	Marshal: func(w io.Writer, v any) error {
		t, ok := v.(interface{ writeCSV(io.Writer) error })
		if !ok {
			return fmt.Errorf("%T is no table", v)
		}
		return t.writeCSV(w)
	},
	Unmarshal: json.Unmarshal, // never asked: requests are not of this kind
}

// columns are those of a history as a table. Their headings are in the texts.
var columns = []string{"position", "at", "stream", "version", "type", "actor", "actor_id", "name", "role", "assignment_id",
	"method", "reason", "lesson_id", "lesson_starts_at", "field", "old", "new", "route", "count"}

// writeCSV writes one row a change, and one for an entry without any. Event
// types and codes are as in the log, headings in the language of who asks.
func (b historyPage) writeCSV(w io.Writer) error {
	table, err := sheet.NewCSV(w)
	if err != nil {
		return err
	}
	defer table.Close()
	headings := make([]string, len(columns))
	for i, c := range columns {
		headings[i] = texts.Of(b.language, "audit.column_"+c)
	}
	err = table.Head(headings)
	for _, e := range b.Items {
		changes := e.Changes
		if len(changes) == 0 {
			changes = []historyChange{{}}
		}
		head := []any{"", e.At.Format(time.RFC3339Nano), e.Stream, nil, e.Type,
			string(e.By.Kind), orEmpty(e.By.ID), e.By.Name, e.By.Role, orEmpty(e.By.Assignment), e.Method, e.Reason, "", ""}
		if e.Kind == "event" {
			head[0], head[3] = strconv.FormatInt(e.Position, 10), e.Version
		}
		if e.Lesson != nil {
			head[12], head[13] = e.Lesson.ID.String(), e.Lesson.StartsAt.Format(time.RFC3339)
		}
		route, count := any(nil), any(nil)
		if e.Refusal != nil {
			route, count = e.Refusal.Route, e.Refusal.Count
		}
		for _, c := range changes {
			if err == nil {
				err = table.Row(append(head[:14:14], c.Field, c.Old, c.New, route, count))
			}
		}
	}
	if err != nil {
		return err
	}
	return table.Finish()
}

// orEmpty returns the text of what is pointed at.
func orEmpty[T fmt.Stringer](t *T) string {
	if t == nil {
		return ""
	}
	return (*t).String()
}
