package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5/pgconn"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/internal/texts"
)

// A problem is how every refusal and every failure is told (RFC 9457).
type problem struct {
	Type      string     `json:"type" doc:"where the code is explained" format:"uri"`
	Title     string     `json:"title" doc:"what is wrong, in the language asked for"`
	Status    int        `json:"status"`
	Code      string     `json:"code" doc:"stable name of the refusal, context.reason"`
	Errors    []part     `json:"errors,omitempty" doc:"what is wrong with which part of the request"`
	Roles     []heldRole `json:"roles,omitempty" doc:"role.choose: the roles held; name one as Zurnals-Role"`
	RequestID string     `json:"request_id" doc:"to be named when asking for help"`

	retryAfter time.Duration
}

// A part of a request that is wrong.
type part struct {
	Field  string `json:"field,omitempty" doc:"path in the body, or header.…, query.…"`
	File   string `json:"file,omitempty" doc:"in an archive"`
	Row    int    `json:"row,omitempty" doc:"of a file; the heading is row 1"`
	Column string `json:"column,omitempty" doc:"heading of the column"`
	Code   string `json:"code"`
	Detail string `json:"detail" doc:"in the language asked for"`
	What   string `json:"what,omitempty" doc:"what the detail names, such as a limit, or the version that the thing has now"`
	Note   string `json:"note,omitempty" doc:"more, in English, for developers"`
}

// A heldRole is a role that who asks may act in.
type heldRole struct {
	ID           domain.AssignmentID    `json:"id"`
	Role         access.Role            `json:"role"`
	Municipality *domain.MunicipalityID `json:"municipality,omitempty"`
	School       *domain.SchoolID       `json:"school,omitempty"`
	Class        *domain.ClassID        `json:"class,omitempty"`
	Register     *domain.RegisterID     `json:"register,omitempty"`
}

func (p *problem) Error() string  { return p.Code + ": " + p.Title }
func (p *problem) GetStatus() int { return p.Status }

// ContentType is asked for by huma.
func (p *problem) ContentType(string) string { return "application/problem+json" }

