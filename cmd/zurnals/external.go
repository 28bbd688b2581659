package main

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"zurnals/httpapi"
	"zurnals/internal/oidc"
)

// A Service is an OpenID Connect provider that people may sign in by. Without
// issuer there is none. It must know the address to send people back to:
// <public-url>/external-logins/<name>/callback.
type Service struct {
	// Issuer is what the provider calls itself, an address.
	Issuer string
	// ClientID is what the provider calls us.
	ClientID string
	// SecretFile holds the secret that we prove it by.
	SecretFile string
	// CodeClaim is the claim that holds the personal code. It is a must for
	// e-paraksts, and E-klase may be without.
	CodeClaim string
}

// services are those there are, by name.
func (c *Config) services() map[string]*Service {
	return map[string]*Service{"eklase": &c.Eklase, "eparaksts": &c.Eparaksts}
}

// check tells the mistakes in the settings of a service.
func (s *Service) check(name string, say func(flag, format string, args ...any)) {
	if s.Issuer == "" {
		if s.ClientID != "" || s.SecretFile != "" {
			say(name+"-issuer", "is missing")
		}
		return
	}
	u, err := url.Parse(s.Issuer)
	if err != nil || u.Host == "" || u.Scheme != "https" && (u.Scheme != "http" || !loopback(net.JoinHostPort(u.Hostname(), "0"))) {
		say(name+"-issuer", "%q is not an https address", s.Issuer)
	}
	if s.ClientID == "" {
		say(name+"-client-id", "is missing")
	}
	if _, err := s.secret(); err != nil {
		say(name+"-secret-file", "%v", err)
	}
	if name == "eparaksts" && s.CodeClaim == "" {
		say(name+"-code-claim", "is missing: without personal codes nobody can connect it")
	}
}

func (s *Service) secret() (string, error) {
	if s.SecretFile == "" {
		return "", errors.New("is missing")
	}
	data, err := os.ReadFile(s.SecretFile)
	if err != nil {
		return "", err
	}
	secret := strings.TrimSpace(string(data))
	if secret == "" {
		return "", fmt.Errorf("%s is empty", s.SecretFile)
	}
	return secret, nil
}

// external returns the services that are set up. They are first asked when
// somebody wants to sign in.
func (a *app) external() (httpapi.External, error) {
	all := httpapi.External{
		Providers: make(map[string]*oidc.Provider),
		Flows:     &oidc.Flows{Pool: a.pool, Now: a.clock.Now},
	}
	for name, s := range a.cfg.services() {
		if s.Issuer == "" {
			continue
		}
		secret, err := s.secret()
		if err != nil {
			return all, fmt.Errorf("-%s-secret-file: %w", name, err)
		}
		var scopes []string
		if s.CodeClaim != "" {
			scopes = []string{"profile"}
		}
		all.Providers[name] = oidc.New(oidc.Config{
			Issuer: s.Issuer, ClientID: s.ClientID, ClientSecret: secret, Scopes: scopes, CodeClaim: s.CodeClaim,
			RedirectURL: a.cfg.PublicURL + "/external-logins/" + name + "/callback",
			Now:         time.Now, // the clock of the machine: the service knows no other
		})
	}
	return all, nil
}
