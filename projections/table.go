package projections

import (
	"context"
	"iter"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
)

// A Set is the tables of one projection in one runner.
type Set struct {
	schema string
	whole  bool // what is not in memory does not exist: a rebuild
	tables []table
}

// table is what the runners need of a Table.
type table interface {
	title() string
	size() int
	loads() []statement
	rewind()
	writes() []statement
	forget()
	copy(context.Context, *pgconn.PgConn) (int64, error)
	sample(most int) (read statement, check func() error)
}

func (s *Set) forget() {
	for _, t := range s.tables {
		t.forget()
	}
}

// size returns how many rows are in memory.
func (s *Set) size() (n int) {
	for _, t := range s.tables {
		n += t.size()
	}
	return n
}

// A Table is one table of a read model as a fold sees it: rows by key.
//
// A fold need not say beforehand which rows it will want. What it asks for and
// is not in memory is answered "absent" and noted; the page is then a rehearsal
// only, and is folded again with the rows there. See runner.
//
// Rows are comparable, so that they hold no slices or maps: a row that was got
// is a copy, and changing it changes nothing until it is put.
type Table[K, R comparable] struct {
	short string
	name  string // with the schema
	cols  []Column
	keys  []Column // the first of cols
	key   K        // what cols point into
	row   R

	whole   bool
	rows    map[K]*entry[R]
	spare   []entry[R]
	asked   []K // rows to load
	changed []K // rows to write, in the order of first change
	groups  []grouping[K]
}

// An entry is a row as the database has it and as the fold has left it.
type entry[R comparable] struct {
	was, now        R
	existed, exists bool
	known           bool // was and existed are the truth
	asked           bool // they soon will be
	changed         bool
}

// NewTable adds a table to s. The two functions list its columns, each with
// the field of the key or of the row that it is. They are called once. That
// every field has a column is checked by projectiontest.
func NewTable[K, R comparable](s *Set, name string, key func(*K) []Column, row func(*R) []Column) *Table[K, R] {
	t := &Table[K, R]{short: name, name: name, whole: s.whole}
	if s.schema != "" {
		t.name = s.schema + "." + name
	}
	t.keys = key(&t.key)
	t.cols = append(t.keys[:len(t.keys):len(t.keys)], row(&t.row)...)
	t.forget()
	s.tables = append(s.tables, t)
	return t
}

// Get returns the row with that key, and whether there is one.
func (t *Table[K, R]) Get(k K) (R, bool) {
	e, ok := t.rows[k]
	if !ok {
		if t.whole {
			return *new(R), false
		}
		e = t.entry(k)
	}
	if !e.known && !e.changed && !e.asked {
		e.asked = true
		t.asked = append(t.asked, k)
	}
	return e.now, e.exists
}

// Put writes the row with that key, whether or not there was one.
func (t *Table[K, R]) Put(k K, r R) {
	e := t.change(k)
	e.now, e.exists = r, true
}

// Delete removes the row with that key, if there is one.
func (t *Table[K, R]) Delete(k K) {
	e := t.change(k)
	e.now, e.exists = *new(R), false
}

// All returns the rows in memory: after Fold, all there are. Not for handlers.
func (t *Table[K, R]) All() iter.Seq2[K, R] {
	return func(yield func(K, R) bool) {
		for _, k := range t.changed {
			if e := t.rows[k]; e.exists && !yield(k, e.now) {
				return
			}
		}
	}
}

// Kept returns a key and a row as the columns keep them: a field that comes
// back as zero has no column.
func (t *Table[K, R]) Kept(k K, r R) (K, R) {
	t.key, t.row = k, r
	var values [][]byte
	for _, c := range t.cols {
		values = append(values, c.put(nil))
	}
	t.key, t.row = *new(K), *new(R)
	for i, c := range t.cols {
		if v := values[i]; be.Uint32(v) == null {
			c.get(nil)
		} else {
			c.get(v[4:])
		}
	}
	return t.key, t.row
}

func (t *Table[K, R]) title() string { return t.short }
func (t *Table[K, R]) size() int     { return len(t.rows) }

func (t *Table[K, R]) change(k K) *entry[R] {
	e, ok := t.rows[k]
	if !ok {
		e = t.entry(k)
		e.known = t.whole
	}
	if !e.changed {
		e.changed = true
		t.changed = append(t.changed, k)
	}
	return e
}

func (t *Table[K, R]) entry(k K) *entry[R] {
	if len(t.spare) == 0 {
		t.spare = make([]entry[R], min(256, 1+len(t.rows)))
	}
	e := &t.spare[0]
	t.spare = t.spare[1:]
	t.rows[k] = e
	for _, g := range t.groups {
		g.add(k)
	}
	return e
}

func (t *Table[K, R]) forget() {
	t.rows, t.changed, t.asked = make(map[K]*entry[R]), nil, nil
	for _, g := range t.groups {
		g.forget()
	}
}

// grouping is what a Table needs of its Groups.
type grouping[K any] interface {
	add(K)
	forget()
	wanted() (column string, ids []uuid.UUID)
}

// A Group finds rows of a table by one column of the key.
type Group[G ~struct{ uuid.UUID }, K, R comparable] struct {
	table   *Table[K, R]
	column  string
	of      func(K) G
	members map[uuid.UUID][]K // of the rows in memory
	known   map[uuid.UUID]bool
	asked   []uuid.UUID
}

// GroupBy makes a Group of the rows of t. The column leads the primary key or
// an index, since the live runner looks rows up by it.
func GroupBy[G ~struct{ uuid.UUID }, K, R comparable](t *Table[K, R], column string, of func(K) G) *Group[G, K, R] {
	g := &Group[G, K, R]{table: t, column: column, of: of}
	t.groups = append(t.groups, g)
	t.forget()
	return g
}

// Of returns the rows of one group, in no order that a fold may rely on.
func (g *Group[G, K, R]) Of(group G) iter.Seq2[K, R] {
	id := struct{ uuid.UUID }(group).UUID
	if !g.table.whole && !g.known[id] {
		g.known[id] = true
		g.asked = append(g.asked, id)
	}
	return func(yield func(K, R) bool) {
		for _, k := range g.members[id] {
			if e := g.table.rows[k]; e.exists && !yield(k, e.now) {
				return
			}
		}
	}
}

func (g *Group[G, K, R]) add(k K) {
	id := struct{ uuid.UUID }(g.of(k)).UUID
	g.members[id] = append(g.members[id], k)
}

func (g *Group[G, K, R]) forget() {
	g.members, g.known, g.asked = make(map[uuid.UUID][]K), make(map[uuid.UUID]bool), nil
}

func (g *Group[G, K, R]) wanted() (string, []uuid.UUID) {
	ids := g.asked
	g.asked = nil
	return g.column, ids
}