// GetHeaders is asked for by huma, for what handlers refuse.
func (p *problem) GetHeaders() http.Header {
	h := http.Header{}
	if p.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(p.retryAfter.Seconds()))))
	}
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="zurnals"`)
	}
	return h
}

// A fault is a refusal that has to do with HTTP alone.
type fault struct {
	status int
	code   string
	text   string
}

func (f *fault) Error() string { return f.text }

// refusal makes a fault, to be kept in a variable.
func refusal(status int, code, text string) *fault { return &fault{status, code, text} }

var (
	errMalformed     = refusal(http.StatusBadRequest, "http.malformed", "malformed body")
	errNoRoute       = refusal(http.StatusNotFound, "http.no_route", "no such route")
	errMethod        = refusal(http.StatusMethodNotAllowed, "http.method", "method not allowed")
	errNotAcceptable = refusal(http.StatusNotAcceptable, "http.not_acceptable", "not acceptable")
	errTimeout       = refusal(http.StatusRequestTimeout, "http.timeout", "body not received in time")
	errTooLarge      = refusal(http.StatusRequestEntityTooLarge, "http.too_large", "body too large")
	errMediaType     = refusal(http.StatusUnsupportedMediaType, "http.media_type", "content type not accepted")
	errEncoding      = refusal(http.StatusUnsupportedMediaType, "http.encoding", "content encoding not accepted")
	errInvalid       = refusal(http.StatusUnprocessableEntity, "http.invalid", "invalid request")
	errCrossOrigin   = refusal(http.StatusForbidden, "http.cross_origin", "cross-origin request")
	errUnavailable   = refusal(http.StatusServiceUnavailable, "http.unavailable", "temporarily unavailable")
	errInternal      = refusal(http.StatusInternalServerError, "http.internal", "internal error")
)

// statuses are the HTTP statuses of the kinds of refusal.
var statuses = map[domain.Kind]int{
	domain.Invalid:         http.StatusUnprocessableEntity,
	domain.Unauthenticated: http.StatusUnauthorized,
	domain.Forbidden:       http.StatusForbidden,
	domain.NotFound:        http.StatusNotFound,
	domain.Conflict:        http.StatusConflict,
	domain.Gone:            http.StatusGone,
	domain.Stale:           http.StatusPreconditionFailed,
	domain.Locked:          http.StatusLocked,
	domain.TooLarge:        http.StatusRequestEntityTooLarge,
	domain.TooMany:         http.StatusTooManyRequests,
	domain.Unavailable:     http.StatusServiceUnavailable,
}

// waits are how long a client is asked to wait where the refusal does not say.
var waits = map[domain.Kind]time.Duration{
	domain.TooMany:     time.Minute,
	domain.Unavailable: 2 * time.Second,
}

// A delayed error says when it makes sense to try again.
type delayed interface {
	error
	RetryAfter() time.Duration
}

// newProblem turns an error into what is told of it. Of an error that is not a
// refusal only its existence is told; the text goes to the log.
func newProblem(q *request, err error) *problem {
	var known *problem
	var refused *domain.Error
	var fault *fault
	var wait delayed
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &refused):
		p := q.problem(statuses[refused.Kind], refused.Code, refused.Text)
		if p.Status == 0 {
			p.Status = http.StatusInternalServerError
		}
		for _, d := range refused.Details {
			p.Errors = append(p.Errors, q.part(d))
		}
		if p.retryAfter = waits[refused.Kind]; errors.As(err, &wait) {
			p.retryAfter = wait.RetryAfter()
		}
		return p
	case errors.As(err, &fault):
		return q.problem(fault.status, fault.code, fault.text)
	case away(err):
		p := q.problem(errUnavailable.status, errUnavailable.code, errUnavailable.text)
		p.retryAfter = waits[domain.Unavailable]
		return p
	}
	return q.problem(errInternal.status, errInternal.code, errInternal.text)
}

// away says whether an error means that the database cannot be reached, or
// is shutting down, rather than that we asked it something foolish.
func away(err error) bool {
	var server *pgconn.PgError
	if errors.As(err, &server) {
		switch server.Code[:min(2, len(server.Code))] {
		case "08", "53", "57": // connection, resources, shutdown
			return true
		}
		return false
	}
	var connecting *pgconn.ConnectError
	var network *net.OpError
	return errors.As(err, &connecting) || errors.As(err, &network) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, context.DeadlineExceeded)
}

// ours says whether an error is a fault of ours, to be logged.
func ours(err error) bool {
	var refused *domain.Error
	var fault *fault
	var known *problem
	return !errors.As(err, &refused) && !errors.As(err, &fault) && !errors.As(err, &known) &&
		!errors.Is(err, context.Canceled)
}

// problem returns a problem with the text of its code.
func (q *request) problem(status int, code, text string) *problem {
	p := &problem{Status: status, Code: code, Title: text}
	if q == nil { // while the routes are declared
		return p
	}
	p.Type, p.RequestID = q.api.PublicURL+"/problems#"+code, q.id
	if t := texts.Of(q.language, code); t != "" {
		p.Title = t
	}
	return p
}

// part returns a detail with the text of its code.
func (q *request) part(d domain.Detail) part {
	p := part{Field: d.Field, File: d.File, Row: d.Row, Column: d.Column, Code: d.Code, What: d.What, Detail: d.Text}
	if t := texts.Format(q.language, d.Code, d.What); t != "" {
		p.Detail = t
	}
	if d.Text != p.Detail && d.Text != texts.Format(texts.English, d.Code, d.What) {
		p.Note = d.Text
	}
	return p
}

// problemOf turns what huma refuses by itself into a problem.
func problemOf(q *request, status int, msg string, errs []error) *problem {
	if q == nil {
		return &problem{Status: status, Title: msg}
	}
	for _, err := range errs {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return newProblem(q, errTooLarge)
		}
	}
	switch status {
	case http.StatusBadRequest:
		return newProblem(q, errMalformed)
	case http.StatusNotAcceptable:
		return newProblem(q, errNotAcceptable)
	case http.StatusRequestTimeout:
		return newProblem(q, errTimeout)
	case http.StatusRequestEntityTooLarge:
		return newProblem(q, errTooLarge)
	case http.StatusUnsupportedMediaType:
		return newProblem(q, errMediaType)
	case http.StatusUnprocessableEntity:
		p := newProblem(q, errInvalid)
		for _, err := range errs {
			if m := q.mistake(err); !slices.Contains(p.Errors, m) { // huma says some things twice
				p.Errors = append(p.Errors, m)
			}
		}
		return p
	}
	err := errors.Join(errs...)
	if msg == "cannot read request body" { // it broke off
		return newProblem(q, errMalformed)
	}
	q.api.Log.ErrorContext(q.r.Context(), "request failed", "request", q.id, "route", q.pattern(), "status", status, "msg", msg, "err", err)
	return newProblem(q, errInternal)
}

// mistakes tell what huma's messages mean. What follows the words is what the
// text names.
var mistakes = []struct{ words, code string }{
	{"unexpected property", "field.unknown"},
	{"unknown query parameter", "field.unknown"},
	{"expected required property ", "field.required"},
	{"required ", "field.required"},
	{"File required", "field.required"},
	{"At least one file is required", "field.required"},
	{"expected length >= ", "field.too_short"},
	{"expected length <= ", "field.too_long"},
	{"expected number >= ", "field.too_small"},
	{"expected number <= ", "field.too_great"},
	{"expected array length >= ", "field.too_few"},
	{"expected array length <= ", "field.too_many"},
	{"expected array items to be unique", "field.repeated"},
	{"expected value to be one of ", "field.choice"},
	{"expected string to match pattern ", "field.pattern"},
	{"expected string to be RFC 3339 date-time", "field.time"},
	{"expected string to be RFC 3339 date", "field.date"},
	{"expected string to be RFC 4122 uuid", "field.id"},
	{"Invalid mime type", "field.media_type"},
	{"expected ", "field.type"},
	{"invalid ", "field.type"},
}

var requiredProperty = regexp.MustCompile(`^expected required property (\S+) to be present`)

// mistake turns one message of huma's validation into a part. The value is not
// repeated: it may be a password.
func (q *request) mistake(err error) part {
	detail, ok := err.(huma.ErrorDetailer) //nolint:errorlint // huma does not wrap them
	if !ok {
		return q.part(domain.Detail{Code: "field.invalid"})
	}
	d := detail.ErrorDetail()
	p := part{Field: field(d.Location), Code: "field.invalid"}
	what := ""
	for _, m := range mistakes {
		if rest, found := strings.CutPrefix(d.Message, m.words); found {
			p.Code, what = m.code, rest
			break
		}
	}
	if p.Code == "field.type" && !texts.IsType(what) {
		p.Code = "field.invalid"
	}
	if m := requiredProperty.FindStringSubmatch(d.Message); m != nil {
		p.Field = strings.TrimPrefix(p.Field+"."+m[1], ".")
	}
	if strings.Contains(texts.Of(q.language, p.Code), "%s") {
		p.What = what
	}
	p.Detail = texts.Format(q.language, p.Code, what)
	return p
}

// field returns the path of a field: in the body without more, else with where
// it stands.
func field(location string) string {
	for _, in := range []string{"body", "form"} {
		if rest, ok := strings.CutPrefix(location, in+"."); ok {
			return rest
		}
	}
	if location == "body" {
		return ""
	}
	return location
}

// refuse answers a request with an error, outside of huma.
func (a *API) refuse(w http.ResponseWriter, r *http.Request, err error) {
	q := asked(r.Context())
	if ours(err) {
		a.Log.ErrorContext(r.Context(), "request failed", "request", q.id, "route", q.pattern(), "err", err)
	}
	a.record(q, err)
	a.write(w, newProblem(q, err))
}

func (a *API) write(w http.ResponseWriter, p *problem) {
	for name, values := range p.GetHeaders() {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", p.ContentType(""))
	w.Header().Del("Content-Length")
	w.WriteHeader(p.Status)
	if err := json.NewEncoder(w).Encode(p); err != nil {
		a.Log.Debug("answer not written", "request", p.RequestID, "err", fmt.Sprint(err))
	}
}
