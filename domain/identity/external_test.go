package identity_test

import (
	"strings"
	"testing"

	"zurnals/domain"
	"zurnals/domain/identity"
	"zurnals/internal/trace"
)

var (
	eklase        = identity.External{Provider: identity.Eklase, Issuer: "https://id.e-klase.example", Subject: "u-17"}
	eparaksts     = identity.External{Provider: identity.Eparaksts, Issuer: "https://id.e-paraksts.example", Subject: "PNOLV-1", PersonalCode: "16117519997"}
	connect       = identity.ConnectExternal{Account: anna, Identity: eklase}
	connectSigned = identity.ConnectExternal{Account: anna, Identity: eparaksts}
	connected     = identity.ExternalLoginConnected{Account: anna, Provider: identity.Eklase, Issuer: eklase.Issuer, Subject: eklase.Subject}
	signed        = identity.ExternalLoginConnected{Account: anna, Provider: identity.Eparaksts, Issuer: eparaksts.Issuer, Subject: eparaksts.Subject}
	disconnect    = identity.DisconnectExternal{Account: anna, Provider: identity.Eklase}
	disconnected  = identity.ExternalLoginDisconnected{Account: anna, Provider: identity.Eklase, Issuer: eklase.Issuer, Subject: eklase.Subject}
	externally    = identity.SignInExternally{Account: anna, Identity: eklase, Session: session}
	byEklase      = identity.SignedIn{Account: anna, Session: session, Method: "eklase"}
)

// Only who has signed in by e-mail once connects a service.
func TestServicesAreConnectedAfterTheFirstSignIn(t *testing.T) {
	trace.Covers(t, "EMU-034", "EMU-036", "C15")
	given().When(connect).ThenRefused(t, identity.ErrNoAccount)
	given(invited).When(connect).ThenRefused(t, identity.ErrNoAccount)
	given(invited, confirmed).When(connect).ThenRefused(t, identity.ErrFirstByEmail)
	given(invited, confirmed, issued).When(connect).ThenRefused(t, identity.ErrFirstByEmail)
	given(invited, confirmed, issued, accepted, byCode).When(connect).Then(t, connected)
	given(invited, confirmed, byPass, connected).When(connect).Then(t) // asked twice
	given(invited, confirmed, byPass, connected).When(connectSigned).Then(t, signed)
}

func TestOneIdentityOfAService(t *testing.T) {
	trace.Covers(t, "EMU-040")
	other, elsewhere := connect, connect
	other.Identity.Subject, elsewhere.Identity.Issuer = "u-18", "https://other.example"
	given(invited, confirmed, byPass, connected).When(other).ThenRefused(t, identity.ErrExternalConnected)
	given(invited, confirmed, byPass, connected).When(elsewhere).ThenRefused(t, identity.ErrExternalConnected)
	given(invited, confirmed, byPass, connected, disconnected).When(other).
		Then(t, identity.ExternalLoginConnected{Account: anna, Provider: identity.Eklase, Issuer: eklase.Issuer, Subject: "u-18"})

	if a, b := connected.Claims(), disconnected.Releases(); len(a) != 1 || len(b) != 1 || a[0] != b[0] {
		t.Errorf("%v are claimed, %v released", a, b)
	}
	if connected.Claims()[0] == signed.Claims()[0] {
		t.Error("two services claim the same")
	}
}

// What e-paraksts says of the person must be what the school says (S-14).
func TestPersonalCodeMustBeTheSame(t *testing.T) {
	for code, want := range map[domain.PersonalCode]error{
		"":            identity.ErrExternalNoCode,
		"32000000001": identity.ErrExternalOther,
		"16117519996": identity.ErrExternalOther,
	} {
		cmd := connectSigned
		cmd.Identity.PersonalCode = code
		given(invited, confirmed, byPass).When(cmd).ThenRefused(t, want)

		in := identity.SignInExternally{Account: anna, Identity: cmd.Identity, Session: session}
		given(invited, confirmed, byPass, signed).When(in).ThenRefused(t, identity.ErrExternalOther)
	}
	// E-klase need not tell a code, but may not tell another's.
	stranger := connect
	stranger.Identity.PersonalCode = "32000000001"
	given(invited, confirmed, byPass).When(stranger).ThenRefused(t, identity.ErrExternalOther)

	// Who has no code in the account cannot be compared.
	codeless := invited
	codeless.PersonalCode = ""
	given(codeless, confirmed, byPass).When(connectSigned).ThenRefused(t, identity.ErrExternalNoCode)
}

