package httpapi

import (
	"maps"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/internal/passkeys/passkeystest"
)

// all are the cells of all routes.
func (m *matrix) all() map[string]cell {
	all := m.cells()
	maps.Copy(all, m.ownCells())
	return all
}

// ownCells are the requests about the own account, and about the addresses and
// names of others.
func (m *matrix) ownCells() map[string]cell {
	const (
		address = `{"email":"adrese{n}@skola.example"}`
		recover = `{"email":"adrese{n}@skola.example","reason":"Pastkaste ir slēgta"}`
		name    = `{"given_name":"Anna"}`
		code    = `{"personal_code":"{new_code}","reason":"Failā bija cita kods"}`
		another = `{"current_password":"` + password + `","new_password":"cits zirgs un baterija"}`
	)
	any := []string{"If-Match: *"}
	return map[string]cell{
		"change-me":                {ask: "PATCH /me", body: `{"given_name":"Anna","language":"en"}`, headers: any},
		"delete-me":                {ask: "DELETE /me", once: true, fresh: leaver},
		"export-me":                {ask: "GET /me/export"},
		"change-password":          {ask: "PUT /me/password", body: another, once: true, fresh: leaver},
		"reauthenticate":           {ask: "PUT /me/sessions/current", body: `{"password":"` + password + `"}`, ends: true},
		"start-email-change":       {ask: "POST /me/email-change", once: true, fresh: leaver},
		"stop-own-email-change":    {ask: "DELETE /me/email-change", once: true, fresh: moving},
		"check-email-change":       {ask: "GET /me/email-change/{first}/address", once: true, fresh: moving},
		"give-email":               {ask: "POST /me/email-change/{first}/address", body: address, once: true, fresh: moving},
		"check-email-confirmation": {ask: "GET /me/email-change/{second}/confirmation", once: true, fresh: moved},
		"confirm-email":            {ask: "POST /me/email-change/{second}/confirmation", once: true, fresh: moved},

		"list-passkeys":         {ask: "GET /me/passkeys"},
		"begin-passkey":         {ask: "POST /me/passkeys", once: true, fresh: leaver},
		"add-passkey":           {ask: "PUT /me/passkeys/challenges/{ceremony}", body: `{"name":"Telefons","credential":{answer}}`, once: true, fresh: making},
		"remove-passkey":        {ask: "DELETE /me/passkeys/{passkey}", once: true, fresh: keyed},
		"begin-passkey-sign-in": {ask: "POST /sessions/passkeys"},
		"sign-in-with-passkey":  {ask: "POST /sessions/passkeys/{ceremony}", body: `{"credential":{answer}}`, fresh: signing},

		"ask-password-reset":   {ask: "POST /password-resets", body: `{"email":"teacher@skola.example"}`},
		"check-password-reset": {ask: "GET /password-resets/{reset}", fresh: forgetful},
		"reset-password":       {ask: "POST /password-resets/{reset}", body: `{"password":"cits zirgs un baterija"}`, fresh: forgetful},
		"check-email-recovery": {ask: "GET /email-recoveries/{stop}", fresh: recovering},
		"stop-email-recovery":  {ask: "DELETE /email-recoveries/{stop}", fresh: recovering},

		"change-user":                {ask: "PATCH /schools/{school}/users/{member}", body: name, headers: any, at: ofSchool},
		"correct-email":              {ask: "PUT /schools/{school}/users/{invited}/email", body: address, at: ofSchool, fresh: invitedHere},
		"recover-email":              {ask: "POST /schools/{school}/users/{invited}/email-recovery", body: recover, at: ofSchool, fresh: invitedHere, answer: "identity.unconfirmed"},
		"correct-personal-code":      {ask: "PUT /schools/{school}/users/{invited}/personal-code", body: code, at: ofSchool, fresh: invitedHere},
		"correct-municipality-code":  {ask: "PUT /municipalities/{municipality}/users/{clerk}/personal-code", body: code, at: ofMunicipality, fresh: clerkHere},
		"change-municipality-user":   {ask: "PATCH /municipalities/{municipality}/users/{clerk}", body: name, headers: any, at: ofMunicipality, fresh: clerkHere},
		"correct-municipality-email": {ask: "PUT /municipalities/{municipality}/users/{clerk}/email", body: address, at: ofMunicipality, fresh: clerkHere},
		"recover-municipality-email": {ask: "POST /municipalities/{municipality}/users/{clerk}/email-recovery", body: recover, at: ofMunicipality, fresh: clerkHere, answer: "identity.unconfirmed"},
	}
}

