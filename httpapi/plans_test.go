package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"zurnals/internal/embedpg"
	"zurnals/internal/pgtest"
)

// A statement is what the program sent to the database, once of each kind.
type statement struct {
	sql  string
	args []any
	of   string // the request that sent it first; empty: none
}

// A tracer keeps the statements that the program sends.
type tracer struct {
	mu  sync.Mutex
	all map[string]statement
}

func (t *tracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	t.keep(ctx, q.SQL, q.Args)
	return ctx
}
func (t *tracer) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func (t *tracer) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return ctx
}
func (t *tracer) TraceBatchQuery(ctx context.Context, _ *pgx.Conn, q pgx.TraceBatchQueryData) {
	t.keep(ctx, q.SQL, q.Args)
}
func (t *tracer) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

// keep keeps a statement. What a request sends counts above what is sent
// without one.
func (t *tracer) keep(ctx context.Context, sql string, args []any) {
	of := ""
	if q := asked(ctx); q != nil {
		of = q.r.Method + " " + q.pattern()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if had, ok := t.all[sql]; !ok || had.of == "" && of != "" {
		t.all[sql] = statement{sql, slices.Clone(args), of}
	}
}

// An eavesdropper hears the plans that PostgreSQL tells of what it does, also of
// what functions do. It is the server's own auto_explain that tells.
type eavesdropper struct {
	mu    sync.Mutex
	hears bool
	heard map[string]node // by statement
	fault error
}

// ask has PostgreSQL tell the application its plans, from its next connections on.
func (e *eavesdropper) ask(t *testing.T, super *pgxpool.Pool, database string) {
	t.Helper()
	for _, setting := range []string{
		"session_preload_libraries = 'auto_explain'", "auto_explain.log_min_duration = 0", "auto_explain.log_nested_statements = on",
		"auto_explain.log_format = 'json'", "auto_explain.log_verbose = on", "auto_explain.log_level = 'notice'",
	} {
		if _, err := super.Exec(t.Context(), "LOAD 'auto_explain'"); err != nil {
			t.Fatal(err)
		}
		if _, err := super.Exec(t.Context(), "ALTER ROLE "+embedpg.App+" IN DATABASE "+database+" SET "+setting); err != nil {
			t.Fatal(err)
		}
	}
}

func (e *eavesdropper) notice(_ *pgconn.PgConn, n *pgconn.Notice) {
	_, plan, ok := strings.Cut(n.Message, "plan:\n")
	e.mu.Lock()
	defer e.mu.Unlock()
	if !ok || !e.hears {
		return
	}
	var told struct {
		Query string `json:"Query Text"`
		Plan  node
	}
	if err := json.Unmarshal([]byte(plan), &told); err != nil {
		e.fault = fmt.Errorf("%w in %s", err, plan)
	}
	e.heard[told.Query] = told.Plan
}

// listen hears what f has the server do.
func (e *eavesdropper) listen(f func()) map[string]node {
	e.mu.Lock()
	e.hears, e.heard = true, make(map[string]node)
	e.mu.Unlock()
	f()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.hears = false
	return e.heard
}

// planned are the statements that have a plan.
var planned = regexp.MustCompile(`(?i)^\s*(SELECT|WITH|INSERT|UPDATE|DELETE)\b`)

// unindexed are the statements that may read a large table as a whole, by a
// part of their text, each with its reason.
var unindexed = map[string]string{
	"hashtextextended(t::text, 0)": "a rebuild compares old and new tables, all of both",
	"LIMIT $2) AS found":           "ends as soon as it has found many; when few are to be found it uses the index",
}

// filtered are requests for lists beside those of the matrix: each filter is a
// statement of its own, and so is each next page.
var filtered = []string{
	"GET /schools/{school}/users?role_held=administrator", "GET /schools/{school}/users?role_held=none&state=invited&q=liep",
	"GET /schools/{school}/users?q=a&state=registered", "GET /schools/{school}/users?state=link_expired&limit=1",
	"GET /municipalities/{municipality}/users?schools=true&limit=1", "GET /municipalities/{municipality}/users?schools=true&q=paraudz&limit=1",
	"GET /municipalities/{municipality}/users?schools=true&role_held=administrator&limit=1", "GET /municipalities/{municipality}/users?schools=true&role_held=management",
	"GET /municipalities/{municipality}/users?schools=true&role_held=support", "GET /municipalities/{municipality}/users?schools=true&role_held=class_teacher",
	"GET /municipalities/{municipality}/users?schools=true&state=invited", "GET /municipalities/{municipality}/users?limit=1",
	"GET /municipalities/{municipality}/user-export?schools=true&q=paraudz",
	"GET /schools/{school}/user-imports?limit=1", "GET /municipalities?q=nov&limit=1", "GET /municipalities/{municipality}/schools?q=skol&limit=1",
	"GET /schools/{school}/students?q=skol&limit=1", "GET /schools/{school}/registers?limit=1", "GET /schools/{school}/roster-syncs?limit=1",
	"GET /schools/{school}/performance?q=skol&limit=1", "GET /schools/{school}/performance?class={class}&school_year={year}&limit=1",
	"GET /schools/{school}/surveys?q=ank&limit=1", "GET /surveys/{survey}/codes?limit=1", "GET /surveys/{survey}/codes?class={class}", "GET /surveys/{survey}/answers?limit=1",
	"GET /registers/{register}/sessions?limit=1", "GET /security-log?limit=1", "GET /audit/events?limit=1", "GET /audit/accounts/{member}/events?limit=1",
}

// Every route is asked once, by somebody who may. Then the database is filled:
// each row of each table becomes many, of which only ids and keys differ. No
// statement that the program has sent may be planned to read a large table as a
// whole; and when every route is asked again, no plan that is really used does,
// those within functions of the database among them.
func TestNoQueryWithoutAnIndex(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	cfg, err := pgxpool.ParseConfig(db.DSN(embedpg.App))
	if err != nil {
		t.Fatal(err)
	}
	sent, told := &tracer{all: make(map[string]statement)}, new(eavesdropper)
	cfg.MaxConns, cfg.ConnConfig.Tracer, cfg.ConnConfig.OnNotice = 8, sent, told.notice
	super := db.Pool(t, embedpg.Superuser, 2)
	told.ask(t, super, db.Name)
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	m := newMatrixOn(t, pool)
	m.api.Proofs, m.api.Reactions.(*kept).letters = m.proofs, nil // the real ones
	m.seal()
	m.everyRoute(func(Route) bool { return true })

	p := plans{t: t}
	if p.conn, err = super.Acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer p.conn.Release()
	began := time.Now()
	p.fill()
	filled := time.Now()

	sent.mu.Lock()
	all := maps.Clone(sent.all)
	sent.mu.Unlock()
	used := make(map[string]bool)
	for _, sql := range slices.Sorted(maps.Keys(all)) {
		st := all[sql]
		if !planned.MatchString(sql) || p.excepted(sql, used) {
			continue
		}
		if scans := p.scans(st); len(scans) > 0 {
			t.Errorf("%s reads %s as a whole:\n%s", whence(st), strings.Join(scans, ", "), sql)
		}
	}
	explained := time.Now()
	heard := told.listen(func() {
		m.everyRoute(func(r Route) bool { // but not what is done once, nor what makes tables anew: those are small
			return r.ID != "self-record" && r.ID != "sign-in-with-code" && !strings.HasPrefix(r.Path, prefix+"/ops/projections/")
		})
	})
	if told.fault != nil {
		t.Error(told.fault)
	}
	within := 0
	for sql, plan := range heard {
		if _, ok := all[sql]; !ok {
			within++
		}
		if scans := p.whole(plan); len(scans) > 0 && !p.excepted(sql, used) {
			t.Errorf("the database read %s as a whole:\n%s", strings.Join(scans, ", "), sql)
		}
	}
	for part, why := range unindexed {
		if !used[part] {
			t.Errorf("no statement has %q (%s): take the exception away", part, why)
		}
	}
	if within == 0 {
		t.Error("nothing was heard of what functions do")
	}
	t.Logf("%d statements, %d plans heard, %d of them within functions; %d tables filled in %v, plans in %v, heard in %v", len(all), len(heard), within, len(p.large),
		filled.Sub(began).Round(time.Millisecond), explained.Sub(filled).Round(time.Millisecond), time.Since(explained).Round(time.Millisecond))
}

// excepted says whether a statement may do as it likes, and notes why.
func (p *plans) excepted(sql string, used map[string]bool) (found bool) {
	for part := range unindexed {
		if strings.Contains(sql, part) {
			used[part], found = true, true
		}
	}
	return found
}

func whence(st statement) string {
	if st.of == "" {
		return "the server by itself"
	}
	return st.of
}

// everyRoute asks all cells of some routes at home, and the lists with filters.
func (m *matrix) everyRoute(wanted func(Route) bool) {
	m.t.Helper()
	cells := m.all()
	for _, r := range m.api.Routes() {
		if !wanted(r) {
			continue
		}
		c := cells[r.ID]
		as := whoMay(r, c)
		m.api.buckets.paid = nil                 // it is not about how often
		if c.answer != "" && as == "departing" { // a refusal that depends on who asks
			as = "nobody"
		}
		if as == "departing" {
			leaver(m)
		}
		m.ask(as, "home", c, http.StatusOK)
	}
	m.at("home")
	for _, ask := range filtered {
		for cursor := ""; ; {
			var page struct{ Next string }
			path := ask
			if cursor != "" {
				path += "&cursor=" + cursor
			}
			_, asked, _ := strings.Cut(ask, " ")
			as := map[bool]string{true: "town", false: "admin"}[strings.HasPrefix(asked, "/municipalities")]
			switch {
			case strings.HasPrefix(asked, "/security-log"), strings.HasPrefix(asked, "/audit"):
				as = "auditora"
			case strings.HasPrefix(asked, "/registers"):
				as = "instructor"
			case strings.HasSuffix(asked, "/answers?limit=1"):
				as = "support"
			case strings.Contains(asked, "/performance?"):
				as = "support"
			case strings.HasPrefix(asked, "/municipalities?"):
				as = "platform"
			case strings.Contains(asked, "/registers?"):
				as = "teacher"
			}
			a := m.send(step{as: as, ask: path, headers: []string{"Zurnals-Role: " + m.names[as+"/assignment"]}}, 0)
			if a.Code != http.StatusOK {
				m.t.Fatalf("%s: %d %s", path, a.Code, a.Body)
			}
			if a.Header().Get("Content-Type") == kindXLSX {
				break
			}
			m.must(json.Unmarshal(a.Body.Bytes(), &page))
			if cursor != "" || page.Next == "" {
				break
			}
			cursor = page.Next
		}
	}
}

// plans looks at what the database means to do.
type plans struct {
	t     *testing.T
	conn  *pgxpool.Conn
	large map[string]bool
}

func (p *plans) exec(sql string, args ...any) {
	p.t.Helper()
	if _, err := p.conn.Exec(p.t.Context(), sql, args...); err != nil {
		p.t.Fatalf("%v\n%s", err, sql)
	}
}

// rowsWanted is how many rows a table has at least when it is large.
const rowsWanted = 6_000

// fill makes of each row many, each time with other ids: uuids, and whatever a
// unique index needs to be different. So what belongs together still does.
func (p *plans) fill() {
	p.t.Helper()
	ctx := p.t.Context()
	p.exec("SET session_replication_role = replica; SET synchronous_commit = off")
	p.large = make(map[string]bool)
	rows, err := p.conn.Query(ctx, `
		SELECT c.oid::regclass::text, array_agg(quote_ident(a.attname) ORDER BY a.attnum), array_agg(t.typname::text ORDER BY a.attnum), array_agg(EXISTS (
		    SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisunique AND a.attnum = ANY (i.indkey)) ORDER BY a.attnum), array_agg(a.attnotnull ORDER BY a.attnum)
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
		JOIN pg_type t ON t.oid = a.atttypid
		WHERE (c.relkind = 'r' AND NOT c.relispartition OR c.relkind = 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'public')
		GROUP BY c.oid ORDER BY 1`)
	if err != nil {
		p.t.Fatal(err)
	}
	type table struct {
		name             string
		columns, types   []string
		unique, required []bool
	}
	var t table
	var tables []table
	if _, err := pgx.ForEachRow(rows, []any{&t.name, &t.columns, &t.types, &t.unique, &t.required}, func() error {
		tables = append(tables, t)
		t = table{}
		return nil
	}); err != nil {
		p.t.Fatal(err)
	}
	for _, t := range tables {
		if small[t.name] != "" {
			continue
		}
		var n int
		if err := p.conn.QueryRow(ctx, "SELECT count(*) FROM "+t.name).Scan(&n); err != nil {
			p.t.Fatal(err)
		}
		from, times := t.name+", ", rowsWanted/max(1, n)+1
		var columns, values []string
		for i, column := range t.columns {
			value := column
			if n == 0 { // nothing that the requests do leaves a row there
				if from, value = "", blank[t.types[i]]; value == "" || !t.required[i] {
					continue
				}
			}
			columns, values = append(columns, column), append(values, copyOf(value, t.types[i], t.unique[i]))
		}
		p.exec(fmt.Sprintf("INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM %sgenerate_series(1, %d) AS g",
			t.name, strings.Join(columns, ", "), strings.Join(values, ", "), from, times))
		p.exec("ANALYZE " + t.name)
		p.large[t.name] = true
	}
	rows, err = p.conn.Query(ctx, "SELECT c.oid::regclass::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE c.relkind = 'r' AND c.reltuples > 1000")
	if err != nil {
		p.t.Fatal(err)
	}
	var partition string
	if _, err := pgx.ForEachRow(rows, []any{&partition}, func() error { p.large[partition] = true; return nil }); err != nil {
		p.t.Fatal(err)
	}
}

// blank are values for tables that are empty, by type.
var blank = map[string]string{
	"uuid": "'00000000-0000-7000-8000-000000000001'::uuid", "text": "'x'::text", "int8": "1", "int4": "1", "int2": "1", "bool": "false", "date": "date '2025-09-01'",
	"timestamptz": "timestamptz '2025-09-01 05:00Z'", "bytea": "sha256('x')", "jsonb": "'{}'::jsonb", "_text": "'{}'::text[]", "varchar": "'x'::varchar", "_varchar": "'{}'::varchar[]",
}

// small are the tables that stay as they are, with the reason.
var small = map[string]string{
	"jobs.river_leader": "one row", "jobs.river_queue": "a row for each queue", "web.dev_clock": "one row",
	"es.mark": "swept every minute", "es.gate": "one row", "es.layout": "one row", "es.master": "one row",
	"projection.checkpoint": "a row for each read model", "projection.node": "a row for each server", "projection.build": "a row for each rebuild under way",
	"reaction.offset": "a row for each reaction", "reaction.settled": "decisions of operators, one by one",
}

// copyOf returns the value of a column in the g-th copy of a row.
func copyOf(column, typ string, unique bool) string {
	switch {
	case typ == "uuid":
		return "md5(" + column + "::text || g)::uuid"
	case typ == "bytea" && unique:
		return "sha256(" + column + " || g::text::bytea)"
	case typ == "text" && (unique || column == "stream"):
		return column + " || '~' || g"
	case (typ == "int8" || typ == "int4") && unique:
		return column + " + g * 100000"
	}
	return column
}

// A node is a step of a plan, as EXPLAIN tells it.
type node struct {
	Kind      string  `json:"Node Type"`
	Schema    string  `json:"Schema"`
	Table     string  `json:"Relation Name"`
	Index     string  `json:"Index Name"`
	Condition string  `json:"Index Cond"`
	Rows      float64 `json:"Plan Rows"`
	Plans     []node
}

// scans returns what a statement means to read as a whole.
func (p *plans) scans(st statement) (found []string) {
	p.t.Helper()
	var raw []byte
	if err := p.conn.QueryRow(p.t.Context(), "EXPLAIN (FORMAT JSON, VERBOSE) "+st.sql, st.args...).Scan(&raw); err != nil {
		p.t.Errorf("%s: %v\n%s", whence(st), err, st.sql)
		return nil
	}
	var explained []struct{ Plan node }
	if err := json.Unmarshal(raw, &explained); err != nil {
		p.t.Fatal(err)
	}
	for _, e := range explained {
		found = append(found, p.whole(e.Plan)...)
	}
	return found
}

// whole returns what a plan reads as a whole.
func (p *plans) whole(plan node) (found []string) {
	var look func(n node, limited bool)
	look = func(n node, limited bool) {
		name := n.Schema + "." + n.Table
		if n.Kind == "Seq Scan" && p.large[name] {
			found = append(found, name)
		}
		if (n.Kind == "Index Scan" || n.Kind == "Index Only Scan") && n.Condition == "" && !limited && p.large[name] {
			found = append(found, name+" by "+n.Index)
		}
		for _, below := range n.Plans {
			look(below, limited || n.Kind == "Limit")
		}
	}
	look(plan, false)
	return found
}
