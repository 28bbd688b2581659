// Package oidc lets other services vouch for people by OpenID Connect
// (Latvian: pieslēgšanās ar ārēju servisu).
//
// The code of an answer is exchanged by this server (authorization code flow)
// and is of no use without PKCE's verifier. Verifier and nonce follow from a
// secret that only the browser has that began, so an answer works in that
// browser, and once.
package oidc

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"zurnals/domain"
)

// A Config is how one service is reached.
type Config struct {
	Issuer       string
	ClientID     string
	ClientSecret string
	RedirectURL  string // of ours, that the service knows
	Scopes       []string

	// CodeClaim is the claim with the personal code, in the ID token or else at
	// the userinfo endpoint. Empty: the service does not tell it.
	CodeClaim string

	// Now is the machine's clock, not the one of the program: the service
	// stamps what it says by its own.
	Now func() time.Time
}

// A Provider is one service. What it says of itself is asked for when it is
// first needed: it need not be there when the server starts.
type Provider struct {
	cfg    Config
	client *http.Client

	mu    sync.Mutex
	found *discovered
}

type discovered struct {
	provider  *oidc.Provider
	verifier  *oidc.IDTokenVerifier
	tellsIss  bool // in every answer, RFC 9207
	exchanges oauth2.Config
}

// Refusals of a service, and of what it answers.
var (
	ErrUnavailable = domain.Refuse(domain.Unavailable, "identity.external_unavailable", "the service cannot be reached")
	ErrRefused     = domain.Refuse(domain.Unauthenticated, "identity.external_refused", "the answer of the service is not valid")
	ErrCancelled   = domain.Refuse(domain.Unauthenticated, "identity.external_cancelled", "signing in at the service was cancelled")
	ErrNone        = domain.Refuse(domain.NotFound, "identity.external_not_configured", "this service is not available here")
)

// An Identity is who has signed in at the service.
type Identity struct {
	Issuer, Subject string
	PersonalCode    string // as the service writes it, without what stands before it
}

const (
	patience  = 10 * time.Second // with one request to the service
	answerMax = 1 << 20          // bytes of its answer
)

// New returns a service. Nothing is asked of it yet.
func New(cfg Config) *Provider {
	return &Provider{cfg: cfg, client: &http.Client{
		Timeout: patience, Transport: bounded{http.DefaultTransport},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// bounded cuts answers off that are far too long.
type bounded struct{ http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := b.RoundTripper.RoundTrip(r)
	if err == nil {
		answer.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(answer.Body, answerMax), answer.Body}
	}
	return answer, err
}

// discover returns what the service says of itself.
func (p *Provider) discover(ctx context.Context) (*discovered, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.found != nil {
		return p.found, nil
	}
	provider, err := oidc.NewProvider(oidc.ClientContext(ctx, p.client), p.cfg.Issuer)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrUnavailable, p.cfg.Issuer, err)
	}
	var more struct {
		TellsIss bool `json:"authorization_response_iss_parameter_supported"`
	}
	if err := provider.Claims(&more); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrUnavailable, p.cfg.Issuer, err)
	}
	p.found = &discovered{
		provider: provider, tellsIss: more.TellsIss,
		verifier: provider.VerifierContext(oidc.ClientContext(context.WithoutCancel(ctx), p.client),
			&oidc.Config{ClientID: p.cfg.ClientID, Now: p.cfg.Now}),
		exchanges: oauth2.Config{
			ClientID: p.cfg.ClientID, ClientSecret: p.cfg.ClientSecret, RedirectURL: p.cfg.RedirectURL,
			Endpoint: provider.Endpoint(), Scopes: append([]string{oidc.ScopeOpenID}, p.cfg.Scopes...),
		},
	}
	return p.found, nil
}

// Address returns where the browser is to go to sign in.
func (p *Provider) Address(ctx context.Context, s Secrets) (string, error) {
	found, err := p.discover(ctx)
	if err != nil {
		return "", err
	}
	return found.exchanges.AuthCodeURL(s.State, oidc.Nonce(s.nonce()), oauth2.S256ChallengeOption(s.verifier())), nil
}

