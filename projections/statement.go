package projections

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5/pgconn"
)

// A statement is sent to Postgres together with others.
type statement struct {
	sql  string
	args [][]byte              // binary
	take func(values [][]byte) // a row of the answer
}

// send sends statements in one round trip.
func send(ctx context.Context, conn *pgconn.PgConn, all []statement) (err error) {
	binary := []int16{1}
	p := conn.StartPipeline(ctx)
	defer func() {
		if e := p.Close(); err == nil {
			err = e
		}
	}()
	for _, s := range all {
		p.SendQueryParams(s.sql, s.args, nil, binary[:min(1, len(s.args))], binary)
	}
	if err := p.Sync(); err != nil {
		return err
	}
	for _, s := range all {
		r, err := p.GetResults()
		if err != nil {
			return err
		}
		answer, ok := r.(*pgconn.ResultReader)
		if !ok {
			return fmt.Errorf("postgres answers %T to %s", r, s.sql)
		}
		for answer.NextRow() {
			if s.take != nil {
				s.take(answer.Values())
			}
		}
		if _, err := answer.Close(); err != nil {
			return err
		}
	}
	return nil
}

// script runs statements without parameters.
func script(ctx context.Context, conn *pgconn.PgConn, sql string) error {
	_, err := conn.Exec(ctx, sql).ReadAll()
	return err
}

func bigint(n int64) []byte  { return be.AppendUint64(nil, uint64(n)) }
func integer(b []byte) int64 { return int64(be.Uint64(b)) }

// loads returns the statements that answer what a rehearsal has asked.
func (t *Table[K, R]) loads() (all []statement) {
	if len(t.asked) > 0 {
		all = append(all, statement{
			sql: fmt.Sprintf("SELECT %s FROM %s AS t JOIN unnest(%s) AS k(%s) USING (%[4]s)",
				list(t.cols, "t.$"), t.name, list(t.keys, "#"), list(t.keys, "$")),
			args: t.arrays(t.keys, t.asked),
			take: t.take,
		})
		for _, k := range t.asked {
			t.rows[k].known = true // absent, unless the answer has it
		}
		t.asked = t.asked[:0]
	}
	for _, g := range t.groups {
		column, wanted := g.wanted()
		if len(wanted) == 0 {
			continue
		}
		ids := array(2950, len(wanted))
		for _, id := range wanted {
			ids = append(be.AppendUint32(ids, 16), id[:]...)
		}
		all = append(all, statement{
			sql:  fmt.Sprintf("SELECT %s FROM %s AS t WHERE %s = any($1::uuid[])", list(t.cols, "t.$"), t.name, column),
			args: [][]byte{ids},
			take: t.take,
		})
	}
	return all
}

// take reads a row that was loaded.
func (t *Table[K, R]) take(values [][]byte) {
	for i, c := range t.cols {
		c.get(values[i])
	}
	e, ok := t.rows[t.key]
	if !ok {
		e = t.entry(t.key)
	}
	e.was, e.existed, e.known = t.row, true, true
	e.now, e.exists = t.row, true
}

// rewind takes the page back, so that it can be folded again.
func (t *Table[K, R]) rewind() {
	for _, k := range t.changed {
		e := t.rows[k]
		e.now, e.exists, e.changed = e.was, e.existed, false
	}
	t.changed = t.changed[:0]
}

