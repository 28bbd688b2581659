// Package relay carries the log to NATS JetStream, and reads it there
// (Latvian: retranslators).
//
// The stream is the log once more: sequence n of the stream is position n of
// the log. Each event is published under the condition that the sequence
// before it is the last one, and JetStream, which agrees on that among its
// nodes, refuses it otherwise. So nothing is there twice and nothing is left
// out, whatever is killed and however many relays run: who loses a race looks
// where the stream ends and goes on from there. The id of each message, its
// Nats-Msg-Id, is the position too.
//
// Personal data stays sealed: the relay has no keys and needs none.
package relay

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"zurnals/eventstore"
)

// Config says where the stream is. Zero values of what follows the URL have the
// defaults told.
type Config struct {
	URL      string // nats://a:4222,nats://b:4222
	Name     string // of the stream, and the first word of its subjects: zurnals
	Replicas int    // nodes that keep the stream, when it is made: 3 of a cluster, else 1
	Logger   *slog.Logger
}

// A Log is what is relayed. *eventstore.Postgres is one.
type Log interface {
	Head(context.Context) (int64, error)
	ReadAll(ctx context.Context, after, upto int64) iter.Seq2[eventstore.Event, error]
	Changes() (head int64, moved <-chan struct{})
}

var (
	// ErrOtherLog says that the stream holds events that are not of this log.
	ErrOtherLog = errors.New("the stream holds another log")
	// ErrAhead says that the stream holds more events than the log, which must
	// have been restored from an older copy.
	ErrAhead = errors.New("the stream is ahead of the log")
)

// connect connects for good: a connection that is lost is made again, on
// whatever node of the cluster there is.
func connect(c *Config) (*nats.Conn, error) {
	c.Name, c.Logger = cmp.Or(c.Name, "zurnals"), cmp.Or(c.Logger, slog.Default())
	nc, err := nats.Connect(c.URL, nats.Name("zurnals"), nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond),
		nats.ReconnectJitter(50*time.Millisecond, 50*time.Millisecond), nats.PingInterval(2*time.Second), nats.MaxPingsOutstanding(2),
		nats.ReconnectBufSize(-1)) // what cannot be sent now is sent again by us, in order
	if err != nil {
		return nil, fmt.Errorf("relay: %w", err)
	}
	return nc, nil
}

func (c Config) subjects() string { return c.Name + ".log.>" }

// announced is the subject on which the head is told, so that readers need not
// ask. It is not kept.
func (c Config) announced() string { return c.Name + ".head" }

// ensure makes the stream, if it is not there. It keeps everything and lets
// nobody delete or purge.
func ensure(ctx context.Context, js jetstream.JetStream, c Config) (jetstream.Stream, error) {
	s, err := js.Stream(ctx, c.Name)
	if !errors.Is(err, jetstream.ErrStreamNotFound) {
		return s, err
	}
	replicas := c.Replicas
	if replicas == 0 {
		replicas = 1
		if len(js.Conn().DiscoveredServers()) > 0 || js.Conn().ConnectedClusterName() != "" {
			replicas = 3
		}
	}
	return js.CreateStream(ctx, jetstream.StreamConfig{
		Name: c.Name, Description: "the log of Žurnāls: sequence is position", Subjects: []string{c.subjects()},
		Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardNew, Storage: jetstream.FileStorage, Replicas: replicas,
		MaxMsgs: -1, MaxBytes: -1, DenyDelete: true, DenyPurge: true, AllowDirect: true, Compression: jetstream.S2Compression,
	})
}

// Names of the headers of a message. Its body is the data of the event.
const (
	headerID       = "Zurnals-Id"
	headerStream   = "Zurnals-Stream"
	headerVersion  = "Zurnals-Version"
	headerType     = "Zurnals-Type"
	headerSchema   = "Zurnals-Schema"
	headerRecorded = "Zurnals-Recorded-At"
	headerMeta     = "Zurnals-Meta" // base64, so that the bytes stay what they are
)

// encode writes an event as a message. Other systems may subscribe to some
// types only: <name>.log.identity.user_invited.
func encode(name string, e eventstore.Event) *nats.Msg {
	return &nats.Msg{
		Subject: name + ".log." + subject(e.Type),
		Data:    e.Data,
		Header: nats.Header{
			nats.MsgIdHdr:           {strconv.FormatInt(e.Position, 10)},
			nats.ExpectedStreamHdr:  {name},
			nats.ExpectedLastSeqHdr: {strconv.FormatInt(e.Position-1, 10)},
			headerID:                {e.ID.String()},
			headerStream:            {url.PathEscape(e.Stream)},
			headerVersion:           {strconv.Itoa(e.Version)},
			headerType:              {url.PathEscape(e.Type)},
			headerSchema:            {strconv.Itoa(e.Schema)},
			headerRecorded:          {e.RecordedAt.UTC().Format(time.RFC3339Nano)},
			headerMeta:              {base64.StdEncoding.EncodeToString(e.Meta)},
		},
	}
}

// subject makes of a type words of a subject. It is for choosing only: the
// header has the type as it is.
func subject(typ string) string {
	var words []string
	for word := range strings.SplitSeq(typ, ".") {
		clean := strings.Map(func(r rune) rune {
			if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-' {
				return r
			}
			return '_'
		}, word)
		words = append(words, cmp.Or(clean, "_"))
	}
	return strings.Join(words, ".")
}

// ErrMessage says that a message of the stream is not an event.
var ErrMessage = errors.New("a message is not an event")

// decode reads an event from a message that is at a sequence of the stream.
func decode(h nats.Header, data []byte, sequence int64) (e eventstore.Event, err error) {
	var wrong []error
	number := func(name string, bits int) int64 {
		n, err := strconv.ParseInt(h.Get(name), 10, bits)
		if err != nil || n < 1 {
			wrong = append(wrong, fmt.Errorf("%s %.30q", name, h.Get(name)))
		}
		return n
	}
	text := func(name string) string {
		s, err := url.PathUnescape(h.Get(name))
		if err != nil || s == "" {
			wrong = append(wrong, fmt.Errorf("%s %.30q", name, h.Get(name)))
		}
		return s
	}
	e.Position = number(nats.MsgIdHdr, 64)
	e.Version, e.Schema = int(number(headerVersion, 32)), int(number(headerSchema, 32))
	e.Stream, e.Type = text(headerStream), text(headerType)
	if e.ID, err = uuid.Parse(h.Get(headerID)); err != nil {
		wrong = append(wrong, fmt.Errorf("%s: %w", headerID, err))
	}
	if e.RecordedAt, err = time.Parse(time.RFC3339Nano, h.Get(headerRecorded)); err != nil {
		wrong = append(wrong, fmt.Errorf("%s: %w", headerRecorded, err))
	}
	if e.Meta, err = base64.StdEncoding.Strict().DecodeString(h.Get(headerMeta)); err != nil {
		wrong = append(wrong, fmt.Errorf("%s: %w", headerMeta, err))
	}
	e.RecordedAt, e.Data = e.RecordedAt.UTC(), data
	if e.Position != sequence {
		wrong = append(wrong, fmt.Errorf("position %d is at sequence %d", e.Position, sequence))
	}
	if len(wrong) > 0 {
		return e, fmt.Errorf("%w: sequence %d: %w", ErrMessage, sequence, errors.Join(wrong...))
	}
	return e, nil
}
