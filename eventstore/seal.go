package eventstore

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/google/uuid"
)

// SealPrefix begins every sealed string. It starts with the control character
// DEL, which JSON does not escape and no text of a person may hold.
const SealPrefix = "\x7fsealed1:"

// ErrSeal says that a sealed string does not verify.
var ErrSeal = errors.New("seal does not verify")

// A Sealer seals strings for the subjects it was made for.
type Sealer struct{ keys map[uuid.UUID]cipher.AEAD }

// Seal hides plain in a string that only the key of the subject opens, and only
// in this event, under this tag (the name of the field).
func (s Sealer) Seal(event, subject uuid.UUID, tag, plain string) (string, error) {
	key, ok := s.keys[subject]
	if !ok {
		return "", fmt.Errorf("%w: sealer was not made for subject %s", ErrInvalid, subject)
	}
	if tag == "" || len(tag) > 100 || !utf8.ValidString(plain) {
		return "", fmt.Errorf("%w: seal %.100q: bad tag, or the text is not UTF-8", ErrInvalid, tag)
	}
	e := envelope{subject: subject, tag: tag, nonce: make([]byte, nonceSize)}
	rand.Read(e.nonce)
	e.sealed = key.Seal(nil, e.nonce, []byte(plain), e.context(event))
	return e.String(), nil
}

// envelope is a sealed string taken apart. Written: SealPrefix, then in base64url
// the subject, the nonce, the length of the tag, the tag, the sealed text.
type envelope struct {
	subject uuid.UUID
	nonce   []byte
	tag     string
	sealed  []byte
}

const nonceSize = 12

// context is what the seal is bound to beside its key.
func (e *envelope) context(event uuid.UUID) []byte {
	b := make([]byte, 0, 32+len(e.tag))
	b = append(b, event[:]...)
	b = append(b, e.subject[:]...)
	return append(b, e.tag...)
}

func (e *envelope) String() string {
	b := make([]byte, 0, 16+nonceSize+1+len(e.tag)+len(e.sealed))
	b = append(b, e.subject[:]...)
	b = append(b, e.nonce...)
	b = append(b, byte(len(e.tag)))
	b = append(b, e.tag...)
	b = append(b, e.sealed...)
	return SealPrefix + base64.RawURLEncoding.EncodeToString(b)
}

// parseEnvelope takes apart what follows the prefix.
func parseEnvelope(text []byte) (e envelope, err error) {
	b := make([]byte, base64.RawURLEncoding.DecodedLen(len(text)))
	n, err := base64.RawURLEncoding.Strict().Decode(b, text)
	if err != nil {
		return e, fmt.Errorf("%w: %w", ErrSeal, err)
	}
	b = b[:n]
	if len(b) < 16+nonceSize+1 || len(b) < 16+nonceSize+1+int(b[16+nonceSize]) {
		return e, fmt.Errorf("%w: cut short", ErrSeal)
	}
	e.subject, b = uuid.UUID(b[:16]), b[16:]
	e.nonce, b = b[:nonceSize], b[nonceSize:]
	tag := int(b[0])
	e.tag, e.sealed = string(b[1:1+tag]), b[1+tag:]
	return e, nil
}

// found is an envelope and where it stands, without its quotes.
type found struct {
	envelope
	event, start, end int
}

var sealStart = []byte(`"` + SealPrefix)

// findEnvelopes finds the sealed strings of a JSON text. A quote before the
// prefix always begins a string: one that ends a string is followed by a comma,
// a colon or a bracket, one inside a string has a backslash before it.
func findEnvelopes(all []found, event int, data []byte) ([]found, error) {
	for at := 0; ; {
		i := bytes.Index(data[at:], sealStart)
		if i < 0 {
			return all, nil
		}
		start := at + i + 1
		at = start + len(SealPrefix)
		if i := start - 2; i >= 0 && data[i] == '\\' {
			continue
		}
		length := bytes.IndexByte(data[at:], '"')
		if length < 0 {
			return nil, fmt.Errorf("%w: string does not end", ErrSeal)
		}
		e, err := parseEnvelope(data[at : at+length])
		if err != nil {
			return nil, err
		}
		at += length
		all = append(all, found{e, event, start, at})
	}
}

