package oidc_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"zurnals/internal/oidc"
	"zurnals/internal/oidc/standin"
)

// A forger is a provider whose tokens say what a test wants.
type forger struct {
	*standin.Provider
	client *oidc.Provider
}

func newForger(t testing.TB) *forger {
	t.Helper()
	p, err := standin.Start(options.ClientID, options.ClientSecret)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return &forger{p, client(p.Issuer, func(c *oidc.Config) { c.CodeClaim = "" })}
}

// redeem goes through a whole sign-in.
func (f *forger) redeem(t testing.TB, token func(standin.Claims) string) (oidc.Identity, error) {
	t.Helper()
	f.Token = token
	to, err := f.client.Address(t.Context(), secrets)
	if err != nil {
		t.Fatal(err)
	}
	stay := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	sent, err := stay.Get(to + "&login_hint=u-17")
	if err != nil {
		t.Fatal(err)
	}
	defer sent.Body.Close()
	back, err := url.Parse(sent.Header.Get("Location"))
	if err != nil || sent.StatusCode != http.StatusSeeOther {
		t.Fatalf("%d, %v", sent.StatusCode, err)
	}
	return f.client.Redeem(t.Context(), secrets, answer(back))
}

// unsigned returns a token that nobody has signed.
func unsigned(header string, c standin.Claims) string {
	payload, err := json.Marshal(c)
	if err != nil {
		panic(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(header)) + "." + encode(payload) + "."
}

// Only a token of this provider, for this client, this sign-in and this moment
// says who somebody is.
func TestForgedTokensAreRefused(t *testing.T) {
	f, other := newForger(t), newForger(t)
	changed := func(change func(*standin.Claims)) func(standin.Claims) string {
		return func(c standin.Claims) string { change(&c); return f.Sign(c) }
	}
	for name, c := range map[string]struct {
		token func(standin.Claims) string
		ok    bool
	}{
		"the right one":             {f.Sign, true},
		"also for somebody else":    {changed(func(c *standin.Claims) { c.Audience = append(c.Audience, "other") }), false},
		"the same, meant for us":    {changed(func(c *standin.Claims) { c.Audience, c.For = append(c.Audience, "other"), options.ClientID }), true},
		"the same, meant for them":  {changed(func(c *standin.Claims) { c.Audience, c.For = append(c.Audience, "other"), "other" }), false},
		"for another client":        {changed(func(c *standin.Claims) { c.Audience = []string{"other"} }), false},
		"for nobody":                {changed(func(c *standin.Claims) { c.Audience = nil }), false},
		"of another issuer":         {changed(func(c *standin.Claims) { c.Issuer = other.Issuer }), false},
		"of nobody":                 {changed(func(c *standin.Claims) { c.Issuer = "" }), false},
		"of another sign-in":        {changed(func(c *standin.Claims) { c.Nonce = "another" }), false},
		"of no sign-in":             {changed(func(c *standin.Claims) { c.Nonce = "" }), false},
		"expired":                   {changed(func(c *standin.Claims) { c.Expires = time.Now().Add(-time.Second).Unix() }), false},
		"without end":               {changed(func(c *standin.Claims) { c.Expires = 0 }), false},
		"signed by another":         {other.Sign, false},
		"not signed":                {func(c standin.Claims) string { return unsigned(`{"alg":"none"}`, c) }, false},
		"signed with nothing":       {func(c standin.Claims) string { return unsigned(`{"alg":"RS256","kid":"1"}`, c) }, false},
		"by a shared secret":        {func(c standin.Claims) string { return unsigned(`{"alg":"HS256","kid":"1"}`, c) + "AAAA" }, false},
		"changed after the signing": {func(c standin.Claims) string { return changedAfter(f.Sign(c)) }, false},
		"none":                      {func(standin.Claims) string { return "" }, false},
	} {
		got, err := f.redeem(t, c.token)
		if c.ok && (err != nil || got != (oidc.Identity{Issuer: f.Issuer, Subject: "u-17"})) || !c.ok && (!errors.Is(err, oidc.ErrRefused) || got != (oidc.Identity{})) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// changedAfter puts somebody else into a signed token.
func changedAfter(token string) string {
	parts := strings.Split(token, ".")
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		panic(err)
	}
	parts[1] = base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(payload), "u-17", "u-18", 1)))
	return strings.Join(parts, ".")
}

// FuzzRedeem has a provider answer with anything: a token made up, or anything
// signed. Nobody comes of it but by a token with the right issuer and nonce.
func FuzzRedeem(f *testing.F) {
	for _, seed := range []struct {
		token  string
		signed bool
	}{
		{`{"iss":"ISSUER","sub":"u-17","aud":"zurnals","exp":99999999999,"iat":1,"nonce":"NONCE"}`, true},
		{`{"iss":"ISSUER","sub":"u-17","aud":["zurnals","x"],"exp":1e300,"nonce":["NONCE"]}`, true},
		{`{"iss":"ISSUER","sub":{"a":1},"aud":"zurnals","exp":"x"}`, true},
		{`{"iss":"ISSUER","sub":"","aud":"zurnals","exp":99999999999,"nonce":"x","nonce":"NONCE"}`, true},
		{"null", true}, {"[]", true}, {"", true}, {"\xff", true}, {`{"_claim_names":{"sub":"x"},"_claim_sources":{"x":{"endpoint":"http://127.0.0.1:1"}}}`, true},
		{"eyJhbGciOiJub25lIn0.e30.", false}, {"..", false}, {"a.b.c.d.e", false}, {"", false}, {`{"payload":"","signatures":[]}`, false},
	} {
		f.Add(seed.token, seed.signed)
	}
	forged := newForger(f)
	f.Fuzz(func(t *testing.T, token string, signed bool) {
		var nonce, payload string
		got, err := forged.redeem(t, func(c standin.Claims) string {
			nonce = c.Nonce
			payload = strings.NewReplacer("ISSUER", c.Issuer, "NONCE", c.Nonce).Replace(token)
			if signed {
				return forged.SignBytes([]byte(payload))
			}
			return payload
		})
		var said standin.Claims
		switch {
		case err != nil && got == (oidc.Identity{}):
		case err != nil:
			t.Errorf("%q is refused, yet it is %+v", token, got)
		case !signed || json.Unmarshal([]byte(payload), &said) == nil && (said.Issuer != forged.Issuer || said.Nonce != nonce || said.Subject != got.Subject):
			t.Errorf("%q is %+v", token, got)
		}
	})
}
