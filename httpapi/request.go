package httpapi

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"hash"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/google/uuid"

	"zurnals/domain/access"
	"zurnals/internal/sessions"
	"zurnals/internal/texts"
)

// A request is what is known of one request while it is served.
type request struct {
	id       string
	language texts.Language
	address  netip.Addr // of the client

	api   *API
	r     *http.Request
	w     http.ResponseWriter
	route *route // nil outside the API

	by      access.Actor
	about   uuid.UUID        // the account whose secret was tried: told to auditors, never to who asks
	session sessions.Session // zero without one

	body hash.Hash // of the body as far as it was read; nil if nobody needs it
}

type requestKey struct{}

// asked returns the request that a context belongs to.
func asked(ctx context.Context) *request {
	q, _ := ctx.Value(requestKey{}).(*request)
	return q
}

// begin is what happens first and last with every request: it gets an id, it
// is measured and logged, and a panic becomes a problem.
func (a *API) begin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := &request{
			id: uuid.Must(uuid.NewV7()).String(), api: a,
			language: texts.Choose(r.Header.Get("Accept-Language")),
			address:  a.client(r),
		}
		ww := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
		q.w, q.r = ww, r.WithContext(context.WithValue(r.Context(), requestKey{}, q))
		ww.Header().Set("Zurnals-Request", q.id)
		started := time.Now() // of the machine: how long it took, not when it was
		defer func() {
			if p := recover(); p != nil {
				if p == http.ErrAbortHandler { //nolint:errorlint // net/http compares it too
					panic(p)
				}
				a.Log.ErrorContext(q.r.Context(), "panic", "request", q.id, "route", q.pattern(), "panic", p, "stack", string(debug.Stack()))
				if ww.Status() == 0 {
					a.write(ww, newProblem(q, errInternal))
				}
			}
			a.end(q, ww, time.Since(started))
		}()
		if err := readable(r.URL); err != nil {
			a.refuse(ww, q.r, err)
			return
		}
		next.ServeHTTP(ww, q.r)
	})
}

// readable refuses a URL that is written wrongly, or holds the character zero:
// no name of ours does, and the database would stumble over it.
func readable(u *url.URL) error {
	query, err := url.QueryUnescape(u.RawQuery)
	switch {
	case strings.ContainsRune(u.Path, 0):
		return errNoRoute
	case err != nil || strings.ContainsRune(query, 0):
		return errInvalid
	}
	return nil
}

// end logs and measures. The path is never logged: tokens are in it.
func (a *API) end(q *request, w middleware.WrapResponseWriter, took time.Duration) {
	status := w.Status()
	if status == 0 {
		status = http.StatusOK
	}
	pattern := q.pattern()
	a.metrics.observe(q.r.Method, pattern, status, took)
	a.Log.LogAttrs(q.r.Context(), slog.LevelInfo, "request",
		slog.String("request", q.id), slog.String("method", method(q.r.Method)), slog.String("route", pattern),
		slog.Int("status", status), slog.Int("bytes", w.BytesWritten()), slog.Duration("took", took))
}

// pattern returns the route that matched, such as /api/v1/schools/{school}.
func (q *request) pattern() string {
	if c := chi.RouteContext(q.r.Context()); c != nil {
		if p := c.RoutePattern(); p != "" && !strings.HasSuffix(p, "*") {
			return p
		}
	}
	return "none"
}

// method returns a method that may stand in a log.
func method(m string) string {
	if slices.Contains([]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}, m) {
		return m
	}
	return "other"
}

// client returns the network address of who asks. What a proxy says of it is
// believed only of a proxy that was named: from the end of X-Forwarded-For, the
// first address that is not one of ours.
func (a *API) client(r *http.Request) netip.Addr {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	addr, _ := netip.ParseAddr(host)
	addr = addr.Unmap()
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && a.isProxy(addr); i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		addr = hop.Unmap()
	}
	return addr
}

func (a *API) isProxy(addr netip.Addr) bool {
	return slices.ContainsFunc(a.Proxies, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// addressHash returns what is kept of the client's address.
func (q *request) addressHash() []byte {
	h := hmac.New(sha256.New, q.api.HashKey)
	h.Write([]byte("address"))
	h.Write(q.address.AsSlice())
	return h.Sum(nil)[:16]
}

// secure sets headers that keep browsers from doing foolish things.
func secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer") // tokens are in our paths
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// sameOrigin refuses requests that a page of another site sends with the
// cookies of this one.
func (a *API) sameOrigin(next http.Handler) http.Handler {
	c := http.NewCrossOriginProtection()
	if u, err := url.Parse(a.PublicURL); err == nil && u.Host != "" {
		// A proxy in front may ask under another host name.
		if err := c.AddTrustedOrigin(u.Scheme + "://" + u.Host); err != nil {
			panic("public URL: " + err.Error())
		}
	}
	c.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { a.refuse(w, r, errCrossOrigin) }))
	return c.Handler(next)
}