// leaver has "departing" be somebody new, whose account nobody else needs, and
// who has signed in.
func leaver(m *matrix) {
	m.t.Helper()
	m.names["departing"] = m.newcomer(access.SupportStaff)
	m.register("departing")
	var said struct{ Challenge string }
	m.answer(&said, step{ask: "POST /sessions", body: `{"email":"jauns{n}@skola.example","password":"` + password + `"}`})
	m.names["challenge"], m.names["login_code"] = said.Challenge, m.loginCode(id[domain.AccountID](m.story, "departing"))
	m.answer(&said, step{ask: "POST /sessions/challenges/{challenge}", body: `{"code":"{login_code}"}`})
}

// making has an authenticator make a key for "departing": {answer} to {ceremony}.
func making(m *matrix) {
	m.t.Helper()
	m.makes(newAuthenticator(m.t))
}

func (m *matrix) makes(phone *passkeystest.Authenticator) {
	m.t.Helper()
	leaver(m)
	var c ceremony
	m.answer(&c, step{as: "departing", ask: "POST /me/passkeys"})
	m.names["ceremony"], m.names["answer"] = c.Challenge, phone.Makes(m.t, c.Options)
}

// keyed has "departing" have a {passkey}.
func keyed(m *matrix) {
	m.t.Helper()
	m.keyed(newAuthenticator(m.t))
}

func (m *matrix) keyed(phone *passkeystest.Authenticator) {
	m.t.Helper()
	m.makes(phone)
	var made struct{ ID string }
	m.answer(&made, step{as: "departing", ask: "PUT /me/passkeys/challenges/{ceremony}", body: `{"name":"Telefons","credential":{answer}}`})
	m.names["passkey"] = made.ID
}

// signing has the authenticator of that key sign in: {answer} to {ceremony}.
func signing(m *matrix) {
	m.t.Helper()
	phone := newAuthenticator(m.t)
	m.keyed(phone)
	var c ceremony
	m.answer(&c, step{ask: "POST /sessions/passkeys"})
	m.names["ceremony"], m.names["answer"] = c.Challenge, signs(m.t, phone, c)
}

// moving has somebody begin to change the address: {first} is the link.
func moving(m *matrix) {
	m.t.Helper()
	leaver(m)
	m.send(step{as: "departing", ask: "POST /me/email-change"}, 0)
	m.mailedLinks("departing")
}

// moved goes on to the second link: {second}.
func moved(m *matrix) {
	m.t.Helper()
	moving(m)
	m.send(step{as: "departing", ask: "POST /me/email-change/{first}/address", body: `{"email":"jauna.adrese{n}@skola.example"}`}, 0)
	m.mailedLinks("departing")
}

// forgetful has {reset} stand for the link of who forgot the password.
func forgetful(m *matrix) {
	m.t.Helper()
	leaver(m)
	m.send(step{ask: "POST /password-resets", body: `{"email":"jauns{n}@skola.example"}`}, 0)
	m.mailedLinks("departing")
}

// recovering has {stop} stand for the link of whose address is changed by an
// administrator.
func recovering(m *matrix) {
	m.t.Helper()
	leaver(m)
	m.send(step{as: "admin", ask: "POST /schools/{school}/users/{departing}/email-recovery",
		body: `{"email":"jauna.adrese{n}@skola.example","reason":"Pastkaste ir slēgta"}`}, 0)
	m.mailedLinks("departing")
}
