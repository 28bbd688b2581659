package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/go-chi/chi/v5"

	"zurnals/domain"
)

// Dev is what a development server offers besides (serve --dev): its mail, its
// clock, its jobs. It is reached from the same computer only.
type Dev struct {
	Clock Clock
	Jobs  Jobs
	Mail  func(context.Context) ([]Mail, error) // the newest first
	Head  func(context.Context) (int64, error)  // of the log
}

// A Clock is the one clock where it can be moved.
type Clock interface {
	Now() time.Time
	Set(ctx context.Context, to time.Time) error
	Advance(ctx context.Context, by time.Duration) error
}

// A Mail is one that would have been sent.
type Mail struct {
	ID        int64     `json:"id"`
	MessageID string    `json:"message_id"`
	At        time.Time `json:"at"`
	To        string    `json:"to"`
	Subject   string    `json:"subject"`
	Text      string    `json:"text"`
	HTML      string    `json:"html"`
}

// Jobs are what is done later, such as sending mail.
type Jobs interface {
	// RunDue does what is due by the one clock and says how much that was.
	RunDue(context.Context) (int, error)
}

var (
	errLoopback     = refusal(http.StatusForbidden, "http.loopback_only", "loopback only")
	errClockSet     = domain.Refuse(domain.Conflict, "dev.clock_set", "the clock can only be set while the log is empty")
	errClockAdvance = domain.Refuse(domain.Invalid, "dev.clock_advance", "the clock can only be advanced")
)

// devRoutes adds the routes below /dev, if this is a development server. They
// are not part of the API: no rights, no contract.
func (a *API) devRoutes(r chi.Router) {
	if a.Dev == nil {
		return
	}
	r.Route("/dev", func(r chi.Router) {
		r.Use(a.loopback)
		r.Get("/mail", a.dev(a.devMail))
		r.Get("/clock", a.dev(a.devClock))
		r.Post("/clock", a.dev(a.devMoveClock))
		r.Post("/jobs/run", a.dev(a.devRunJobs))
	})
}

// loopback lets only this computer through. The name it was asked by counts
// too, or a web page could have its own name lead here.
func (a *API) loopback(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if h, _, err := net.SplitHostPort(r.Host); err == nil {
			host = h
		}
		named, err := netip.ParseAddr(trimBrackets(host))
		if host != "localhost" && (err != nil || !named.IsLoopback()) || !asked(r.Context()).address.IsLoopback() {
			a.refuse(w, r, errLoopback)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func trimBrackets(host string) string {
	if len(host) > 1 && host[0] == '[' && host[len(host)-1] == ']' {
		return host[1 : len(host)-1]
	}
	return host
}

// dev answers with what f returns, as JSON unless f has answered itself.
func (a *API) dev(f func(http.ResponseWriter, *http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		answer, err := f(w, r)
		if err != nil {
			a.refuse(w, r, err)
			return
		}
		if answer != nil {
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(answer) // the client has gone
		}
	}
}

func (a *API) devMail(w http.ResponseWriter, r *http.Request) (any, error) {
	mails, err := a.Dev.Mail(r.Context())
	if err != nil {
		return nil, err
	}
	if !wantsPage(r) {
		if mails == nil {
			mails = []Mail{}
		}
		return map[string][]Mail{"items": mails}, nil
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, err = w.Write(render(mailPage, mails))
	return nil, errors.Join(err)
}

var mailPage = newPage("mail", `<p>These mails would have been sent. The newest comes first.</p>
{{range .}}<h2>{{.Subject}}</h2>
<p>To {{.To}}, {{.At.Format "2006-01-02 15:04:05 MST"}}</p>
<pre>{{.Text}}</pre>
{{else}}<p>There are none.</p>
{{end}}`)

type clockAnswer struct {
	Now time.Time `json:"now"`
}

func (a *API) devClock(http.ResponseWriter, *http.Request) (any, error) {
	return clockAnswer{a.Dev.Clock.Now().UTC()}, nil
}

// devMoveClock sets the clock of a server on which nothing has happened yet, or
// turns it on. It never goes back: what has happened stays in the past.
func (a *API) devMoveClock(_ http.ResponseWriter, r *http.Request) (any, error) {
	var move struct {
		Set     time.Time `json:"set"`
		Advance string    `json:"advance"`
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<10))
	if err != nil {
		return nil, errMalformed
	}
	if err := json.Unmarshal(body, &move); err != nil {
		return nil, errMalformed
	}
	if !move.Set.IsZero() {
		head, err := a.Dev.Head(r.Context())
		if err != nil {
			return nil, err
		}
		if head > 0 {
			return nil, errClockSet
		}
		if err := a.Dev.Clock.Set(r.Context(), move.Set); err != nil {
			return nil, err
		}
	}
	if move.Advance != "" {
		by, err := time.ParseDuration(move.Advance)
		if err != nil || by < 0 {
			return nil, errClockAdvance
		}
		if err := a.Dev.Clock.Advance(r.Context(), by); err != nil {
			return nil, err
		}
	}
	return clockAnswer{a.Dev.Clock.Now().UTC()}, nil
}

func (a *API) devRunJobs(_ http.ResponseWriter, r *http.Request) (any, error) {
	n, err := a.Dev.Jobs.RunDue(r.Context())
	return map[string]int{"done": n}, err
}
