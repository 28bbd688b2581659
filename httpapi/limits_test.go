package httpapi

import (
	"context"
	"fmt"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"zurnals/domain/access"
)

func TestTooOftenIsRefusedUntilTimeHasPassed(t *testing.T) {
	w := newWorld(t, func(a *API) {
		for path, permission := range map[string]access.Permission{"anonymous": access.SignIn, "own": access.OwnAccount} {
			handle(a, route{id: path, method: "POST", path: "/" + path, summary: "x", permission: permission, status: 204, limit: limit{"x" + path, 3, time.Minute}},
				func(context.Context, access.Actor, *none) (*none, error) { return nil, nil })
		}
	})
	ask := func(path, from, token string) answer {
		r := httptest.NewRequest("POST", "/api/v1/"+path, nil)
		r.RemoteAddr = from + ":1234"
		r.Header.Set("X-Forwarded-For", "203.0.113.77") // nobody believes it
		r.Header.Set("Authorization", "Bearer "+token)
		return w.do(r)
	}
	for range 3 {
		if a := ask("anonymous", "192.0.2.1", ""); a.Code != 204 {
			t.Fatalf("%d %s", a.Code, a.Body)
		}
	}
	a := ask("anonymous", "192.0.2.1", "")
	a.wants(t, 429, "http.rate_limited")
	if got := a.Header().Get("Retry-After"); got != "20" {
		t.Errorf("Retry-After: %s; want 20: one of three a minute", got)
	}
	if a := ask("anonymous", "192.0.2.2", ""); a.Code != 204 {
		t.Errorf("another address is refused too: %d", a.Code)
	}
	w.now = w.now.Add(20*time.Second - time.Nanosecond)
	ask("anonymous", "192.0.2.1", "").wants(t, 429, "http.rate_limited")
	w.now = w.now.Add(time.Nanosecond)
	if a := ask("anonymous", "192.0.2.1", ""); a.Code != 204 {
		t.Errorf("after the wait: %d", a.Code)
	}
	ask("anonymous", "192.0.2.1", "").wants(t, 429, "http.rate_limited")

	// Who is signed in is counted by account, wherever from.
	anna, juris := w.signIn(), w.signIn()
	for i := range 3 {
		if a := ask("own", fmt.Sprintf("192.0.2.%d", i), anna); a.Code != 204 {
			t.Fatalf("%d %s", a.Code, a.Body)
		}
	}
	ask("own", "192.0.2.9", anna).wants(t, 429, "http.rate_limited")
	if a := ask("own", "192.0.2.9", juris); a.Code != 204 {
		t.Errorf("somebody else is refused too: %d", a.Code)
	}
}

func TestBucketsDoNotGrowForEver(t *testing.T) {
	var b buckets
	l := limit{"x", 2, time.Minute}
	for i := range most + 10 {
		if err := b.take(l, fmt.Sprint(i), monday.Add(time.Duration(i)*time.Millisecond)); err != nil {
			t.Fatal(err)
		}
	}
	if len(b.paid) > most {
		t.Errorf("%d names are kept", len(b.paid))
	}
}

func TestAProxyIsBelievedIfItWasNamed(t *testing.T) {
	a := &API{Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	for _, c := range []struct{ from, forwarded, want string }{
		{"192.0.2.1:5", "203.0.113.7", "192.0.2.1"},
		{"10.0.0.1:5", "203.0.113.7", "203.0.113.7"},
		{"10.0.0.1:5", "198.51.100.1, 203.0.113.7, 10.0.0.2", "203.0.113.7"},
		{"10.0.0.1:5", "", "10.0.0.1"},
		{"10.0.0.1:5", "203.0.113.7, made up", "10.0.0.1"},
		{"[2001:db8::1]:5", "", "2001:db8::1"},
		{"[::ffff:10.0.0.1]:5", "203.0.113.7", "203.0.113.7"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = c.from
		r.Header.Set("X-Forwarded-For", c.forwarded)
		if got := a.client(r).String(); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}
