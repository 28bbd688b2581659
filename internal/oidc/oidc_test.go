package oidc_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"zurnals/internal/oidc"
	"zurnals/internal/oidc/oidctest"
)

const redirect = "https://zurnals.example/external-logins/eparaksts/callback"

var options = oidctest.Options{ClientID: "zurnals", ClientSecret: "a secret of the client", Redirects: []string{redirect}}

func client(issuer string, change ...func(*oidc.Config)) *oidc.Provider {
	cfg := oidc.Config{
		Issuer: issuer, ClientID: options.ClientID, ClientSecret: options.ClientSecret, RedirectURL: redirect,
		Scopes: []string{"profile"}, CodeClaim: "serial_number", Now: time.Now,
	}
	for _, c := range change {
		c(&cfg)
	}
	return oidc.New(cfg)
}

var secrets = oidc.Secrets{State: "state", Browser: "browser"}

func address(t *testing.T, p *oidc.Provider) string {
	t.Helper()
	to, err := p.Address(t.Context(), secrets)
	if err != nil {
		t.Fatal(err)
	}
	return to
}

func answer(back *url.URL) oidc.Answer {
	q := back.Query()
	return oidc.Answer{Code: q.Get("code"), Issuer: q.Get("iss"), Error: q.Get("error")}
}

// Who signs in at the provider is who we are told, with the personal code.
func TestProviderVouchesForSomebody(t *testing.T) {
	for name, inToken := range map[string]bool{"at userinfo": false, "in the ID token": true} {
		o := options
		o.InIDToken = inToken
		p := oidctest.Start(t, o)
		c := client(p.Issuer)
		to := address(t, c)
		for _, part := range []string{"code_challenge_method=S256", "response_type=code", "scope=openid+profile", "state=state"} {
			if !strings.Contains(to, part) {
				t.Errorf("%s: %s is not in %s", name, part, to)
			}
		}
		if strings.Contains(to, "browser") {
			t.Errorf("%s: the secret of the browser is in %s", name, to)
		}
		back := p.SignIn(to, "u-17", "PNOLV-161175-19997")
		if !strings.HasPrefix(back.String(), redirect) || back.Query().Get("state") != "state" {
			t.Fatalf("%s: sent back to %s", name, back)
		}
		got, err := c.Redeem(t.Context(), secrets, answer(back))
		if want := (oidc.Identity{Issuer: p.Issuer, Subject: "u-17", PersonalCode: "161175-19997"}); err != nil || got != want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if _, err := c.Redeem(t.Context(), secrets, answer(back)); !errors.Is(err, oidc.ErrRefused) {
			t.Errorf("%s: the code works twice: %v", name, err)
		}
		plain := client(p.Issuer, func(c *oidc.Config) { c.CodeClaim = "" })
		got, err = plain.Redeem(t.Context(), secrets, answer(p.SignIn(address(t, plain), "u-17", "PNOLV-1")))
		if err != nil || got.PersonalCode != "" || got.Subject != "u-17" {
			t.Errorf("%s: without code: %+v, %v", name, got, err)
		}
	}
}

