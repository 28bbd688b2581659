package httpapi

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"zurnals/internal/oidc"
	"zurnals/internal/texts"
)

// FuzzRequest sends all sorts of requests to a route that takes everything: no
// answer is a 500, none that is refused is without a code.
func FuzzRequest(f *testing.F) {
	for _, seed := range [][4]string{
		{`{"email":"a"}`, "days=3", "application/json", "12345678"},
		{`{"email":"a","marks":[{"status":"present"}]}`, "", "application/json; charset=utf-8", ""},
		{`{"email":`, "days=x&days=3", "text/plain", "a b"},
		{"\xff", "%zz", "multipart/form-data", "\x00"},
		{`{"email":"\ud800","note":null}`, "role=1", "application/problem+json", "äöü"},
		{`[[[[[[[[`, "days=99999999999999999999", "", strings.Repeat("k", 300)},
		{`{"email":"a\u0000"}`, "a=%00", "application/xml;q=x", "12345678"},
		{`1e999`, ";", ",,,", "'"},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3])
	}
	f.Fuzz(func(t *testing.T, body, query, kind, key string) {
		w := newWorld(t, echo(fine))
		r := httptest.NewRequest("POST", echoPath, strings.NewReader(body))
		r.URL.RawQuery = query
		r.Header["Authorization"] = []string{"Bearer " + w.signIn(admin)}
		r.Header["Content-Type"] = []string{kind}
		r.Header["Accept"] = []string{kind}
		r.Header["Idempotency-Key"] = []string{key}
		r.Header["Zurnals-Min-Position"] = []string{"0"}
		a := w.do(r)
		if a.Code >= 500 || a.Code >= 400 && texts.Of(texts.Latvian, a.problem.Code) == "" {
			t.Errorf("%d %s", a.Code, a.Body)
		}
	})
}

// FuzzSane holds that what passes is UTF-8 without the character zero.
func FuzzSane(f *testing.F) {
	for _, s := range []string{`{}`, `"\\u0000"`, `"\\\u0000"`, `"\"`, `[[]]`, strings.Repeat("[", 33), `{"a":"]]]]"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var v any
		if sane(data) != nil || json.Unmarshal(data, &v) != nil {
			return
		}
		out, err := json.Marshal(v)
		if err != nil || !utf8.Valid(out) {
			t.Fatal(err)
		}
		if zero(v) {
			t.Errorf("%q holds the character zero", data)
		}
	})
}

func zero(v any) bool {
	switch v := v.(type) {
	case string:
		return strings.ContainsRune(v, 0)
	case []any:
		for _, e := range v {
			if zero(e) {
				return true
			}
		}
	case map[string]any:
		for k, e := range v {
			if zero(k) || zero(e) {
				return true
			}
		}
	}
	return false
}

func FuzzIfMatch(f *testing.F) {
	for _, s := range []string{"", "*", `"1"`, `W/"2"`, `"`, `"-1"`, `"9223372036854775808"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, header string) {
		version, err := ifMatch(header)
		if err == nil && header != "*" && version < 1 || err != nil && version != 0 {
			t.Errorf("%q: %d, %v", header, version, err)
		}
	})
}

// begunFlows has one sign-in at E-klase begun, which is over when it is taken.
type begunFlows struct{ secrets oidc.Secrets }

func (f *begunFlows) Begin(context.Context, oidc.Flow) (oidc.Secrets, oidc.Flow, error) {
	return f.secrets, oidc.Flow{}, nil
}

func (f *begunFlows) Take(_ context.Context, provider string, secrets oidc.Secrets) (oidc.Flow, error) {
	if provider != "eklase" || secrets != f.secrets {
		return oidc.Flow{}, oidc.ErrState
	}
	return oidc.Flow{Provider: provider}, nil
}

// FuzzComeBack comes back from a service with anything: nobody is signed in by
// it, every answer is a page or a problem, and none is a fault of ours.
func FuzzComeBack(f *testing.F) {
	for _, seed := range [][3]string{
		{"eklase", "code=a&state=STATE&iss=https%3A%2F%2Fid.example", "BROWSER"},
		{"eklase", "state=STATE&state=STATE&code=a&code=b&error=access_denied", "BROWSER"},
		{"eklase", "error=access_denied&state=STATE&error_description=%3Cscript%3E", "BROWSER"},
		{"eklase", "state=STATE", ""}, {"eparaksts", "state=STATE&code=a", "BROWSER"}, {"google", "", "x"}, {"email", "%zz&;=", "\x00"},
		{"eklase", "state=" + strings.Repeat("x", 3000), strings.Repeat("y", 3000)}, {"%2e%2e", "code=\xff", "\""},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	f.Fuzz(func(t *testing.T, provider, query, cookie string) {
		secrets := oidc.Secrets{State: "STATE", Browser: "BROWSER"}
		w := newWorld(t, func(a *API) { a.pages.Get("/external-logins/{provider}/callback", a.comeBack) })
		w.api.External = External{Flows: &begunFlows{secrets}, Providers: map[string]*oidc.Provider{
			"eklase": oidc.New(oidc.Config{Issuer: "http://127.0.0.1:1", Now: time.Now}), // nobody there
		}}
		r := httptest.NewRequest("GET", "/external-logins/x/callback", nil)
		r.URL.Path, r.URL.RawPath, r.URL.RawQuery = "/external-logins/"+provider+"/callback", "", query
		r.Header["Cookie"] = []string{"__Host-zurnals-external=" + cookie}
		a := httptest.NewRecorder()
		w.handler.ServeHTTP(a, r)
		if a.Code < 400 || a.Code == 500 {
			t.Errorf("%d %s", a.Code, a.Body)
		}
		if kind := a.Header().Get("Content-Type"); !strings.HasPrefix(kind, "text/html") && kind != "application/problem+json" {
			t.Errorf("%d %s: %s", a.Code, kind, a.Body)
		}
		for _, c := range a.Result().Cookies() {
			if c.MaxAge >= 0 {
				t.Errorf("a cookie is left: %+v", c)
			}
		}
		if len(w.sessions.all) > 0 || strings.Contains(a.Body.String(), "<script") {
			t.Errorf("a session was made, or a script: %s", a.Body)
		}
	})
}
