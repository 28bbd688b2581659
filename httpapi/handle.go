package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"zurnals/commands"
	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/projections"
)

// A route is one thing that can be asked.
type route struct {
	id      string // unique, in words with hyphens
	method  string
	path    string // below the prefix
	summary string
	about   string // more than fits into the summary
	tag     string // group in the documentation; the first word of the path if empty

	// permission says who may ask, and with it in which realm they are signed
	// in, whether they are at all, and whether in a role.
	permission access.Permission

	status   int      // of success; 200, or 204 where nothing is answered
	maxBody  int64    // bytes; 1 MiB if zero
	produces []string // content types of the answer besides JSON
	limit    limit    // how often; zero for as often as one likes

	asker asker // follows from permission
}

// An asker is what a permission says of those who ask.
type asker struct {
	anonymous, token, staff, learner bool
	role                             bool // in a role
}

func askerOf(p access.Permission) (who asker) {
	for _, r := range access.Holders(p) {
		switch {
		case r == access.Anonymous:
			who.anonymous = true
		case r == access.Token:
			who.token = true
		case r == access.Learner:
			who.learner = true
		case r == access.Self:
			who.staff = true
		case slices.Contains(access.Assignable, r):
			who.staff, who.role = true, true
		}
	}
	if slices.Contains(access.Holders(p), access.Self) {
		who.role = false // everybody may, about the own things
	}
	return who
}

// open says that nobody needs to be signed in.
func (w asker) open() bool { return w.anonymous || w.token }

// handle adds a route. In and Out are huma's structs of inputs and outputs; a
// nil *Out is answered by an empty Out.
//
// What f gets is allowed to ask at all, not yet to get the answer: f goes
// through one of the doors that ask for a Need.
func handle[In, Out any](a *API, rt route, f func(context.Context, access.Actor, *In) (*Out, error)) {
	a.declare(&rt)
	op := rt.operation()
	op.Middlewares = huma.Middlewares{a.admit(&rt)}
	huma.Register(a.huma, op, func(ctx context.Context, in *In) (*Out, error) {
		q := asked(ctx)
		ctx, outcome := commands.WithOutcome(ctx)
		out, err := f(ctx, q.identified(), in)
		if err != nil {
			return nil, a.problem(q, err)
		}
		if h := q.w.Header(); outcome.Position > 0 {
			h.Set("Zurnals-Position", strconv.FormatInt(outcome.Position, 10))
			if outcome.Repeated {
				h.Set("Zurnals-Repeated", "true")
			}
		}
		if out == nil {
			out = new(Out)
		}
		return out, nil
	})
}

// declare checks what a route says of itself and puts it on the list.
func (a *API) declare(rt *route) {
	rt.asker = askerOf(rt.permission)
	switch {
	case !access.Known(rt.permission):
		panic(fmt.Sprintf("route %s: permission %q is not in the table of rights", rt.id, rt.permission))
	case rt.asker == asker{}:
		panic(fmt.Sprintf("route %s: permission %q is nobody's over HTTP", rt.id, rt.permission))
	case rt.id == "" || rt.summary == "":
		panic(fmt.Sprintf("route %s %s: no id or summary", rt.method, rt.path))
	case slices.ContainsFunc(a.table, func(other route) bool { return other.id == rt.id }):
		panic(fmt.Sprintf("route %s is declared twice", rt.id))
	}
	if rt.maxBody == 0 {
		rt.maxBody = maxJSON
	}
	if rt.tag == "" {
		rt.tag, _, _ = strings.Cut(strings.TrimPrefix(rt.path, "/"), "/")
	}
	a.table = append(a.table, *rt)
}

// operation returns what the OpenAPI document says of a route.
func (rt *route) operation() huma.Operation {
	op := huma.Operation{
		OperationID: rt.id, Method: rt.method, Path: prefix + rt.path,
		Summary: rt.summary, Description: rt.about, Tags: []string{rt.tag},
		DefaultStatus: rt.status,
		MaxBodyBytes:  -1, // admit bounds every body, also those that huma does not
		Extensions: map[string]any{
			"x-permission": string(rt.permission),
			"x-roles":      access.Holders(rt.permission),
		},
	}
	param := func(in, name, doc string) {
		op.Parameters = append(op.Parameters, &huma.Param{In: in, Name: name, Description: doc, Schema: &huma.Schema{Type: huma.TypeString}})
	}
	if rt.asker.staff {
		op.Security = append(op.Security, map[string][]string{"session": {}})
	}
	if rt.asker.learner {
		op.Security = append(op.Security, map[string][]string{"learner": {}})
	}
	if !rt.asker.open() {
		op.Security = append(op.Security, map[string][]string{"bearer": {}})
	}
	if rt.asker.role {
		param("header", "Zurnals-Role", "the role assignment to act in; needed by those who hold several")
		if rt.method == http.MethodGet {
			param("query", "role", "the same, for links")
		}
	}
	if rt.method == http.MethodGet {
		param("header", "Zurnals-Min-Position", "wait until this position of the log is seen")
	}
	if rt.takesKey() {
		param("header", "Idempotency-Key", "8 to 200 characters; the same request under the same key is carried out once, within 7 days")
	}
	return op
}