// Nothing of an answer may be of another sign-in, browser, client or time.
func TestWrongAnswersAreRefused(t *testing.T) {
	p := oidctest.Start(t, options)
	c := client(p.Issuer)
	to := address(t, c)
	fresh := func() oidc.Answer { return answer(p.SignIn(to, "u-17", "PNOLV-161175-19997")) }
	late := client(p.Issuer, func(c *oidc.Config) { c.Now = func() time.Time { return time.Now().Add(5*time.Minute + time.Second) } })
	notYet := client(p.Issuer, func(c *oidc.Config) { c.Now = func() time.Time { return time.Now().Add(4 * time.Minute) } })
	for name, ask := range map[string]struct {
		client  *oidc.Provider
		secrets oidc.Secrets
		answer  oidc.Answer
		want    error
	}{
		"right":                   {c, secrets, fresh(), nil},
		"before it expires":       {notYet, secrets, fresh(), nil},
		"expired":                 {late, secrets, fresh(), oidc.ErrRefused},
		"wrong nonce":             {c, secrets, answer(p.SignIn(replaced(t, to, "nonce", "another"), "u-17", "")), oidc.ErrRefused},
		"another browser":         {c, oidc.Secrets{State: "state", Browser: "other"}, fresh(), oidc.ErrRefused},
		"another state":           {c, oidc.Secrets{State: "other", Browser: "browser"}, fresh(), oidc.ErrRefused},
		"made up code":            {c, secrets, oidc.Answer{Code: "made-up", Issuer: p.Issuer}, oidc.ErrRefused},
		"no code":                 {c, secrets, oidc.Answer{Issuer: p.Issuer}, oidc.ErrRefused},
		"answered by another":     {c, secrets, oidc.Answer{Code: fresh().Code, Issuer: "https://other.example"}, oidc.ErrRefused},
		"answered by nobody":      {c, secrets, oidc.Answer{Code: fresh().Code}, oidc.ErrRefused},
		"cancelled":               {c, secrets, answer(p.SignIn(to, "cancel", "")), oidc.ErrCancelled},
		"error of the provider":   {c, secrets, oidc.Answer{Error: "server_error", Issuer: p.Issuer}, oidc.ErrRefused},
		"wrong secret of ours":    {client(p.Issuer, func(c *oidc.Config) { c.ClientSecret = "wrong" }), secrets, fresh(), oidc.ErrRefused},
		"nobody at the address":   {client("http://127.0.0.1:1"), secrets, fresh(), oidc.ErrUnavailable},
		"provider of another one": {client(p.Issuer + "/"), secrets, fresh(), oidc.ErrUnavailable},
	} {
		got, err := ask.client.Redeem(t.Context(), ask.secrets, ask.answer)
		if !errors.Is(err, ask.want) || (err == nil) != (ask.want == nil) || err != nil && got != (oidc.Identity{}) {
			t.Errorf("%s: %+v, %v, want %v", name, got, err, ask.want)
		}
	}
}

// replaced changes one parameter of an address.
func replaced(t *testing.T, address, name, value string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set(name, value)
	u.RawQuery = q.Encode()
	return u.String()
}

// Somebody between us and the provider claims to be it, but the token is of the
// issuer it really is from; or userinfo is of somebody else.
func TestLiarsAreRefused(t *testing.T) {
	for name, lie := range map[string]struct{ path, field, value string }{
		"wrong issuer in the token": {"/.well-known/openid-configuration", "issuer", ""},
		"userinfo of somebody else": {"/me", "sub", "u-18"},
		"the truth":                 {"/nowhere", "", ""},
	} {
		forward := new(httputil.ReverseProxy)
		liar := httptest.NewServer(forward)
		defer liar.Close()
		o := options
		if lie.field != "issuer" {
			o.Issuer = liar.URL
		}
		p := oidctest.Start(t, o)
		target, err := url.Parse(p.Issuer)
		if err != nil {
			t.Fatal(err)
		}
		forward.Rewrite = func(r *httputil.ProxyRequest) { r.SetURL(target); r.Out.Host = r.In.Host }
		forward.ModifyResponse = func(r *http.Response) error {
			if r.Request.URL.Path != lie.path {
				return nil
			}
			var fields map[string]json.RawMessage
			if err := json.NewDecoder(r.Body).Decode(&fields); err != nil {
				return err
			}
			value := lie.value
			if value == "" {
				value = liar.URL
			}
			fields[lie.field] = json.RawMessage(`"` + value + `"`)
			body, err := json.Marshal(fields)
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
			r.Header.Del("Content-Length")
			return err
		}
		c := client(liar.URL)
		got := answer(p.SignIn(address(t, c), "u-17", "PNOLV-161175-19997"))
		got.Issuer = liar.URL
		id, err := c.Redeem(t.Context(), secrets, got)
		if lie.field == "" {
			if err != nil || id.Subject != "u-17" || id.Issuer != liar.URL {
				t.Errorf("%s: %+v, %v", name, id, err)
			}
		} else if !errors.Is(err, oidc.ErrRefused) || id != (oidc.Identity{}) {
			t.Errorf("%s: %+v, %v", name, id, err)
		}
	}
}

// A service that is slow or gone does not hold people up for ever, and one
// that comes back is found.
func TestProviderThatComesBack(t *testing.T) {
	p := oidctest.Start(t, options)
	c := client(p.Issuer)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Address(ended, secrets); !errors.Is(err, oidc.ErrUnavailable) {
		t.Errorf("%v", err)
	}
	if _, err := c.Address(t.Context(), secrets); err != nil {
		t.Error(err)
	}
}