// keyLoader finds keys of subjects; nil stands for a destroyed one. A subject
// that never had a key is missing.
type keyLoader interface {
	load(ctx context.Context, subjects []uuid.UUID) (map[uuid.UUID]cipher.AEAD, error)
}

// openEvents does Keys.Open. It never writes into the bytes it was given: they
// may be shared.
func openEvents(ctx context.Context, keys keyLoader, events []Event) error {
	var all []found
	var err error
	for i := range events {
		if all, err = findEnvelopes(all, i, events[i].Data); err != nil {
			return fmt.Errorf("event %d: %w", events[i].Position, err)
		}
	}
	if len(all) == 0 {
		return nil
	}
	loaded, err := keys.load(ctx, subjectsOf(all))
	if err != nil {
		return fmt.Errorf("load keys: %w", err)
	}
	for len(all) > 0 {
		n := 1
		for n < len(all) && all[n].event == all[0].event {
			n++
		}
		e := &events[all[0].event]
		if err := e.open(all[:n], loaded); err != nil {
			return fmt.Errorf("event %d: %w", e.Position, err)
		}
		all = all[n:]
	}
	return nil
}

func (e *Event) open(envelopes []found, keys map[uuid.UUID]cipher.AEAD) error {
	opened := make([]byte, 0, len(e.Data))
	from := 0
	for _, f := range envelopes {
		opened = append(opened, e.Data[from:f.start]...)
		from = f.end
		key, known := keys[f.subject]
		if !known {
			return &ErasedError{Subject: f.subject}
		}
		if key == nil {
			e.Erased = true
			continue
		}
		plain, err := f.unseal(key, e.ID)
		if err != nil {
			return err
		}
		quoted, err := json.Marshal(string(plain))
		if err != nil {
			return err
		}
		opened = append(opened, quoted[1:len(quoted)-1]...)
	}
	e.Data = append(opened, e.Data[from:]...)
	return nil
}

func (e *envelope) unseal(key cipher.AEAD, event uuid.UUID) ([]byte, error) {
	plain, err := key.Open(nil, e.nonce, e.sealed, e.context(event))
	if err != nil {
		return nil, fmt.Errorf("%w: field %q of subject %s", ErrSeal, e.tag, e.subject)
	}
	return plain, nil
}

func subjectsOf(all []found) []uuid.UUID {
	seen := make(map[uuid.UUID]bool, len(all))
	var subjects []uuid.UUID
	for _, f := range all {
		if !seen[f.subject] {
			seen[f.subject] = true
			subjects = append(subjects, f.subject)
		}
	}
	return subjects
}

// checkSeals refuses events with a sealed string that nobody could open later,
// or of a subject the request does not name: its erasure would go unnoticed.
// So what reads the log need not fear a seal that a user has typed.
func checkSeals(ctx context.Context, keys keyLoader, r *Request) error {
	var all []found
	var ids []uuid.UUID
	for _, w := range r.Writes {
		for _, e := range w.Events {
			var err error
			if all, err = findEnvelopes(all, len(ids), e.Data); err != nil {
				return fmt.Errorf("%s: %w", e.Type, err)
			}
			ids = append(ids, e.ID)
		}
	}
	if len(all) == 0 {
		return nil
	}
	named := make(map[uuid.UUID]bool, len(r.Subjects))
	for _, s := range r.Subjects {
		named[s] = true
	}
	subjects := subjectsOf(all)
	for _, s := range subjects {
		if !named[s] {
			return fmt.Errorf("%w: subject %s is sealed for but not named", ErrInvalid, s)
		}
	}
	loaded, err := keys.load(ctx, subjects)
	if err != nil {
		return fmt.Errorf("load keys: %w", err)
	}
	for _, f := range all {
		if key := loaded[f.subject]; key != nil { // else the log itself refuses the subject
			if _, err := f.unseal(key, ids[f.event]); err != nil {
				return err
			}
		}
	}
	return nil
}

func newKey() []byte {
	key := make([]byte, 32)
	rand.Read(key)
	return key
}

// gcm makes the cipher of a 32 byte key.
func gcm(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
