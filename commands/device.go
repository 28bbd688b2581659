package commands

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"zurnals/domain"
)

// A device from which somebody has signed in is known by a token, made like
// those of links and kept in a cookie. Whoever guesses at an address elsewhere
// cannot lock its owner out there: tries from a known device are counted apart,
// as strictly as all others. The token proves nothing else, and for no other
// account.

// triesAt returns what tries at an address are counted under.
func (c *Commands) triesAt(email string, account domain.AccountID, device string) string {
	if device != "" && !account.IsZero() {
		if of, id, ok := c.Links.device(device); ok && of == account {
			return "device/" + id.String()
		}
	}
	return "sign-in/" + strings.ToLower(email)
}

// Device returns the token that makes a device known to an account that has
// just signed in there: the one it has, if that is good.
func (c *Commands) Device(account domain.AccountID, device string) string {
	if of, _, ok := c.Links.device(device); ok && of == account {
		return device
	}
	return c.Links.token("device", account.UUID, uuid.Must(uuid.NewV7()))
}

func (l *Links) device(token string) (domain.AccountID, uuid.UUID, bool) {
	account, id, ok := l.open("device", token)
	return domain.AccountID{UUID: account}, id, ok
}

// toSignIn returns what is needed to compare a password. It reads the stream
// itself and opens nothing, so that it asks as much of an account that is there
// as of one that is not; what is sealed in it stays sealed.
func toSignIn[S, C any, E domain.Event](ctx context.Context, c *Commands, d domain.Decider[S, C, E], id fmt.Stringer) (state S, err error) {
	stream := d.Stream(id)
	stored, err := c.Log.ReadStreams(ctx, stream)
	if err != nil {
		return state, refusal(err)
	}
	history, err := c.decodeSealed(stored[stream])
	if err != nil {
		return state, err
	}
	return fold(d, stream, history)
}
