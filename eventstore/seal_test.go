package eventstore

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/uuid"
)

// Whatever bytes stand in an event, looking for seals gives an error or
// envelopes that are really there; opening never panics.
func FuzzOpen(f *testing.F) {
	keys, subject, event := NewMemoryKeys(), uuid.New(), uuid.New()
	sealer, err := keys.EnsureKeys(context.Background(), subject)
	if err != nil {
		f.Fatal(err)
	}
	envelope, err := sealer.Seal(event, subject, "name", "Anna")
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{
		``, `{}`, `"`, `{"a":"` + envelope + `"}`, `["` + envelope + `","` + envelope + `"]`, `"` + SealPrefix, `"` + SealPrefix + `"`,
		`"\"` + envelope + `"`, `"` + envelope, `"` + SealPrefix + strings.Repeat("A", 39) + `"`, `"` + SealPrefix + strings.Repeat("_", 40) + `"`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		stored := bytes.Clone(data)
		events := []Event{{ID: event, Data: data}}
		err := keys.Open(context.Background(), events)
		if !bytes.Equal(data, stored) {
			t.Fatal("opening wrote into the stored bytes")
		}
		if err == nil && json.Valid(data) && !json.Valid(events[0].Data) {
			t.Fatalf("%q became %q, which is not JSON", data, events[0].Data)
		}
		all, err := findEnvelopes(nil, 0, data)
		for _, e := range all {
			if err == nil && e.String() != string(data[e.start:e.end]) {
				t.Fatalf("%q was read as %+v", data[e.start:e.end], e)
			}
		}
	})
}

// Every text comes back as it was, in JSON that says the same.
func FuzzSeal(f *testing.F) {
	f.Add("Anna", "name")
	f.Add("\"\\\n\x00\u2028<>&", "remark")
	f.Add(SealPrefix, "x")
	keys, subject, event := NewMemoryKeys(), uuid.New(), uuid.New()
	sealer, err := keys.EnsureKeys(context.Background(), subject)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, plain, tag string) {
		envelope, err := sealer.Seal(event, subject, tag, plain)
		if bad := tag == "" || len(tag) > 100 || !utf8.ValidString(plain); bad != (err != nil) {
			t.Fatalf("%q: %v", plain, err)
		} else if bad {
			return
		}
		events := []Event{{ID: event, Data: []byte(`{"a":1,"b":["` + envelope + `"]}`)}}
		if err := keys.Open(context.Background(), events); err != nil {
			t.Fatal(err)
		}
		var got struct{ B []string }
		if err := json.Unmarshal(events[0].Data, &got); err != nil || got.B[0] != plain {
			t.Fatalf("%q came back as %q, %v", plain, got.B, err)
		}
	})
}
