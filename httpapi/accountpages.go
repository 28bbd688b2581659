package httpapi

import _ "embed"

var (
	//go:embed sign-in.html
	signInHTML string
	//go:embed sign-in.js
	signInScript []byte
	//go:embed passkeys.html
	passkeysHTML string
	//go:embed passkeys.js
	passkeysScript []byte
)

// A signInView is what the page to sign in shows beside texts.
type signInView struct {
	frame
	Providers []string // services that are set up here
}

// accountPages are for signing in and for the own passkeys, where there is no
// other application yet. Everything they do anybody may do over the API.
func (a *API) accountPages() {
	providers := sorted(a.External.Providers)
	a.scripted("/sign-in", "page.sign_in_title", signInHTML, "/sign-in.js", func(f frame) any { return signInView{f, providers} })
	a.script("/sign-in.js", signInScript)
	a.scripted("/passkeys", "page.passkeys_title", passkeysHTML, "/passkeys.js", onlyTexts)
	a.script("/passkeys.js", passkeysScript)
}
