package identity

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"sort"
	"strings"

	"zurnals/domain"
)

// ErrPasswordBreached refuses a password that others have used, and lost. There
// are no other rules for a password than its length: rules of composition make
// people choose worse ones.
var ErrPasswordBreached = domain.Refuse(domain.Invalid, "identity.password_breached", "the password is on lists that are tried first: choose another")

// BreachedSize is how many bytes of its hash a password is listed by. That
// another one has the same is as good as impossible.
const BreachedSize = 8

// breached is the sorted list, made by internal/breached; NOTICE says from
// what. It holds those that are long enough to be chosen at all.
//
//go:embed breached.bin
var breached []byte

// BreachedKey is what a password is listed by. Capitals make no difference:
// whoever guesses tries both.
func BreachedKey(password string) []byte {
	sum := sha256.Sum256([]byte(strings.ToLower(password)))
	return sum[:BreachedSize]
}

// isBreached takes as long for any password but for a few comparisons of hashes,
// which tell nothing about it.
func isBreached(password string) bool {
	key := BreachedKey(password)
	at := func(i int) []byte { return breached[i*BreachedSize:][:BreachedSize] }
	n := len(breached) / BreachedSize
	i := sort.Search(n, func(i int) bool { return bytes.Compare(at(i), key) >= 0 })
	return i < n && bytes.Equal(at(i), key)
}

// ChoosePassword is ParsePassword for one that is to be kept. Signing in asks
// only for the right one: what is kept may have been listed later.
func ChoosePassword(s string) (string, error) {
	s, err := ParsePassword(s)
	switch {
	case err != nil:
		return "", err
	case isBreached(s):
		return "", ErrPasswordBreached
	}
	return s, nil
}
