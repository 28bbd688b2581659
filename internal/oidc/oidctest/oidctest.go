// Package oidctest runs an OpenID Connect provider in a process of its own, to
// stand for E-klase and e-paraksts in tests. It is the npm package
// oidc-provider, which passes the conformance tests of the OpenID foundation.
package oidctest

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A Provider is one that runs.
type Provider struct {
	Issuer string // its address
	t      testing.TB
}

// Options are how a provider is to behave.
type Options struct {
	ClientID     string   `json:"client_id"`
	ClientSecret string   `json:"client_secret"`
	Redirects    []string `json:"redirect_uris"`
	InIDToken    bool     `json:"in_id_token"` // tell serial_number in the ID token, not only at userinfo
	Issuer       string   `json:"issuer"`      // what it calls itself; its address if empty
}

// patience is how long the provider may take to start, and to answer.
const patience = 30 * time.Second

// Start runs a provider until the test ends.
func Start(t testing.TB, o Options) *Provider {
	t.Helper()
	options, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", filepath.Join(Install(t), "provider.mjs"), string(options))
	complaints := new(strings.Builder)
	cmd.Stderr = complaints
	in, err := cmd.StdinPipe() // it ends when this does, also when the test is killed
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("the test provider needs node: %v", err)
	}
	hangs := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() }) // which ends the read below
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		in.Close()
		if t.Failed() {
			t.Logf("the provider says: %s", complaints)
		}
	})
	p := &Provider{t: t}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if !hangs.Stop() {
		t.Fatalf("the provider did not start within %s: %s", patience, complaints)
	}
	if err == nil {
		err = json.Unmarshal(line, p)
	}
	if err != nil {
		t.Fatalf("the provider did not start: %v: %s", err, complaints)
	}
	return p
}

// SignIn goes to an address of the provider as a browser of its own, signs in
// as a subject (“cancel” cancels), and returns where the browser is sent back.
// A personal code, if there is one, is told as serial_number.
func (p *Provider) SignIn(address, subject, code string) *url.URL {
	p.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		p.t.Fatal(err)
	}
	back := errors.New("sent back")
	var to *url.URL
	browser := &http.Client{Jar: jar, Timeout: patience, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if !strings.HasPrefix(r.URL.Hostname(), "127.") {
			to = r.URL
			return back
		}
		return nil
	}}
	hint := subject
	if code != "" {
		hint += ":" + code
	}
	answer, err := browser.Get(address + "&login_hint=" + url.QueryEscape(hint))
	if err == nil {
		said, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		p.t.Fatalf("the provider kept the browser: %d %s", answer.StatusCode, said)
	} else if !errors.Is(err, back) {
		p.t.Fatal(err)
	}
	return to
}

// Install fetches what the provider is made of, unless it is there, and
// returns its folder. npm checks what it fetches against package-lock.json.
func Install(t testing.TB) string {
	t.Helper()
	_, here, _, _ := runtime.Caller(0)
	dir := filepath.Join(filepath.Dir(here), "provider")
	lock, err := os.OpenFile(filepath.Join(dir, "package-lock.json"), os.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	// One test process installs, the others wait for it.
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, lock); err != nil {
		t.Fatal(err)
	}
	done := filepath.Join(dir, "node_modules", ".installed-"+hex.EncodeToString(sum.Sum(nil)[:8]))
	if _, err := os.Stat(done); err == nil {
		return dir
	}
	// A cache of its own keeps npm from needing a home folder.
	npm := exec.Command("npm", "ci", "--cache", t.TempDir(), "--silent", "--ignore-scripts", "--no-audit", "--no-fund")
	npm.Dir = dir
	if out, err := npm.CombinedOutput(); err != nil {
		t.Fatalf("the test provider needs npm: %v\n%s", err, out)
	}
	if err := os.WriteFile(done, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}
