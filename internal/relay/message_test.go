package relay

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go"

	"zurnals/eventstore"
)

var example = eventstore.Event{
	Position: 17, ID: uuid.MustParse("01990000-0000-7000-8000-000000000001"), Stream: "account-ā\r\nX: y", Version: 3,
	Type: "identity.user_invited", Schema: 2, RecordedAt: time.Date(2025, 9, 1, 5, 0, 0, 123_456_000, time.UTC),
	Meta: []byte("{\n \"actor\":\"system\"}"), Data: []byte(`{"name": "Žanis"}`),
}

func TestAMessageIsTheEventByteByByte(t *testing.T) {
	m := encode("zurnals", example)
	got, err := decode(m.Header, m.Data, 17)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(example, got); diff != "" {
		t.Error(diff)
	}
	if id, last := m.Header.Get(nats.MsgIdHdr), m.Header.Get(nats.ExpectedLastSeqHdr); id != "17" || last != "16" {
		t.Errorf("id %s after %s", id, last)
	}
}

func TestTypesAreWordsOfSubjects(t *testing.T) {
	for typ, want := range map[string]string{
		"identity.user_invited": "identity.user_invited", "a.*.>": "a._._", "a..b": "a._.b", "ā b": "__b", "": "_",
	} {
		if got := subject(typ); got != want {
			t.Errorf("%q: %q, want %q", typ, got, want)
		}
	}
}

func TestAMessageThatIsNoEventIsRefused(t *testing.T) {
	for _, name := range []string{nats.MsgIdHdr, headerID, headerStream, headerVersion, headerType, headerSchema, headerRecorded} {
		m := encode("zurnals", example)
		m.Header.Del(name)
		if _, err := decode(m.Header, m.Data, 17); !errors.Is(err, ErrMessage) {
			t.Errorf("without %s: %v", name, err)
		}
	}
	m := encode("zurnals", example)
	if _, err := decode(m.Header, m.Data, 18); !errors.Is(err, ErrMessage) {
		t.Errorf("at another sequence: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("17", "01990000-0000-7000-8000-000000000001", "a-b", "1", "x.y", "1", "2025-09-01T05:00:00Z", "e30=", []byte("{}"))
	f.Add("-1", "", "%zz", "99999999999", "%", "0", "now", "=", []byte(nil))
	f.Fuzz(func(t *testing.T, id, event, stream, version, typ, schema, at, meta string, data []byte) {
		h := nats.Header{}
		for name, value := range map[string]string{
			nats.MsgIdHdr: id, headerID: event, headerStream: stream, headerVersion: version, headerType: typ,
			headerSchema: schema, headerRecorded: at, headerMeta: meta,
		} {
			h.Set(name, value)
		}
		e, err := decode(h, data, 17)
		if err == nil && (e.Position != 17 || e.Version < 1 || e.Schema < 1 || e.Stream == "" || e.Type == "") {
			t.Errorf("taken: %+v", e)
		}
	})
}
