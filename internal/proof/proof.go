// Package proof makes the log provable (Latvian: žurnāla pierādījumi): whoever
// holds one signed checkpoint of it can tell later whether anything before it
// was changed, moved, deleted or put in, without trusting the server, its
// database or its administrators.
//
//   - record: all stored columns of an event in one unambiguous row of bytes
//   - summary: the hash of a record, and a checksum of each of its columns,
//     which tells later in which of them something was changed
//   - leaf: the hash of a summary
//   - tree: a Merkle tree over the leaves, that of RFC 6962; the event at
//     position p is leaf p-1
//   - checkpoint (kontrolpunkts): size and root of the tree at a time, signed
//   - inclusion proof: that an event is in the tree of a checkpoint
//   - consistency proof: that the tree of a later checkpoint continues that of
//     an earlier one
//
// A Log seals: it follows the events, keeps the tree and signs. Export and the
// proofs leave the house; Verify needs nothing but them and the public key.
package proof

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/bits"
	"time"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/tlog"

	"zurnals/eventstore"
)

// columns are those of a record, in this order.
var columns = [...]string{"position", "stream", "version", "id", "type", "schema", "recorded_at", "meta", "data"}

// maxRecord bounds a record: an event is at most eventstore.MaxBytes and names.
const maxRecord = eventstore.MaxBytes + 4096

// appendRecord adds the record of an event: each column after its length in 4
// bytes, so that nothing can move from one column to the next unnoticed.
// Numbers are 8 bytes, high byte first; recorded_at is in microseconds since
// 1970.
func appendRecord(b []byte, e *eventstore.Event) []byte {
	number := func(n int64) {
		b = binary.BigEndian.AppendUint32(b, 8)
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	text := func(s string) {
		b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	raw := func(s []byte) {
		b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	number(e.Position)
	text(e.Stream)
	number(int64(e.Version))
	raw(e.ID[:])
	text(e.Type)
	number(int64(e.Schema))
	number(e.RecordedAt.UnixMicro())
	raw(e.Meta)
	raw(e.Data)
	return b
}

// errRecord says that bytes are no record.
var errRecord = errors.New("is not a record")

// parseRecord reads a record. The event's Meta and Data are parts of b.
func parseRecord(b []byte) (e eventstore.Event, err error) {
	var parts [len(columns)][]byte
	for i := range parts {
		if len(b) < 4 {
			return e, fmt.Errorf("%w: it ends before %s", errRecord, columns[i])
		}
		n := binary.BigEndian.Uint32(b)
		if b = b[4:]; uint64(n) > uint64(len(b)) {
			return e, fmt.Errorf("%w: it ends within %s", errRecord, columns[i])
		}
		parts[i], b = b[:n], b[n:]
	}
	if len(b) > 0 {
		return e, fmt.Errorf("%w: there is more after %s", errRecord, columns[len(columns)-1])
	}
	var numbers [len(columns)]int64
	for i, size := range [len(columns)]int{0: 8, 2: 8, 3: 16, 5: 8, 6: 8} {
		switch {
		case size != 0 && len(parts[i]) != size:
			return e, fmt.Errorf("%w: %s has %d bytes", errRecord, columns[i], len(parts[i]))
		case size == 8:
			numbers[i] = int64(binary.BigEndian.Uint64(parts[i]))
		}
	}
	return eventstore.Event{
		Position: numbers[0], Stream: string(parts[1]), Version: int(numbers[2]), ID: uuid.UUID(parts[3]),
		Type: string(parts[4]), Schema: int(numbers[5]), RecordedAt: time.UnixMicro(numbers[6]).UTC(),
		Meta: parts[7], Data: parts[8],
	}, nil
}

// A summary is what is sealed of an event: the hash of its record (32 bytes), and
// the CRC-32C of each column (4 bytes each, high byte first). The first shows
// that something was changed, whatever it is. The second tells where: for
// certain if no more than four bytes in a row were changed, and else unless
// somebody took the trouble to find a change with the same checksum. Hashes of
// the columns would be harder to meet, and three times the work of all else.
type summary [summarySize]byte

const (
	columnBytes = 4
	summarySize = sha256.Size + len(columns)*columnBytes
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// summaryOf returns the summary of a record.
func summaryOf(record []byte) (s summary) {
	whole := sha256.Sum256(record)
	copy(s[:], whole[:])
	rest := record
	for i := range columns {
		var column []byte
		column, rest = cut(rest)
		binary.BigEndian.PutUint32(s[sha256.Size+i*columnBytes:], crc32.Checksum(column, castagnoli))
	}
	return s
}

// cut takes the first column off what is left of a record. What is no record
// has empty columns.
func cut(b []byte) (column, rest []byte) {
	if len(b) < 4 {
		return nil, nil
	}
	n := binary.BigEndian.Uint32(b)
	if b = b[4:]; uint64(n) > uint64(len(b)) {
		return nil, nil
	}
	return b[:n], b[n:]
}

// record returns the hash of the record.
func (s *summary) record() tlog.Hash { return tlog.Hash(s[:sha256.Size]) }

// leaf returns the leaf, that of RFC 6962, 2.1: the byte 0 stands before what is
// hashed, so that no leaf can be taken for an inner node of the tree.
func (s *summary) leaf() tlog.Hash { return leafOf(s[:]) }

func leafOf(s []byte) tlog.Hash {
	var marked [1 + summarySize]byte // the first byte is 0
	return sha256.Sum256(marked[:1+copy(marked[1:], s)])
}

// differ returns the columns in which two summaries differ.
func (s *summary) differ(o *summary) (in []string) {
	for i, name := range columns {
		at := sha256.Size + i*columnBytes
		if [columnBytes]byte(s[at:]) != [columnBytes]byte(o[at:]) {
			in = append(in, name)
		}
	}
	return in
}

// A tree is what must be known of one to make it grow: the hashes of the
// complete subtrees that it consists of, the largest first.
type tree struct {
	size int64
	tops []tlog.Hash
}

// add adds a leaf. The hashes that it completes are added to stored, in the
// order in which tlog numbers them.
func (t *tree) add(leaf tlog.Hash, stored []tlog.Hash) []tlog.Hash {
	stored = append(stored, leaf)
	for n := bits.TrailingZeros64(^uint64(t.size)); n > 0; n-- {
		last := len(t.tops) - 1
		leaf = tlog.NodeHash(t.tops[last], leaf)
		t.tops = t.tops[:last]
		stored = append(stored, leaf)
	}
	t.tops = append(t.tops, leaf)
	t.size++
	return stored
}

// root returns the hash of the whole tree.
func (t *tree) root() tlog.Hash {
	if t.size == 0 {
		return sha256.Sum256(nil)
	}
	last := len(t.tops) - 1
	h := t.tops[last]
	for i := last - 1; i >= 0; i-- {
		h = tlog.NodeHash(t.tops[i], h)
	}
	return h
}

// clone returns a tree that grows by itself.
func (t *tree) clone() *tree { return &tree{t.size, append([]tlog.Hash(nil), t.tops...)} }

// loadTree returns the tree of a size, from the hashes that are kept.
func loadTree(size int64, hashes tlog.HashReader) (*tree, error) {
	var indexes []int64
	for level, at := 62, int64(0); level >= 0; level-- {
		if subtree := int64(1) << level; size&subtree != 0 {
			indexes = append(indexes, tlog.StoredHashIndex(level, at>>level))
			at += subtree
		}
	}
	if len(indexes) == 0 {
		return new(tree), nil
	}
	tops, err := hashes.ReadHashes(indexes)
	return &tree{size, tops}, err
}
