package projections

import (
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
)

// A Column is one column of a table, bound to the field that holds its value.
// It is written in the binary form of Postgres, which is the same in the array
// of an upsert and in COPY: the live runner and a rebuild cannot differ.
type Column struct {
	name, typ string
	oid       uint32
	put       func([]byte) []byte // appends length and value
	get       func([]byte)        // nil for NULL
}

var be = binary.BigEndian

const null = 1<<32 - 1 // the length of NULL

// Postgres counts time from 2000.
var (
	epoch      = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	epochMicro = epoch.UnixMicro()
	epochDay   = epoch.Unix() / 86400
)

// ColID binds a uuid column to an id. A zero id is NULL.
func ColID[ID ~struct{ uuid.UUID }](name string, id *ID) Column {
	return Column{name, "uuid", 2950,
		func(b []byte) []byte {
			v := struct{ uuid.UUID }(*id)
			if v.UUID == uuid.Nil {
				return be.AppendUint32(b, null)
			}
			return append(be.AppendUint32(b, 16), v.UUID[:]...)
		},
		func(b []byte) {
			var v uuid.UUID
			copy(v[:], b)
			*id = ID{v}
		}}
}

// ColUUID binds a uuid column to an id of no kind. A zero id is NULL.
func ColUUID(name string, id *uuid.UUID) Column {
	return Column{name, "uuid", 2950,
		func(b []byte) []byte {
			if *id == uuid.Nil {
				return be.AppendUint32(b, null)
			}
			return append(be.AppendUint32(b, 16), id[:]...)
		},
		func(b []byte) { *id = uuid.UUID{}; copy(id[:], b) }}
}

// ColText binds a text column. Empty is empty, never NULL.
func ColText[S ~string](name string, s *S) Column {
	return Column{name, "text", 25,
		func(b []byte) []byte { return append(be.AppendUint32(b, uint32(len(*s))), *s...) },
		func(b []byte) { *s = S(b) }}
}

// ColBool binds a boolean column.
func ColBool(name string, v *bool) Column {
	return Column{name, "boolean", 16,
		func(b []byte) []byte {
			if *v {
				return append(b, 0, 0, 0, 1, 1)
			}
			return append(b, 0, 0, 0, 1, 0)
		},
		func(b []byte) { *v = b[0] != 0 }}
}

// ColShort binds a smallint column.
func ColShort[N ~int16](name string, n *N) Column {
	return Column{name, "smallint", 21,
		func(b []byte) []byte { return be.AppendUint16(be.AppendUint32(b, 2), uint16(*n)) },
		func(b []byte) { *n = N(be.Uint16(b)) }}
}

// ColInt binds an integer column.
func ColInt[N ~int32](name string, n *N) Column {
	return Column{name, "integer", 23,
		func(b []byte) []byte { return be.AppendUint32(be.AppendUint32(b, 4), uint32(*n)) },
		func(b []byte) { *n = N(be.Uint32(b)) }}
}

// ColLong binds a bigint column. An int is as wide here.
func ColLong[N ~int64 | ~int](name string, n *N) Column {
	return Column{name, "bigint", 20,
		func(b []byte) []byte { return be.AppendUint64(be.AppendUint32(b, 8), uint64(*n)) },
		func(b []byte) { *n = N(be.Uint64(b)) }}
}

// ColTime binds a timestamptz column; it keeps microseconds, in UTC. A zero
// time is NULL.
func ColTime(name string, t *time.Time) Column {
	return Column{name, "timestamptz", 1184,
		func(b []byte) []byte {
			if t.IsZero() {
				return be.AppendUint32(b, null)
			}
			return be.AppendUint64(be.AppendUint32(b, 8), uint64(t.UnixMicro()-epochMicro))
		},
		func(b []byte) {
			if *t = (time.Time{}); b != nil {
				*t = time.UnixMicro(int64(be.Uint64(b)) + epochMicro).UTC()
			}
		}}
}

// ColDate binds a date column to a time, of which it keeps the day that it is
// in its own place. It comes back as midnight UTC. A zero time is NULL.
func ColDate(name string, t *time.Time) Column {
	return Column{name, "date", 1082,
		func(b []byte) []byte {
			if t.IsZero() {
				return be.AppendUint32(b, null)
			}
			y, m, d := t.Date()
			day := time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86400
			return be.AppendUint32(be.AppendUint32(b, 4), uint32(int32(day-epochDay)))
		},
		func(b []byte) {
			if *t = (time.Time{}); b != nil {
				*t = epoch.AddDate(0, 0, int(int32(be.Uint32(b))))
			}
		}}
}

// ColDay binds a date column to a day written as 2025-09-01, as the domain
// keeps it. Empty is NULL; what is not a day is a fault of the event.
func ColDay[S ~string](name string, day *S) Column {
	var t time.Time
	date := ColDate(name, &t)
	return Column{name, date.typ, date.oid,
		func(b []byte) []byte {
			if t = (time.Time{}); *day != "" {
				var err error
				if t, err = time.Parse(time.DateOnly, string(*day)); err != nil {
					panic(err)
				}
			}
			return date.put(b)
		},
		func(b []byte) {
			date.get(b)
			if *day = ""; b != nil {
				*day = S(t.Format(time.DateOnly))
			}
		}}
}

// list returns format for each column, $ being its name and # its parameter.
func list(cols []Column, format string) string {
	var s []string
	for i, c := range cols {
		s = append(s, strings.NewReplacer("$", c.name, "#", fmt.Sprintf("$%d::%s[]", i+1, c.typ)).Replace(format))
	}
	return strings.Join(s, ", ")
}

// array is the head of a one-dimensional array that may hold nulls.
func array(oid uint32, n int) []byte {
	b := make([]byte, 0, 20+24*n)
	for _, v := range []uint32{1, 1, oid, uint32(n), 1} {
		b = be.AppendUint32(b, v)
	}
	return b
}
