package tour

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// A person is somebody who works with the server.
type person struct {
	name  string
	token string // of the session; empty: nobody is signed in
	role  string // assignment to act in; empty: the only one
	coded bool   // the sign-in asked for a mailed code
}

// An answer is what the server said.
type answer struct {
	t      *tour
	what   string // the request, for complaints
	status int
	header http.Header
	body   []byte
}

// ask sends a request with a body of JSON, or none, and expects a status.
func (t *tour) ask(p *person, method, path string, body any, status int) *answer {
	var r io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		t.must(err)
		r = bytes.NewReader(data)
	}
	return t.send(p, method, path, "application/json", r, nil, status)
}

func (t *tour) get(p *person, path string, status int) *answer {
	return t.ask(p, http.MethodGet, path, nil, status)
}

func (t *tour) post(p *person, path string, body any, status int) *answer {
	return t.ask(p, http.MethodPost, path, body, status)
}

func (t *tour) put(p *person, path string, body any, status int) *answer {
	return t.ask(p, http.MethodPut, path, body, status)
}

// upload sends a file, with other fields of the form.
func (t *tour) upload(p *person, path, name string, file []byte, status int, fields ...string) *answer {
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	for i := 0; i+1 < len(fields); i += 2 {
		t.must(w.WriteField(fields[i], fields[i+1]))
	}
	f, err := w.CreateFormFile("file", name)
	t.must(err)
	_, err = f.Write(file)
	t.must(err)
	t.must(w.Close())
	return t.send(p, http.MethodPost, path, w.FormDataContentType(), &form, nil, status)
}

// send sends a request. Paths that begin with /dev, /a or /s are not of the API.
func (t *tour) send(p *person, method, path, kind string, body io.Reader, header http.Header, status int) *answer {
	a, err := t.try(p, method, path, kind, body, header)
	t.must(err)
	t.check(a.status == status, "%s was answered by %d, not %d: %s", a.what, a.status, status, a.body)
	return a
}

// try sends a request and takes whatever comes back.
func (t *tour) try(p *person, method, path, kind string, body io.Reader, header http.Header) (*answer, error) {
	url := t.server.url + path
	if !strings.HasPrefix(path, "/dev") && !strings.HasPrefix(path, "/a/") && !strings.HasPrefix(path, "/s/") {
		url = t.server.url + "/api/v1" + path
	}
	r, err := http.NewRequestWithContext(t.ctx, method, url, body)
	if err != nil {
		return nil, err
	}
	for name, values := range header {
		r.Header[name] = values
	}
	if body != nil {
		r.Header.Set("Content-Type", kind)
	}
	r.Header.Set("Accept-Language", "en")
	if p != nil {
		if p.token != "" {
			r.Header.Set("Authorization", "Bearer "+p.token)
		}
		if p.role != "" {
			r.Header.Set("Zurnals-Role", p.role)
		}
		if at := t.seen(); at != "" && method == http.MethodGet {
			r.Header.Set("Zurnals-Min-Position", at)
		}
	}
	t.requests.Add(1)
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer got.Body.Close()
	data, err := io.ReadAll(got.Body)
	if err != nil {
		return nil, err
	}
	a := &answer{t: t, what: method + " " + path, status: got.StatusCode, header: got.Header, body: data}
	if at := got.Header.Get("Zurnals-Position"); at != "" {
		t.note(at)
	}
	return a, nil
}

// into reads the body as JSON.
func (a *answer) into(v any) {
	if err := json.Unmarshal(a.body, v); err != nil {
		a.t.fail("%s: %v in %s", a.what, err, a.body)
	}
}

// refused checks the code of a refusal.
func (a *answer) refused(code string) *answer {
	var problem struct{ Code string }
	a.into(&problem)
	same(a.t, a.what+": code", problem.Code, code)
	return a
}

// A mail is one that the server would have sent.
type mail struct {
	To, Subject, Text string
	At                time.Time
}

// mailTo returns the newest mail to an address, after all jobs are done.
func (t *tour) mailTo(address string) mail {
	t.send(nil, http.MethodPost, "/dev/jobs/run", "", nil, nil, http.StatusOK)
	for _, m := range t.mails() {
		if m.To == address {
			return m
		}
	}
	t.fail("no mail to %s", address)
	return mail{}
}

