package httpapi

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"zurnals/internal/oidc"
	"zurnals/internal/trace"
)

// get asks for a page as a browser does.
func get(h http.Handler, path, language string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", path, nil)
	r.Header.Set("Accept-Language", language)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// One page offers all ways to sign in that there are here, in both languages.
func TestThePageToSignIn(t *testing.T) {
	t.Parallel()
	trace.Partly(t, "EMU-053", "EMU-055", "EMU-056")
	s := newStaffStory(t)
	page := get(s.handler, "/sign-in", "lv").Body.String()
	for _, part := range []string{`<html lang="lv">`, "Pieslēgšanās", `name="email"`, `autocomplete="current-password"`, `autocomplete="one-time-code"`, "Ar piekļuves atslēgu", "Aizmirsu paroli"} {
		if !strings.Contains(page, part) {
			t.Errorf("the page has no %q: %s", part, page)
		}
	}
	if strings.Contains(page, "data-provider") {
		t.Errorf("the page offers services that are not set up: %s", page)
	}
	s.api.External.Providers = map[string]*oidc.Provider{"eklase": oidc.New(oidc.Config{}), "eparaksts": oidc.New(oidc.Config{})}
	page = get(s.api.Handler(), "/sign-in", "en").Body.String()
	for _, part := range []string{`<html lang="en">`, `data-provider="eklase">With E-klase<`, `data-provider="eparaksts">With eParaksts<`} {
		if !strings.Contains(page, part) {
			t.Errorf("the page has no %q: %s", part, page)
		}
	}
}

var (
	loads  = regexp.MustCompile(`(?:src|href|from) ?=?"([^"#]*)`)
	inline = regexp.MustCompile(`(?i)<style|style=|<script>|\son[a-z]+=|javascript:`)
)

// What pages load is served, comes from here, and is what the policy allows;
// the same page speaks both languages.
func TestPagesLoadOnlyWhatIsServedHere(t *testing.T) {
	t.Parallel()
	s := newStaffStory(t)
	for path, title := range map[string][2]string{
		"/sign-in": {"Pieslēgšanās", "Sign in"}, "/passkeys": {"Piekļuves atslēgas", "Passkeys"}, "/a/x": {"Apmeklējuma reģistrēšana", "Recording attendance"},
		"/password-resets/x": {"Jauna parole", "A new password"}, "/registrations/x": {"Reģistrācijas apstiprināšana", "Confirm your registration"},
		"/external-logins/eklase/callback": {"Ārējais serviss", "External service"},
	} {
		for i, language := range []string{"lv", "en"} {
			w := get(s.handler, path, language)
			page := w.Body.String()
			if !strings.Contains(page, `<html lang="`+language+`">`) || !strings.Contains(page, "<h1>"+title[i]+"</h1>") {
				t.Errorf("%s in %s: %s", path, language, page)
			}
			if csp := w.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "script-src 'self';") || inline.MatchString(page) {
				t.Errorf("%s: under %q something is not let run: %s", path, csp, page)
			}
			s.loaded(path, page, make(map[string]bool))
		}
	}
}

// loaded follows what a page or script loads or links to.
func (s *story) loaded(of, text string, seen map[string]bool) {
	s.t.Helper()
	for _, found := range loads.FindAllStringSubmatch(text, -1) {
		path := found[1]
		if seen[path] {
			continue
		}
		seen[path] = true
		w := get(s.handler, path, "lv")
		if w.Code != http.StatusOK || !strings.HasPrefix(path, "/") {
			s.t.Errorf("%s loads %s: %d", of, path, w.Code)
		}
		s.loaded(path, w.Body.String(), seen)
	}
}

var named = regexp.MustCompile(`(?:part|getElementById)\("([a-z-]+)"\)|dataset\.([a-z]+)`)

// What a script takes from its page is there: parts by their ids, and texts.
func TestScriptsFindTheirPartsOnThePage(t *testing.T) {
	t.Parallel()
	s := newStaffStory(t)
	s.api.External.Providers = map[string]*oidc.Provider{"eklase": oidc.New(oidc.Config{})}
	h := s.api.Handler()
	for path, scripts := range map[string][]string{"/sign-in": {"/sign-in.js", "/page.js"}, "/passkeys": {"/passkeys.js", "/page.js"}, "/a/x": {"/scan.js", "/page.js"}} {
		page := get(h, path, "lv").Body.String()
		for _, script := range scripts {
			found := named.FindAllStringSubmatch(get(h, script, "lv").Body.String(), -1)
			if len(found) == 0 {
				t.Errorf("%s takes nothing from its page: is it read rightly?", script)
			}
			for _, m := range found {
				if m[1] != "" && !strings.Contains(page, `id="`+m[1]+`"`) || m[2] != "" && !strings.Contains(page, "data-"+m[2]+"=") {
					t.Errorf("%s has no %s, which %s wants", path, m[0], script)
				}
			}
		}
	}
}
