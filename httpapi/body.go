package httpapi

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"zurnals/domain"
	"zurnals/domain/access"
)

const (
	maxJSON  = 1 << 20 // bytes of a body
	maxDepth = 32      // of objects and lists within each other
	inMemory = 1 << 20 // of a form; what is more goes to a temporary file
)

// receive bounds the body of a request, and reads it if it is a form: huma
// would neither bound it nor tell why it could not be read.
func (q *request) receive(op *huma.Operation) error {
	if op.RequestBody == nil {
		return nil
	}
	r := q.r
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return errEncoding
	}
	if r.ContentLength > q.route.maxBody {
		return errTooLarge
	}
	r.Body = http.MaxBytesReader(q.w, r.Body, q.route.maxBody)
	form := op.RequestBody.Content["multipart/form-data"]
	if form == nil {
		if q.route.takesKey() {
			q.body = sha256.New()
			r.Body = tee{r.Body, q.body}
		}
		return nil
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "multipart/form-data" {
		return errMediaType
	}
	if err := r.ParseMultipartForm(inMemory); err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return errTooLarge
		}
		return errMalformed
	}
	return q.form(form.Schema)
}

// form refuses fields that the form does not have, and remembers what the
// others hold. It does not look at the bytes as they came: a client that sends
// the same form again draws another boundary.
func (q *request) form(schema *huma.Schema) error {
	var unknown []domain.Detail
	q.body = sha256.New()
	for _, name := range sorted(q.r.MultipartForm.Value) {
		if schema.Properties[name] == nil {
			unknown = append(unknown, unknownField(name))
		}
		write(q.body, name)
		for _, value := range q.r.MultipartForm.Value[name] {
			if strings.ContainsRune(value, 0) || !utf8.ValidString(value) {
				return q.invalid([]domain.Detail{{Field: printable(name), Code: "field.invalid"}})
			}
			write(q.body, value)
		}
	}
	for _, name := range sorted(q.r.MultipartForm.File) {
		if schema.Properties[name] == nil {
			unknown = append(unknown, unknownField(name))
		}
		write(q.body, name)
		for _, header := range q.r.MultipartForm.File[name] {
			write(q.body, header.Filename)
			file, err := header.Open()
			if err != nil {
				return err
			}
			_, err = io.Copy(q.body, file)
			if err := errors.Join(err, file.Close()); err != nil {
				return err
			}
			write(q.body, fmt.Sprint(header.Size))
		}
	}
	return q.invalid(unknown)
}

func unknownField(name string) domain.Detail {
	return domain.Detail{Field: printable(name), Code: "field.unknown", Text: "there is no such field"}
}

func sorted[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// write adds a part to a hash so that it cannot run into the next.
func write(h hash.Hash, part string) { fmt.Fprintf(h, "%d:%s", len(part), part) }

// tidy removes what a form left on the disk.
func (q *request) tidy() {
	if q.r.MultipartForm != nil {
		if err := q.r.MultipartForm.RemoveAll(); err != nil {
			q.api.Log.ErrorContext(q.r.Context(), "temporary file left behind", "request", q.id, "err", err)
		}
	}
}

// A tee is a body that is hashed as it is read.
type tee struct {
	io.ReadCloser
	hash hash.Hash
}

func (t tee) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	t.hash.Write(p[:n])
	return n, err
}

var errKey = domain.Refuse(domain.Invalid, "idempotency.malformed", "8 to 200 printable characters").In("header.Idempotency-Key")

// checkKey refuses what cannot be an Idempotency-Key.
func checkKey(keys []string) error {
	if len(keys) == 0 {
		return nil
	}
	printed := func(r rune) bool { return r > ' ' && r < 0x7f }
	if key := keys[0]; len(keys) > 1 || len(key) < 8 || len(key) > 200 ||
		strings.ContainsFunc(key, func(r rune) bool { return !printed(r) }) {
		return errKey
	}
	return nil
}

// identified returns who asks, with the identity of what is asked: the same
// request under the same key of the same person is one command.
func (q *request) identified() access.Actor {
	by := q.by
	key := q.r.Header.Get("Idempotency-Key")
	if key == "" || !q.route.takesKey() {
		return by
	}
	by.Command = uuid.NewSHA1(by.ID, []byte(key))
	h := sha256.New()
	write(h, q.r.Method)
	write(h, q.r.URL.Path)
	write(h, q.r.URL.Query().Encode())
	write(h, by.Active.ID.String())
	if q.body != nil {
		h.Write(q.body.Sum(nil))
	}
	by.Fingerprint = h.Sum(nil)
	return by
}

// jsonFormat reads and writes JSON. Reading refuses what no honest client
// sends and something behind us would stumble over.
var jsonFormat = huma.Format{
	Marshal: func(w io.Writer, v any) error {
		encoder := json.NewEncoder(w)
		encoder.SetEscapeHTML(false)
		return encoder.Encode(v)
	},
	Unmarshal: func(data []byte, v any) error {
		if err := sane(data); err != nil {
			return err
		}
		return json.Unmarshal(data, v)
	},
}

// sane refuses JSON that is nested deeply, is not UTF-8, or holds the
// character zero, which PostgreSQL does not store.
func sane(data []byte) error {
	if !utf8.Valid(data) {
		return errors.New("not UTF-8")
	}
	depth := 0
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '{', '[':
			if depth++; depth > maxDepth {
				return fmt.Errorf("nested deeper than %d", maxDepth)
			}
		case '}', ']':
			depth--
		case '"':
			for i++; i < len(data) && data[i] != '"'; i++ {
				if data[i] == '\\' {
					if bytes.HasPrefix(data[i:], []byte(`\u0000`)) {
						return errors.New("character zero")
					}
					i++
				}
			}
		}
	}
	return nil
}
