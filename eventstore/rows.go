package eventstore

import (
	"encoding/binary"
	"errors"
	"math"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// columns are what readEvents reads, in its order.
const columns = "e.position, e.recorded_at, e.id, e.version, e.schema, e.stream, e.type, e.meta, e.data"

// binaryForm is an argument of a query, before its parameters: its answer is in
// PostgreSQL's binary form.
var binaryForm = pgx.QueryResultFormats{pgx.BinaryFormatCode}

// postgresEpoch is the beginning of 2000 in microseconds, from which PostgreSQL counts.
const postgresEpoch = 946_684_800_000_000

// readEvents reads about so many rows of columns in binary form. It takes them
// apart by hand, because the log is read more often than all else: it is a fifth
// quicker than to have each field scanned into a value of its own.
func readEvents(rows pgx.Rows, about int64) ([]Event, error) {
	defer rows.Close()
	events := make([]Event, 0, about)
	types := make(map[string]string) // few, each made once
	var stream string                // of the event before, often the same
	for rows.Next() {
		v := rows.RawValues() // the next row overwrites them
		if len(v) != 9 || len(v[0]) != 8 || len(v[1]) != 8 || len(v[2]) != 16 || len(v[3]) != 4 || len(v[4]) != 4 {
			return nil, errors.New("an event is not in binary form: the connection must not use the simple protocol")
		}
		recorded := int64(binary.BigEndian.Uint64(v[1]))
		if recorded == math.MaxInt64 || recorded == math.MinInt64 {
			return nil, errors.New("an event was recorded at infinity")
		}
		if string(v[5]) != stream {
			stream = string(v[5])
		}
		kind, ok := types[string(v[6])]
		if !ok {
			kind = string(v[6])
			types[kind] = kind
		}
		both := append(append(make([]byte, 0, len(v[7])+len(v[8])), v[7]...), v[8]...)
		events = append(events, Event{
			Position: int64(binary.BigEndian.Uint64(v[0])), RecordedAt: time.UnixMicro(postgresEpoch + recorded).UTC(), ID: uuid.UUID(v[2]),
			Version: int(int32(binary.BigEndian.Uint32(v[3]))), Schema: int(int32(binary.BigEndian.Uint32(v[4]))), Stream: stream, Type: kind,
			Meta: both[:len(v[7]):len(v[7])], Data: both[len(v[7]):],
		})
	}
	return events, rows.Err()
}
