package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
)

// A step is one request, and what must come of it.
type step struct {
	name    string
	as      string   // who asks: a name that hire was given; empty: nobody
	ask     string   // method and path below /api/v1; ~/path is one that is not below it
	body    string   // JSON
	form    formBody // instead
	headers []string

	status int
	code   string   // of the problem
	fields []string // that the problem names; of a file "row 3, E-pasts"
	events string   // types of those appended, in order; empty: none
	has    []string // what the answer contains
	hasNot []string
	keep   string // name to keep the "id" of the answer under
}

// A formBody is a multipart body: fields, and files by field and name.
type formBody struct {
	fields map[string]string
	files  map[string]formFile
}

type formFile struct {
	name string
	data []byte
}

// tell sends the requests of steps one after the other and checks what comes
// of them. It returns the last answer.
func (s *story) tell(steps ...step) (last answer) {
	s.t.Helper()
	for _, st := range steps {
		last = s.one(st)
	}
	return last
}

func (s *story) one(st step) answer {
	t := s.t
	t.Helper()
	before, err := s.log.Head(t.Context())
	s.must(err)
	a := s.send(st, before)
	name := st.name
	if name == "" {
		name = st.as + " " + st.ask
	}
	if a.Code != st.status || a.problem.Code != st.code {
		t.Errorf("%s: answered %d %s, want %d %s: %s", name, a.Code, a.problem.Code, st.status, st.code, a.Body)
	}
	if got := parts(a.problem); st.fields != nil && !slices.Equal(got, st.fields) {
		t.Errorf("%s: wrong are %q, want %q: %s", name, got, st.fields, a.Body)
	}
	if got := s.since(before); got != st.events {
		t.Errorf("%s: appended\n%q, want\n%q: %s", name, got, st.events, a.Body)
	}
	for _, part := range st.has {
		if part = s.fill(part); !strings.Contains(a.Body.String(), part) {
			t.Errorf("%s: the answer has no %s: %s", name, part, a.Body)
		}
	}
	for _, part := range st.hasNot {
		if part = s.fill(part); strings.Contains(a.Body.String(), part) {
			t.Errorf("%s: the answer has %s: %s", name, part, a.Body)
		}
	}
	if st.keep != "" {
		var thing struct{ ID string }
		if err := json.Unmarshal(a.Body.Bytes(), &thing); err != nil || thing.ID == "" {
			t.Fatalf("%s: there is no id to keep as %s in %s", name, st.keep, a.Body)
		}
		s.names[st.keep] = thing.ID
	}
	return a
}

// send sends the request of a step. A GET waits until it sees what was appended
// up to a position.
func (s *story) send(st step, seen int64) answer {
	s.t.Helper()
	method, path, _ := strings.Cut(s.fill(st.ask), " ")
	if root, ok := strings.CutPrefix(path, "~"); ok {
		path = root
	} else {
		path = prefix + path
	}
	body, kind := st.encode(s)
	r := httptest.NewRequest(method, path, body)
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	if method == http.MethodGet {
		r.Header.Set("Zurnals-Min-Position", strconv.FormatInt(seen, 10))
	}
	if st.as != "" {
		token, ok := s.tokens[st.as]
		if !ok {
			s.t.Fatalf("%s is not signed in", st.as)
		}
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for _, h := range st.headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, s.fill(value))
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	a := answer{ResponseRecorder: w}
	if strings.HasPrefix(w.Header().Get("Content-Type"), "application/problem+json") {
		s.must(json.Unmarshal(w.Body.Bytes(), &a.problem))
	}
	return a
}

// since returns the types of the events after a position.
func (s *story) since(position int64) string {
	s.t.Helper()
	var types []string
	for e, err := range s.log.ReadAll(s.t.Context(), position, 0) {
		s.must(err)
		types = append(types, e.Type)
	}
	return strings.Join(types, " ")
}

// parts returns what a problem names as wrong.
func parts(p problem) (all []string) {
	for _, e := range p.Errors {
		if e.Row > 0 {
			all = append(all, fmt.Sprintf("row %d, %s: %s", e.Row, e.Column, e.Code))
		} else {
			all = append(all, e.Field)
		}
	}
	return all
}

// fill puts ids in the place of names.
func (s *story) fill(text string) string {
	pairs := make([]string, 0, 2*len(s.names))
	for name, id := range s.names {
		pairs = append(pairs, "{"+name+"}", id)
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// encode returns the body of a step and its content type.
func (st step) encode(s *story) (io.Reader, string) {
	if st.form.fields == nil && st.form.files == nil {
		if st.body == "" {
			return http.NoBody, ""
		}
		return strings.NewReader(s.fill(st.body)), "application/json"
	}
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for name, value := range st.form.fields {
		s.must(w.WriteField(name, value))
	}
	for name, f := range st.form.files {
		part, err := w.CreateFormFile(name, f.name)
		s.must(err)
		_, err = part.Write(f.data)
		s.must(err)
	}
	s.must(w.Close())
	return &body, w.FormDataContentType()
}
