package httpapi

import (
	"context"
	"net/http"
	"time"

	"zurnals/domain"
	"zurnals/internal/sessions"
)

// deviceLife is how long a browser is known after a sign-in.
const deviceLife = 365 * 24 * time.Hour

// deviceCookie keeps the token by which a browser is known, so that guessing
// elsewhere does not lock its people out. It outlives sessions, and opens none.
func (a *API) deviceCookie(token string) http.Cookie {
	c := a.cookie(sessions.Staff, token, deviceLife)
	c.Name += "-device"
	return c
}

// device returns the token that the browser has kept, "" for none.
func (a *API) device(q *request) string {
	if cookie, err := q.r.Cookie(a.deviceCookie("").Name); err == nil {
		return cookie.Value
	}
	return ""
}

// knownDevice returns the cookie for a browser in which somebody has signed in.
func (a *API) knownDevice(ctx context.Context, account domain.AccountID) http.Cookie {
	return a.deviceCookie(a.Commands.Device(account, a.device(asked(ctx))))
}