func TestSignInByAService(t *testing.T) {
	trace.Covers(t, "EMU-037", "EMU-038", "EMU-055", "EMU-056")
	given(invited, confirmed, byPass, connected).When(externally).Then(t, byEklase)
	given(invited, confirmed, byPass, connected, byEklase).When(signIn).Then(t, byPass) // by e-mail as before

	given().When(externally).ThenRefused(t, identity.ErrExternalUnknown)
	given(invited, confirmed).When(externally).ThenRefused(t, identity.ErrFirstByEmail)
	given(invited, confirmed, byPass).When(externally).ThenRefused(t, identity.ErrExternalUnknown)
	given(invited, confirmed, byPass, signed).When(externally).ThenRefused(t, identity.ErrExternalUnknown)
	given(invited, confirmed, byPass, connected, disconnected).When(externally).ThenRefused(t, identity.ErrExternalUnknown)

	elsewhere := externally
	elsewhere.Identity.Issuer = "https://other.example"
	given(invited, confirmed, byPass, connected).When(elsewhere).ThenRefused(t, identity.ErrExternalUnknown)
	in := identity.SignInExternally{Account: anna, Identity: eparaksts, Session: session}
	given(invited, confirmed, byPass, signed).When(in).Then(t, identity.SignedIn{Account: anna, Session: session, Method: "eparaksts"})
}

func TestServiceIsDisconnected(t *testing.T) {
	trace.Covers(t, "EMU-041")
	given(invited, confirmed, byPass, connected, signed).When(disconnect).Then(t, disconnected)
	given(invited, confirmed, byPass, connected, disconnected).When(disconnect).Then(t) // asked twice
	given(invited, confirmed, byPass).When(disconnect).Then(t)
	given().When(disconnect).ThenRefused(t, identity.ErrNoAccount)

	account := identity.Accounts.Fold([]identity.AccountEvent{invited, confirmed, byPass, connected, signed, disconnected})
	if _, is := account.Connected(identity.Eklase); is {
		t.Error("E-klase is still connected")
	}
	if x, is := account.Connected(identity.Eparaksts); !is || x.Subject != eparaksts.Subject {
		t.Errorf("e-paraksts: %v %v", x, is)
	}
}

func TestProviders(t *testing.T) {
	for name, want := range map[string]error{
		"eklase": nil, "eparaksts": nil, "": identity.ErrProvider, "EKLASE": identity.ErrProvider,
		"google": identity.ErrProvider, "email": identity.ErrEmailStays,
	} {
		if _, err := identity.ParseProvider(name); err != want {
			t.Errorf("%q: %v, want %v", name, err, want)
		}
	}
}

// A service says who somebody is in plain bounded text, or says nothing.
func TestExternalIdentityIsChecked(t *testing.T) {
	long := strings.Repeat("x", identity.SubjectMax)
	for subject, want := range map[string]error{
		"": identity.ErrExternalIdentity, "a b": identity.ErrExternalIdentity, "ā": identity.ErrExternalIdentity,
		"a\x00": identity.ErrExternalIdentity, long + "x": identity.ErrExternalIdentity,
	} {
		cmd := connect
		cmd.Identity.Subject = subject
		given(invited, confirmed, byPass).When(cmd).ThenRefused(t, want)
	}
	cmd := connect
	cmd.Identity.Subject = long
	given(invited, confirmed, byPass).When(cmd).Then(t, identity.ExternalLoginConnected{Account: anna, Provider: identity.Eklase, Issuer: eklase.Issuer, Subject: long})
	cmd.Identity.Issuer = ""
	given(invited, confirmed, byPass).When(cmd).ThenRefused(t, identity.ErrExternalIdentity)
	cmd.Identity.Provider = "google"
	given(invited, confirmed, byPass).When(cmd).ThenRefused(t, identity.ErrProvider)
}

// Whatever a service says, nobody gets the identity of somebody else by it.
func FuzzExternalIdentities(f *testing.F) {
	f.Add("https://id.example", "u-17", "https://id.example", "u-18")
	f.Add("https://id.example u", "17", "https://id.example", "u 17")
	f.Add("", "\x00", "ā", " ")
	f.Fuzz(func(t *testing.T, issuer, subject, otherIssuer, otherSubject string) {
		connect := func(issuer, subject string) (domain.Claim, bool) {
			history := identity.Accounts.Fold([]identity.AccountEvent{invited, confirmed, byPass})
			happened, err := identity.Accounts.Decide(history, identity.ConnectExternal{
				Account: anna, Identity: identity.External{Provider: identity.Eklase, Issuer: issuer, Subject: subject},
			})
			if err != nil {
				return domain.Claim{}, false
			}
			return happened[0].(identity.ExternalLoginConnected).Claims()[0], true
		}
		one, ok := connect(issuer, subject)
		other, ok2 := connect(otherIssuer, otherSubject)
		if same := issuer == otherIssuer && subject == otherSubject; ok && ok2 && (one == other) != same {
			t.Errorf("%v and %v are taken for one", one, other)
		}
	})
}