// writes returns the statements that bring the page into the table: one for
// all rows put and one for all rows deleted. A row that is as it was is left.
func (t *Table[K, R]) writes() (all []statement) {
	var put, gone []K
	for _, k := range t.changed {
		switch e := t.rows[k]; {
		case e.known && e.exists == e.existed && e.now == e.was:
		case e.exists:
			put = append(put, k)
		default:
			gone = append(gone, k)
		}
	}
	if len(put) > 0 {
		do := "NOTHING"
		if rest := t.cols[len(t.keys):]; len(rest) > 0 {
			do = "UPDATE SET " + list(rest, "$ = excluded.$")
		}
		all = append(all, statement{
			sql: fmt.Sprintf("INSERT INTO %s (%s) SELECT * FROM unnest(%s) ON CONFLICT (%s) DO %s",
				t.name, list(t.cols, "$"), list(t.cols, "#"), list(t.keys, "$"), do),
			args: t.arrays(t.cols, put),
		})
	}
	if len(gone) > 0 {
		all = append(all, statement{
			sql:  fmt.Sprintf("DELETE FROM %s WHERE (%s) IN (SELECT * FROM unnest(%s))", t.name, list(t.keys, "$"), list(t.keys, "#")),
			args: t.arrays(t.keys, gone),
		})
	}
	return all
}

// arrays returns the values that cols have in the rows with the given keys.
func (t *Table[K, R]) arrays(cols []Column, keys []K) [][]byte {
	args := make([][]byte, len(cols))
	for i, c := range cols {
		args[i] = array(c.oid, len(keys))
	}
	for _, k := range keys {
		t.key, t.row = k, t.rows[k].now
		for i := range cols {
			args[i] = cols[i].put(args[i])
		}
	}
	return args
}

// sample returns a statement that reads some of the rows in memory back, by key
// as the live runner does, and what then says whether they are the same.
func (t *Table[K, R]) sample(most int) (read statement, check func() error) {
	var keys []K
	for i := 0; i < len(t.changed); i += 1 + len(t.changed)/most {
		if k := t.changed[i]; t.rows[k].exists {
			keys = append(keys, k)
		}
	}
	encoded := func() (b []byte) {
		for i := range t.cols {
			b = t.cols[i].put(b)
		}
		return b
	}
	right, wrong := 0, *new(K)
	read = statement{
		sql: fmt.Sprintf("SELECT %s FROM %s AS t JOIN unnest(%s) AS k(%s) USING (%[4]s)",
			list(t.cols, "t.$"), t.name, list(t.keys, "#"), list(t.keys, "$")),
		args: t.arrays(t.keys, keys),
		take: func(values [][]byte) {
			for i, c := range t.cols {
				c.get(values[i])
			}
			stored, e := encoded(), t.rows[t.key]
			if e == nil {
				return
			}
			if t.row = e.now; bytes.Equal(stored, encoded()) {
				right++
			} else {
				wrong = t.key
			}
		},
	}
	return read, func() error {
		if right == len(keys) {
			return nil
		}
		return fmt.Errorf("table %s: of %d rows read back, %d are as they are folded; not %v", t.short, len(keys), right, wrong)
	}
}

// copy fills the empty table with all rows. The table was made in the same
// transaction, so that the rows need no later vacuum (FREEZE).
func (t *Table[K, R]) copy(ctx context.Context, conn *pgconn.PgConn) (int64, error) {
	r, w := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.CloseWithError(t.encode(bufio.NewWriterSize(w, 1<<18)))
	}()
	tag, err := conn.CopyFrom(ctx, r, fmt.Sprintf("COPY %s (%s) FROM STDIN (FORMAT binary, FREEZE)", t.name, list(t.cols, "$")))
	r.CloseWithError(io.ErrClosedPipe) // if COPY failed, the encoder stops
	<-done
	return tag.RowsAffected(), err
}

func (t *Table[K, R]) encode(out *bufio.Writer) (err error) {
	defer func() {
		if r := recover(); r != nil { // a column that cannot hold its value
			err = fmt.Errorf("table %s, key %v: %v", t.short, t.key, r)
		}
	}()
	out.WriteString("PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00")
	var buf []byte
	for _, k := range t.changed {
		e := t.rows[k]
		if !e.exists {
			continue
		}
		buf = be.AppendUint16(buf[:0], uint16(len(t.cols)))
		t.key, t.row = k, e.now
		for i := range t.cols {
			buf = t.cols[i].put(buf)
		}
		if _, err := out.Write(buf); err != nil {
			return err
		}
	}
	out.WriteString("\xff\xff")
	return out.Flush()
}
