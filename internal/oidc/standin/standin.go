// Package standin is a small OpenID Connect provider inside a process. It stands
// in for E-klase where there is no Node.js: in the tour, and in tests that need
// one that says what it should not. Whoever comes is signed in as login_hint
// says. It serves this machine only.
package standin

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// A Provider is one that runs.
type Provider struct {
	Issuer string // its address

	// Token, if it is set, answers with another ID token than the right one.
	Token func(Claims) string

	client, secret string
	key            *rsa.PrivateKey
	server         *http.Server

	mu    sync.Mutex
	codes map[string]begun // by code, each works once
}

// Claims are what an ID token says.
type Claims struct {
	Issuer   string   `json:"iss"`
	Subject  string   `json:"sub"`
	Audience []string `json:"aud"`
	For      string   `json:"azp,omitempty"`
	Expires  int64    `json:"exp"`
	IssuedAt int64    `json:"iat"`
	Nonce    string   `json:"nonce,omitempty"`
}

// begun is a sign-in whose code has not been exchanged yet.
type begun struct{ redirect, challenge, nonce, subject string }

// tokenLife is how long a token is good for.
const tokenLife = 5 * time.Minute

// Start runs a provider for one client, until Close.
func Start(client, secret string) (*Provider, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Provider{Issuer: "http://" + l.Addr().String(), client: client, secret: secret, key: key, codes: make(map[string]begun)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", p.discovery)
	mux.HandleFunc("GET /keys", p.keys)
	mux.HandleFunc("GET /authorize", p.authorize)
	mux.HandleFunc("POST /token", p.token)
	p.server = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = p.server.Serve(l) }()
	return p, nil
}

// Close ends it.
func (p *Provider) Close() error { return p.server.Close() }

func (p *Provider) discovery(w http.ResponseWriter, _ *http.Request) {
	say(w, http.StatusOK, struct {
		Issuer     string   `json:"issuer"`
		Authorize  string   `json:"authorization_endpoint"`
		Token      string   `json:"token_endpoint"`
		Keys       string   `json:"jwks_uri"`
		Types      []string `json:"response_types_supported"`
		Subjects   []string `json:"subject_types_supported"`
		Algorithms []string `json:"id_token_signing_alg_values_supported"`
		Methods    []string `json:"code_challenge_methods_supported"`
		TellsIss   bool     `json:"authorization_response_iss_parameter_supported"`
	}{
		p.Issuer, p.Issuer + "/authorize", p.Issuer + "/token", p.Issuer + "/keys",
		[]string{"code"}, []string{"public"}, []string{"RS256"}, []string{"S256"}, true,
	})
}

func (p *Provider) keys(w http.ResponseWriter, _ *http.Request) {
	say(w, http.StatusOK, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &p.key.PublicKey, KeyID: "1", Algorithm: "RS256", Use: "sig"}}})
}

// authorize sends the browser back at once.
func (p *Provider) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	back, err := url.Parse(q.Get("redirect_uri"))
	if err != nil || q.Get("client_id") != p.client || q.Get("response_type") != "code" ||
		q.Get("code_challenge_method") != "S256" || q.Get("login_hint") == "" {
		http.Error(w, "this is not how a sign-in begins", http.StatusBadRequest)
		return
	}
	code := rand.Text()
	p.mu.Lock()
	p.codes[code] = begun{q.Get("redirect_uri"), q.Get("code_challenge"), q.Get("nonce"), q.Get("login_hint")}
	p.mu.Unlock()
	answer := back.Query()
	answer.Set("code", code)
	answer.Set("state", q.Get("state"))
	answer.Set("iss", p.Issuer)
	back.RawQuery = answer.Encode()
	http.Redirect(w, r, back.String(), http.StatusSeeOther)
}

func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	client, secret, ok := r.BasicAuth()
	if !ok {
		client, secret = r.PostFormValue("client_id"), r.PostFormValue("client_secret")
	}
	client, _ = url.QueryUnescape(client) // RFC 6749, section 2.3.1
	secret, _ = url.QueryUnescape(secret)
	p.mu.Lock()
	b, known := p.codes[r.PostFormValue("code")]
	delete(p.codes, r.PostFormValue("code"))
	p.mu.Unlock()
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	switch {
	case client != p.client || subtle.ConstantTimeCompare([]byte(secret), []byte(p.secret)) != 1:
		say(w, http.StatusUnauthorized, refusal{"invalid_client"})
		return
	case !known || b.redirect != r.PostFormValue("redirect_uri") || b.challenge != base64.RawURLEncoding.EncodeToString(sum[:]):
		say(w, http.StatusBadRequest, refusal{"invalid_grant"})
		return
	}
	now := time.Now()
	claims := Claims{
		Issuer: p.Issuer, Subject: b.subject, Audience: []string{p.client}, Nonce: b.nonce,
		IssuedAt: now.Unix(), Expires: now.Add(tokenLife).Unix(),
	}
	sign := p.Sign
	if p.Token != nil {
		sign = p.Token
	}
	say(w, http.StatusOK, struct {
		AccessToken string `json:"access_token"`
		Type        string `json:"token_type"`
		ExpiresIn   int    `json:"expires_in"`
		IDToken     string `json:"id_token"`
	}{rand.Text(), "Bearer", int(tokenLife.Seconds()), sign(claims)})
}

type refusal struct {
	Error string `json:"error"`
}

// Sign returns the ID token with some claims.
func (p *Provider) Sign(claims Claims) string {
	payload, err := json.Marshal(claims)
	if err != nil {
		panic(err) // texts and numbers
	}
	return p.SignBytes(payload)
}

// SignBytes returns a token that says anything, signed as the right one is.
func (p *Provider) SignBytes(payload []byte) string {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: p.key, KeyID: "1"}}, nil)
	if err != nil {
		panic(err) // the key is our own
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		panic(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		panic(err)
	}
	return token
}

func say(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // whoever has gone gets no answer
}