// takesKey says whether a repeated request is recognised by its key. Whoever
// is not signed in has no keys of their own, and what they are answered is
// secret.
func (rt *route) takesKey() bool { return rt.method == http.MethodPost && !rt.asker.open() }

// admit is all that happens before the request is read by huma: whether it
// comes too often, who asks, and whether its body is one that is taken.
func (a *API) admit(rt *route) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		r, w := humachi.Unwrap(ctx)
		q := asked(r.Context())
		q.route, q.r, q.w = rt, r, w
		inner, err := a.check(q, ctx)
		defer q.tidy()
		if err != nil {
			a.refuse(w, r, err)
			return
		}
		next(huma.WithContext(ctx, inner))
	}
}

func (a *API) check(q *request, ctx huma.Context) (context.Context, error) {
	inner := ctx.Context()
	if err := a.identify(q); err != nil {
		return inner, err
	}
	if err := a.limited(q); err != nil {
		return inner, err
	}
	if err := q.accepts(); err != nil {
		return inner, err
	}
	if err := q.parameters(ctx.Operation()); err != nil {
		return inner, err
	}
	if q.route.takesKey() {
		if err := checkKey(q.r.Header.Values("Idempotency-Key")); err != nil {
			return inner, err
		}
	}
	if s := q.r.Header.Get("Zurnals-Min-Position"); s != "" {
		position, err := strconv.ParseInt(s, 10, 64)
		if err != nil || position < 0 {
			return inner, errPosition
		}
		inner = projections.WithMinPosition(inner, position)
	}
	return inner, q.receive(ctx.Operation())
}

// errPosition refuses a position that is none.
var errPosition = domain.Refuse(domain.Invalid, "position.malformed", "not a position").In("header.Zurnals-Min-Position")

// parameters refuses query parameters that the route does not have: a
// misspelled filter must not show everything.
func (q *request) parameters(op *huma.Operation) error {
	values, err := url.ParseQuery(q.r.URL.RawQuery)
	if err != nil {
		return errInvalid
	}
	var unknown []domain.Detail
	for name := range values {
		if !slices.ContainsFunc(op.Parameters, func(p *huma.Param) bool { return p.In == "query" && p.Name == name }) {
			unknown = append(unknown, domain.Detail{Field: "query." + printable(name), Code: "field.unknown", Text: "there is no such parameter"})
		}
	}
	return q.invalid(unknown)
}

// invalid returns a problem about parts of a request, or nil for none.
func (q *request) invalid(details []domain.Detail) error {
	if len(details) == 0 {
		return nil
	}
	slices.SortFunc(details, func(a, b domain.Detail) int { return strings.Compare(a.Field, b.Field) })
	p := newProblem(q, errInvalid)
	for _, d := range details {
		p.Errors = append(p.Errors, q.part(d))
	}
	return p
}

// printable returns a name that somebody made up in a form that can be shown.
func printable(name string) string {
	if runes := []rune(strings.ToValidUTF8(name, "?")); len(runes) > 100 {
		return string(runes[:100])
	} else {
		return string(runes)
	}
}

// problem returns what is told of an error, and sees to what is ours to know.
func (a *API) problem(q *request, err error) *problem {
	if ours(err) {
		a.Log.ErrorContext(q.r.Context(), "request failed", "request", q.id, "route", q.pattern(), "err", err)
	}
	a.record(q, err)
	return newProblem(q, err)
}

// accepts refuses a client that would not read any answer we have.
func (q *request) accepts() error {
	accept := strings.Join(q.r.Header.Values("Accept"), ",")
	if accept == "" {
		return nil
	}
	for part := range strings.SplitSeq(accept, ",") {
		kind, params, _ := strings.Cut(part, ";")
		kind = strings.ToLower(strings.TrimSpace(kind))
		if strings.HasPrefix(strings.ReplaceAll(params, " ", ""), "q=0") && strings.Trim(params, " q=0.") == "" {
			continue
		}
		for _, have := range append([]string{"application/json"}, q.route.produces...) {
			if kind == "*/*" || kind == have || strings.HasSuffix(kind, "/*") && strings.HasPrefix(have, strings.TrimSuffix(kind, "*")) {
				return nil
			}
		}
	}
	return errNotAcceptable
}
