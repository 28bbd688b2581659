// Package passkeystest has authenticators for tests: each holds a key, as a
// phone does, and answers what a browser would hand to it.
package passkeystest

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"testing"

	"github.com/descope/virtualwebauthn"
)

// An Authenticator holds a key for one server. Whatever is changed of it is told
// by its next answer.
type Authenticator struct {
	virtualwebauthn.Authenticator
	Key    virtualwebauthn.Credential
	Server virtualwebauthn.RelyingParty
}

// New returns an authenticator with a new key for the server at an address.
func New(t testing.TB, address string) *Authenticator {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return &Authenticator{
		Authenticator: virtualwebauthn.NewAuthenticator(), Key: NewKey(),
		Server: virtualwebauthn.RelyingParty{Name: "Žurnāls", ID: u.Hostname(), Origin: address},
	}
}

// NewKey returns a key. The library writes coordinates without zeros in front,
// as real authenticators do not: one key in 128 would be refused for that.
func NewKey() virtualwebauthn.Credential {
	const whole = 77 // bytes of a public key with both coordinates
	for {
		if key := virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2); len(key.Key.AttestationData()) == whole {
			return key
		}
	}
}

// Makes answers the options of creating a key, and remembers whose it is.
func (a *Authenticator) Makes(t testing.TB, options []byte) string {
	t.Helper()
	parsed, err := virtualwebauthn.ParseAttestationOptions(string(options))
	if err != nil {
		t.Fatal(err)
	}
	var said struct {
		PublicKey struct{ User struct{ ID string } }
	}
	if err := json.Unmarshal(options, &said); err != nil {
		t.Fatal(err)
	}
	if a.Options.UserHandle, err = base64.RawURLEncoding.DecodeString(said.PublicKey.User.ID); err != nil {
		t.Fatal(err)
	}
	return virtualwebauthn.CreateAttestationResponse(a.Server, a.Authenticator, a.Key, *parsed)
}

// Signs answers the options of signing in, by the counter as it is.
func (a *Authenticator) Signs(t testing.TB, options []byte) string {
	t.Helper()
	parsed, err := virtualwebauthn.ParseAssertionOptions(string(options))
	if err != nil {
		t.Fatal(err)
	}
	return virtualwebauthn.CreateAssertionResponse(a.Server, a.Authenticator, a.Key, *parsed)
}
