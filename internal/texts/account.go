package texts

// account are the refusals about the address, the password and the profile of
// an account, and the words of the pages that mailed links open.
var account = map[string]Text{
	"identity.email_is_self_managed": {"Persona jau ir reģistrējusies un e-pasta adresi maina pati", "the person has registered, and changes the address himself"},
	"identity.unconfirmed":           {"Persona vēl nav reģistrējusies: labojiet e-pasta adresi", "the person has not registered yet: correct the address"},
	"identity.email_same":            {"Kontam jau ir šī e-pasta adrese", "the account has this address already"},
	"identity.too_many_changes":      {"E-pasta adrese šodien mainīta pārāk daudz reižu", "the address was to be changed too often today"},
	"identity.too_many_addresses":    {"Norādīts pārāk daudz adrešu: sāciet maiņu no jauna", "too many addresses were given: begin the change anew"},
	"identity.change_expired":        {"Saites termiņš ir beidzies: sāciet e-pasta adreses maiņu no jauna", "the link has expired: begin the change of the address anew"},
	"identity.change_replaced":       {"Ir sākta cita e-pasta adreses maiņa: izmantojiet tās saites", "another change of the address was begun: use its links"},
	"identity.change_done":           {"E-pasta adrese jau ir nomainīta", "the address has been changed"},
	"identity.change_stopped":        {"E-pasta adreses maiņa ir apturēta", "the change of the address was stopped"},
	"identity.link_of_another":       {"Saite pieder citam kontam: pieslēdzieties tajā", "the link is of another account: sign in to that one"},
	"identity.works_elsewhere":       {"Persona strādā arī citur: vērsieties pie tā, kas pārvalda visas šīs vietas", "the person works at other places too: ask who administers all of them"},
	"identity.reset_expired":         {"Saites termiņš ir beidzies: pieprasiet jaunu", "the link has expired: ask for a new one"},
	"identity.reset_replaced":        {"Šī saite vairs nav derīga: izmantojiet jaunāko", "the link no longer works: use the newest one"},
	"identity.reset_used":            {"Saite jau ir izmantota: pieslēdzieties", "the link was used: sign in"},
	"identity.too_many_resets":       {"Nosūtīts pārāk daudz saišu: mēģiniet vēlāk", "too many links were sent: try again later"},
	"identity.language":              {"Šādas valodas nav: lv vai en", "no such language: lv or en"},
	"identity.password_wrong":        {"Parole nav pareiza", "the password is wrong"},
	"identity.password_tries":        {"Pārāk daudz nepareizu paroļu: mēģiniet vēlāk", "too many wrong passwords: try again later"},
	"session.reauthenticate":         {"Pieslēgšanās šai darbībai bijusi pārāk sen: ievadiet paroli vēlreiz", "the sign-in is too long ago for this: give the password again"},
}
