package proof

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"zurnals/eventstore"
)

// A Checkpoint says how the log was at a time. Note is how it is signed and
// passed on, a text of this form (C2SP tlog-checkpoint, with one line more):
//
//	zurnals log 2
//	1712
//	qINS1GRFhWHwdkUeqLEoP4yEMkTBBzxBkGwGQlVlVcs=
//	2025-09-01T05:01:00Z
//
//	— zurnals 2c5d2a1fCw…
type Checkpoint struct {
	Size int64     // events, the last one is at this position
	Root tlog.Hash // of the tree over them
	At   time.Time
	Note string
}

// origin is the first line of every checkpoint. It changes with the leaves of
// the tree: what is signed under another one is no checkpoint of this tree.
const origin = "zurnals log 2"

// former was the first line when a leaf was the hash of an event's columns alone.
const former = "zurnals log"

// keyName is the name in keys and signatures.
const keyName = "zurnals"

// ErrKey says that a checkpoint is not signed with the key it is checked with.
var ErrKey = errors.New("is not signed with this key")

// errCheckpoint says that a text is no checkpoint.
var errCheckpoint = errors.New("is not a checkpoint")

// A Key checks the signature of checkpoints. Its text begins with "zurnals+".
type Key struct {
	text     string
	verifier note.Verifier
}

// ParseKey reads a public key.
func ParseKey(s string) (Key, error) {
	s = strings.TrimSpace(s)
	v, err := note.NewVerifier(s)
	if err != nil {
		return Key{}, errors.New("not a public key: it begins with zurnals+")
	}
	return Key{s, v}, nil
}

func (k Key) String() string { return k.text }

// newSigner returns the private key made from a secret, and the public one.
func newSigner(ctx context.Context, keys eventstore.Keys) (note.Signer, Key, error) {
	secret, err := keys.Derive(ctx, "checkpoint")
	if err != nil {
		return nil, Key{}, err
	}
	private := ed25519.NewKeyFromSeed(secret)
	text, err := note.NewEd25519VerifierKey(keyName, private.Public().(ed25519.PublicKey))
	if err != nil {
		return nil, Key{}, err
	}
	public, err := ParseKey(text)
	if err != nil {
		return nil, Key{}, err
	}
	const ed25519Key = 1 // the byte that names the algorithm in both keys
	signer, err := note.NewSigner(fmt.Sprintf("PRIVATE+KEY+%s+%08x+%s", keyName, public.verifier.KeyHash(),
		base64.StdEncoding.EncodeToString(append([]byte{ed25519Key}, secret...))))
	return signer, public, err
}

// sign returns a signed checkpoint.
func sign(signer note.Signer, size int64, root tlog.Hash, at time.Time) (Checkpoint, error) {
	at = at.UTC().Truncate(time.Microsecond)
	text := fmt.Sprintf("%s\n%d\n%s\n%s\n", origin, size, root, at.Format(time.RFC3339Nano))
	signed, err := note.Sign(&note.Note{Text: text}, signer)
	return Checkpoint{Size: size, Root: root, At: at, Note: string(signed)}, err
}

// OpenCheckpoint reads a note and checks its signature: ErrKey when another key
// has signed it, or when it was changed.
func OpenCheckpoint(text string, key Key) (Checkpoint, error) {
	signed, err := note.Open([]byte(text), note.VerifierList(key.verifier))
	var unknown *note.UnverifiedNoteError
	var forged *note.InvalidSignatureError
	switch {
	case errors.As(err, &unknown):
		return Checkpoint{}, fmt.Errorf("the checkpoint %w: another key has signed it", ErrKey)
	case errors.As(err, &forged):
		return Checkpoint{}, fmt.Errorf("the checkpoint %w: the signature does not fit the text", ErrKey)
	case err != nil:
		return Checkpoint{}, errCheckpoint
	}
	for _, sig := range signed.Sigs { // of the spellings of a signature, one is right
		if raw, err := base64.StdEncoding.DecodeString(sig.Base64); err != nil || base64.StdEncoding.EncodeToString(raw) != sig.Base64 {
			return Checkpoint{}, errCheckpoint
		}
	}
	c, err := parseCheckpoint(signed.Text)
	c.Note = text
	return c, err
}

// parseCheckpoint reads the text above the signatures.
func parseCheckpoint(text string) (c Checkpoint, err error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 5 || lines[0] != origin || lines[4] != "" {
		return c, errCheckpoint
	}
	if c.Size, err = strconv.ParseInt(lines[1], 10, 64); err != nil || c.Size < 1 || strconv.FormatInt(c.Size, 10) != lines[1] {
		return c, fmt.Errorf("%w: size %.20q", errCheckpoint, lines[1])
	}
	if c.Root, err = tlog.ParseHash(lines[2]); err != nil {
		return c, fmt.Errorf("%w: root %.60q", errCheckpoint, lines[2])
	}
	if c.At, err = time.Parse(time.RFC3339Nano, lines[3]); err != nil {
		return c, fmt.Errorf("%w: time %.40q", errCheckpoint, lines[3])
	}
	return c, nil
}

// FindCheckpoints returns the notes in a text: the file of a server, a mail
// with other words around, a single note. They are not checked.
func FindCheckpoints(text string) (notes []string) {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	if !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	for {
		start := 0
		if !strings.HasPrefix(text, origin+"\n") {
			if start = strings.Index(text, "\n"+origin+"\n") + 1; start == 0 {
				return notes
			}
		}
		text = text[start:]
		body := strings.Index(text, "\n\n")
		if body < 0 {
			return notes
		}
		if later := strings.LastIndex(text[:body], "\n"+origin+"\n"); later >= 0 {
			text = text[later+1:] // the one before was cut short
			continue
		}
		end := body + 2
		for strings.HasPrefix(text[end:], "— ") {
			end += strings.IndexByte(text[end:], '\n') + 1
		}
		if end > body+2 {
			notes = append(notes, text[:end])
			text = text[end:]
		} else {
			text = text[len(origin):] // these words, but no checkpoint
		}
	}
}
