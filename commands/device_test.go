package commands_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"zurnals/commands"
	"zurnals/domain/identity"
	"zurnals/eventstore"
	"zurnals/internal/trace"
)

// Whoever guesses at an address locks out those who guess, but not its owner
// at a device that is known.
func TestALockIsNoWeapon(t *testing.T) {
	trace.Covers(t, "C26")
	w := newStaffWorld(t)
	anna, _ := w.registered(w.at(w.school))
	berta, _ := w.registered(w.at(w.school))
	own := w.Device(anna, "")
	others := w.Device(berta, own) // not hers
	if w.Device(anna, own) != own || others == own {
		t.Error("a known device is given another token")
	}
	try := func(password, device string) error {
		_, err := w.SignIn(t.Context(), byNobody, commands.SignIn{Email: "anna1@skola.lv", Password: password, Device: device}, keep)
		return err
	}
	lock := func(device string) {
		for range 5 {
			w.refused(identity.ErrSignIn, func() error { return try("cits zaļš vārds", device) })
		}
	}
	lock("")
	w.refused(identity.ErrSignIn, func() error { return try(password, "") })
	w.must(try(password, own))
	w.refused(identity.ErrSignIn, func() error { return try(password, others) })
	w.refused(identity.ErrSignIn, func() error { return try(password, own[1:]+"A") })
	w.refused(identity.ErrSignIn, func() error { return try(password, "x") })

	// A known device guesses no more than any other.
	lock(own)
	w.refused(identity.ErrSignIn, func() error { return try(password, own) })
	w.wait(30*time.Second - time.Nanosecond)
	w.refused(identity.ErrSignIn, func() error { return try(password, own) })
	w.wait(time.Nanosecond)
	w.must(try(password, own))
}

// The wait grows to a quarter of an hour and no longer; after half a day
// without a wrong try all is forgotten.
func TestTheLongestWait(t *testing.T) {
	trace.Covers(t, "C26")
	w := newStaffWorld(t)
	w.registered(w.at(w.school))
	try := func(password string) error {
		_, err := w.SignIn(t.Context(), byNobody, commands.SignIn{Email: "anna1@skola.lv", Password: password}, keep)
		return err
	}
	wrong := func() {
		for range 5 {
			w.refused(identity.ErrSignIn, func() error { return try("cits zaļš vārds") })
		}
	}
	for n := 1; n <= 31; n++ {
		wrong()
		wait := min(time.Duration(n)*30*time.Second, 15*time.Minute)
		w.wait(wait - time.Nanosecond)
		w.refused(identity.ErrSignIn, func() error { return try(password) })
		w.wait(time.Nanosecond)
	}
	wrong() // 160 of them: 15 minutes
	w.wait(12*time.Hour - time.Nanosecond)
	wrong() // still counted on
	w.wait(15*time.Minute - time.Nanosecond)
	w.refused(identity.ErrSignIn, func() error { return try(password) })
	w.wait(12*time.Hour - 15*time.Minute + time.Nanosecond)
	wrong()
	w.wait(30 * time.Second) // from the beginning again
	w.must(try(password))
}

// asking counts what is asked of the log and of the keys.
type asking struct {
	eventstore.Log
	eventstore.Keys
	asked *[]string
}

func (a asking) Holder(ctx context.Context, kind, value string) (string, bool, error) {
	*a.asked = append(*a.asked, "holder")
	return a.Log.Holder(ctx, kind, value)
}

func (a asking) Versions(ctx context.Context, streams ...string) ([]int, error) {
	*a.asked = append(*a.asked, "versions")
	return a.Log.Versions(ctx, streams...)
}

func (a asking) ReadStreams(ctx context.Context, streams ...string) (map[string][]eventstore.Event, error) {
	*a.asked = append(*a.asked, "streams")
	return a.Log.ReadStreams(ctx, streams...)
}

func (a asking) Open(ctx context.Context, events []eventstore.Event) error {
	*a.asked = append(*a.asked, "open")
	return a.Keys.Open(ctx, events)
}

func (a asking) Derive(ctx context.Context, purpose string) ([]byte, error) {
	*a.asked = append(*a.asked, "derive")
	return a.Keys.Derive(ctx, purpose)
}

// What is asked of the log, the keys and the passwords is the same whether
// there is an account or not.
func TestMissingAccountsCostTheSame(t *testing.T) {
	trace.Covers(t, "C28")
	w := newStaffWorld(t)
	w.registered(w.at(w.school))
	invited := w.newcomer(w.at(w.school))
	_, err := w.InviteUser(t.Context(), operator, invited)
	w.must(err)
	var asked []string
	counting := asking{w.Log, w.Keys, &asked}
	w.Commands.Log, w.Commands.Keys = counting, counting
	const want = "holder streams"
	for range 2 {
		for _, email := range []string{"anna1@skola.lv", invited.Email, "nobody@skola.lv", "no address"} {
			for _, given := range []string{"cits zaļš vārds", "x"} {
				asked, w.passwords.compared = nil, 0
				if _, err := w.SignIn(t.Context(), byNobody, commands.SignIn{Email: email, Password: given}, keep); err != identity.ErrSignIn {
					t.Errorf("%s: %v", email, err)
				}
				if got := strings.Join(slices.Clone(asked), " "); got != want || w.passwords.compared != 1 {
					t.Errorf("%s: asked %q, %d passwords compared; want %q and 1", email, got, w.passwords.compared, want)
				}
			}
		}
	}
}

// So it is for pupils.
func TestMissingLearnersCostTheSame(t *testing.T) {
	trace.Covers(t, "C28")
	p := newPupils(t)
	if err := p.activate(t, p.issue(t, p.administrator, p.mine).Code, "anna.b"); err != nil {
		t.Fatal(err)
	}
	kept := p.Credentials.(*passwords)
	var asked []string
	counting := asking{p.Commands.Log, p.Commands.Keys, &asked}
	p.Commands.Log, p.Commands.Keys = counting, counting
	const want = "holder streams"
	for range 2 {
		for _, name := range []string{"anna.b", "nobody", "No Name!", ""} {
			before := kept.compared
			asked = nil
			if _, _, err := p.signIn(t, name, "zila zāle"); err != commands.ErrLearnerSignIn {
				t.Errorf("%q: %v", name, err)
			}
			if got := strings.Join(asked, " "); got != want || kept.compared != before+1 {
				t.Errorf("%q: asked %q, %d passwords compared; want %q and 1", name, got, kept.compared-before, want)
			}
		}
	}
}