// An Answer is what the browser brings back from the service.
type Answer struct {
	Code   string
	Issuer string // who answers, if it says so
	Error  string // instead of a code
}

// Redeem returns who has signed in, if the answer is one to these secrets.
// Whether they were used before is for Flows to know.
func (p *Provider) Redeem(ctx context.Context, s Secrets, answer Answer) (Identity, error) {
	found, err := p.discover(ctx)
	switch {
	case err != nil:
		return Identity{}, err
	case answer.Issuer != "" && answer.Issuer != p.cfg.Issuer, answer.Issuer == "" && found.tellsIss:
		return Identity{}, fmt.Errorf("%w: answered by %q", ErrRefused, answer.Issuer)
	case answer.Error == "access_denied":
		return Identity{}, ErrCancelled
	case answer.Error != "" || answer.Code == "":
		return Identity{}, fmt.Errorf("%w: no code, error %q", ErrRefused, answer.Error)
	}
	ctx = oidc.ClientContext(ctx, p.client)
	token, err := found.exchanges.Exchange(ctx, answer.Code, oauth2.VerifierOption(s.verifier()))
	var told *oauth2.RetrieveError
	switch {
	case errors.As(err, &told) && told.Response.StatusCode < http.StatusInternalServerError:
		return Identity{}, fmt.Errorf("%w: code not taken: %s", ErrRefused, told.ErrorCode)
	case err != nil:
		return Identity{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := found.verifier.Verify(ctx, raw)
	if err != nil {
		return Identity{}, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	var claims map[string]json.RawMessage
	if err := id.Claims(&claims); err != nil {
		return Identity{}, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	switch {
	case subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(s.nonce())) != 1:
		return Identity{}, fmt.Errorf("%w: another nonce", ErrRefused)
	case len(id.Audience) > 1 && !is(claims["azp"], p.cfg.ClientID):
		return Identity{}, fmt.Errorf("%w: for somebody else too", ErrRefused)
	case id.AccessTokenHash != "" && id.VerifyAccessToken(token.AccessToken) != nil:
		return Identity{}, fmt.Errorf("%w: another access token", ErrRefused)
	}
	code, err := p.personalCode(ctx, found, id, claims, token)
	if err != nil {
		return Identity{}, err
	}
	return Identity{Issuer: id.Issuer, Subject: id.Subject, PersonalCode: code}, nil
}

// is says whether a claim is a text.
func is(claim json.RawMessage, text string) bool {
	var s string
	return json.Unmarshal(claim, &s) == nil && s == text
}

// personalCode returns the code from the ID token, or else from userinfo.
func (p *Provider) personalCode(ctx context.Context, found *discovered, id *oidc.IDToken, claims map[string]json.RawMessage, token *oauth2.Token) (string, error) {
	if p.cfg.CodeClaim == "" {
		return "", nil
	}
	claim, ok := claims[p.cfg.CodeClaim]
	if !ok && found.provider.UserInfoEndpoint() != "" {
		info, err := found.provider.UserInfo(ctx, oauth2.StaticTokenSource(token))
		if err != nil {
			return "", fmt.Errorf("%w: userinfo: %w", ErrUnavailable, err)
		}
		if info.Subject != id.Subject { // of somebody else: OpenID Connect Core 5.3.2
			return "", fmt.Errorf("%w: userinfo of another subject", ErrRefused)
		}
		var more map[string]json.RawMessage
		if err := info.Claims(&more); err != nil {
			return "", fmt.Errorf("%w: userinfo: %w", ErrRefused, err)
		}
		claim = more[p.cfg.CodeClaim]
	}
	if len(claim) == 0 {
		return "", nil
	}
	var code string
	if err := json.Unmarshal(claim, &code); err != nil {
		return "", fmt.Errorf("%w: %s is no text", ErrRefused, p.cfg.CodeClaim)
	}
	return strings.TrimPrefix(code, "PNOLV-"), nil // ETSI EN 319 412-1: a national number of Latvia
}