func (t *tour) mails() []mail {
	var list struct{ Items []mail }
	t.send(nil, http.MethodGet, "/dev/mail", "", nil, nil, http.StatusOK).into(&list)
	return list.Items
}

var (
	linkPattern = regexp.MustCompile(`/registrations/([A-Za-z0-9_-]+)`)
	codePattern = regexp.MustCompile(`\b(\d{6})\b`)
)

// register follows the mailed link of an invitation with a password.
func (t *tour) followLink(address, password string) {
	found := linkPattern.FindStringSubmatch(t.mailTo(address).Text)
	t.check(found != nil, "the mail to %s has no registration link", address)
	t.post(nil, "/registrations/"+found[1], fields{"password": password}, http.StatusNoContent)
}

// link returns the token of the newest mailed link of a kind.
func (t *tour) link(kind, address string) string {
	letter := t.mailTo(address)
	_, rest, found := strings.Cut(letter.Text, "/"+kind+"/")
	t.check(found, "the mail to %s has no link of the kind %s: %s", address, kind, letter.Text)
	token, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(token)
}

// signIn signs a person in, with the mailed code if one is asked for.
func (t *tour) signIn(name, address, password string) *person {
	a, err := t.try(nil, http.MethodPost, "/sessions", "application/json", jsonOf(t, fields{"email": address, "password": password}), nil)
	t.must(err)
	coded := a.status == http.StatusAccepted
	if coded {
		var asked struct{ Challenge string }
		a.into(&asked)
		code := codePattern.FindString(t.mailTo(address).Text)
		t.check(code != "", "the mail to %s has no code", address)
		a = t.post(nil, "/sessions/challenges/"+asked.Challenge, fields{"code": code}, http.StatusCreated)
	}
	t.check(a.status == http.StatusCreated, "sign-in of %s: %d %s", address, a.status, a.body)
	var session struct{ Token string }
	a.into(&session)
	t.check(session.Token != "", "sign-in of %s: no token in %s", address, a.body)
	return &person{name: name, token: session.Token, coded: coded}
}

// A visit is what a browser gets that goes to E-klase and back.
type visit struct {
	status  int
	page    string
	session string // token of the session that began
	again   func() *visit
}

// viaEklase begins a sign-in at E-klase, signs in there, and comes back.
func (t *tour) viaEklase(p *person, path, subject string) *visit {
	a := t.post(p, path, nil, http.StatusCreated)
	var begun struct {
		Address string `json:"authorization_url"`
	}
	a.into(&begun)
	there := t.browse(begun.Address+"&login_hint="+subject, "")
	same(t, "E-klase answers with", there.StatusCode, http.StatusSeeOther)
	cookie, _, _ := strings.Cut(a.header.Get("Set-Cookie"), ";")
	var back func() *visit
	back = func() *visit {
		answer := t.browse(there.Header.Get("Location"), cookie)
		page, err := io.ReadAll(answer.Body)
		t.must(err)
		v := &visit{status: answer.StatusCode, page: string(page), again: back}
		for _, c := range answer.Cookies() {
			if c.Name == "zurnals" {
				v.session = c.Value
			}
		}
		return v
	}
	return back()
}

// browse opens an address as a browser does, and stays there.
func (t *tour) browse(address, cookie string) *http.Response {
	r, err := http.NewRequestWithContext(t.ctx, http.MethodGet, address, nil)
	t.must(err)
	r.Header.Set("Accept-Language", "en")
	if cookie != "" {
		r.Header.Set("Cookie", cookie)
	}
	t.requests.Add(1)
	stay := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := stay.Do(r)
	t.must(err)
	body, err := io.ReadAll(answer.Body)
	t.must(err)
	t.must(answer.Body.Close())
	answer.Body = io.NopCloser(bytes.NewReader(body))
	return answer
}

// fields are the body of a request.
type fields map[string]string

func jsonOf(t *tour, v any) io.Reader {
	data, err := json.Marshal(v)
	t.must(err)
	return bytes.NewReader(data)
}

// plural returns a number with its thing.
func plural(n int, thing string) string {
	if n == 1 {
		return fmt.Sprintf("1 %s", thing)
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
