package texts

// core are the refusals of the program as a whole: of the HTTP interface, of
// rights, of the log.
var core = map[string]Text{
	"http.malformed":      {"Pieprasījuma saturs nav derīgs JSON", "the body of the request is not valid JSON"},
	"http.invalid":        {"Pieprasījumā ir kļūdas", "the request has errors"},
	"http.no_route":       {"Šādas adreses nav", "there is nothing at this address"},
	"http.method":         {"Šai adresei šāda darbība nav paredzēta", "this method is not available at this address"},
	"http.not_acceptable": {"Atbildi nevar sniegt prasītajā formātā", "the answer cannot be given in a form that is accepted"},
	"http.timeout":        {"Pieprasījums netika saņemts laikā", "the request did not arrive in time"},
	"http.too_large":      {"Pieprasījums ir pārāk liels", "the request is too large"},
	"http.media_type":     {"Pieprasījuma satura veids netiek pieņemts", "the content type of the request is not accepted"},
	"http.encoding":       {"Saspiests pieprasījuma saturs netiek pieņemts", "a compressed body is not accepted"},
	"http.cross_origin":   {"Pieprasījums no citas vietnes ir noraidīts", "a request from another site is refused"},
	"http.rate_limited":   {"Pārāk daudz pieprasījumu: mēģiniet vēlāk", "too many requests: try again later"},
	"http.internal":       {"Radās kļūda, par kuru esam informēti", "something went wrong, and we know of it"},
	"http.unavailable":    {"Pašlaik nav pieejams: mēģiniet pēc brīža", "not available just now: try again in a moment"},
	"http.loopback_only":  {"Pieejams tikai no šī paša datora", "only to be reached from this computer"},

	"session.sign_in":       {"Vispirms pieslēdzieties", "sign in first"},
	"role.malformed":        {"Lomas identifikators nav derīgs", "the role named is not an id"},
	"role.choose":           {"Jums ir vairākas lomas: norādiet vienu", "several roles are held: name one"},
	"access.forbidden":      {"Šī loma to neatļauj", "the role may not do this"},
	"access.not_found":      {"Tāda nav", "there is no such thing"},
	"access.no_role":        {"Nav lomas, vai tā vairs nav jūsu", "no role, or not the one named"},
	"id.malformed":          {"Tāda nav", "there is no such thing"},
	"request.fields":        {"Vairākos laukos ir kļūdas", "several fields are wrong"},
	"list.cursor":           {"Tas nav šī saraksta turpinājums", "not a cursor of this list"},
	"text.missing":          {"Nedrīkst būt tukšs", "must not be empty"},
	"text.too_long":         {"Pārāk garš", "is too long"},
	"text.characters":       {"Satur zīmes, kas tekstā nav atļautas", "holds characters that do not belong in a line of text"},
	"date.invalid":          {"Jābūt datumam, piemēram, 2025-09-01", "must be a date such as 2025-09-01"},
	"personal_code.invalid": {"Tas nav personas kods", "not a personal code"},

	"version.stale":         {"Kāds to ir mainījis, kopš to nolasījāt", "it has been changed since it was read"},
	"version.current":       {"Pašlaik tā ir versija %s", "it is at version %s"},
	"version.required":      {"Norādiet galvenē If-Match, kuru versiju maināt", "name in the If-Match header which version is changed"},
	"version.malformed":     {"Galvenes If-Match vērtība nav derīga", "the value of the If-Match header is not a version"},
	"idempotency.malformed": {"Galvenē Idempotency-Key jābūt 8–200 drukājamām zīmēm", "the Idempotency-Key header must have 8 to 200 printable characters"},
	"idempotency.reused":    {"Šī Idempotency-Key vērtība jau izmantota citam pieprasījumam", "this Idempotency-Key was used for another request"},
	"position.malformed":    {"Galvenes Zurnals-Min-Position vērtība nav derīga", "the value of the Zurnals-Min-Position header is not a position"},

	"person.erased":           {"Šīs personas dati ir dzēsti", "the person's data has been erased"},
	"log.busy":                {"To pašu pašlaik maina citi: mēģiniet vēlreiz", "others keep changing the same thing: try again"},
	"log.unavailable":         {"Žurnāls pašlaik nav pieejams: mēģiniet vēlreiz", "the log cannot be reached: try again"},
	"log.too_large":           {"Vienai darbībai tas ir par daudz", "too much for one command"},
	"credentials.busy":        {"Pašlaik pieslēdzas pārāk daudzi: mēģiniet vēlreiz", "too many sign-ins at once: try again"},
	"projection.unknown":      {"Tāda skata nav", "there is no such projection"},
	"projection.busy":         {"Skats jau tiek veidots", "the projection is being built"},
	"projection.in_use":       {"Skats pašlaik ir aizņemts: mēģiniet vēlreiz", "queries hold the tables: try again"},
	"projection.no_swap":      {"Nav jaunu tabulu, ko likt lietošanā", "no new tables wait to be put in use"},
	"projection.no_rollback":  {"Iepriekšējas skata versijas nav", "there is no former version of the tables"},
	"projection.not_parked":   {"Šī plūsma nav atlikta", "this stream is not parked"},
	"projection.still_poison": {"Plūsmā joprojām ir notikums, ko nevar apstrādāt", "the stream still has an event that cannot be handled"},
	"projection.more_parked":  {"Jaunajās tabulās būtu atliktas plūsmas, kas pašreizējās nav", "streams would be parked that are not parked in the tables in use"},
	"projection.behind":       {"Dati vēl tiek sagatavoti: mēģiniet vēlreiz", "the data is not ready yet: try again"},

	"dev.clock_set":     {"Pulksteni var iestatīt tikai tukšam žurnālam", "the clock can only be set while the log is empty"},
	"dev.clock_advance": {"Pulksteni var tikai pagriezt uz priekšu", "the clock can only be advanced"},
}

// fields say what is wrong with one field of a request.
var fields = map[string]Text{
	"field.invalid":    {"Vērtība nav derīga", "the value is not valid"},
	"field.required":   {"Obligāts lauks", "a required field is missing"},
	"field.unknown":    {"Šāda lauka nav", "there is no such field"},
	"field.type":       {"Gaidītais veids: %s", "expected: %s"},
	"field.choice":     {"Atļautās vērtības: %s", "one of %s is expected"},
	"field.time":       {"Jābūt laikam, piemēram, 2025-09-01T08:00:00Z", "must be a time such as 2025-09-01T08:00:00Z"},
	"field.date":       {"Jābūt datumam, piemēram, 2025-09-01", "must be a date such as 2025-09-01"},
	"field.id":         {"Jābūt identifikatoram (UUID)", "must be an id (UUID)"},
	"field.too_short":  {"Īsāks par %s zīmēm", "shorter than %s characters"},
	"field.too_long":   {"Garāks par %s zīmēm", "longer than %s characters"},
	"field.too_small":  {"Mazāks par %s", "less than %s"},
	"field.too_great":  {"Lielāks par %s", "more than %s"},
	"field.too_few":    {"Jābūt vismaz %s", "at least %s are needed"},
	"field.too_many":   {"Drīkst būt ne vairāk kā %s", "no more than %s are taken"},
	"field.repeated":   {"Vērtības atkārtojas", "the values repeat"},
	"field.pattern":    {"Jāatbilst paraugam %s", "must be of the form %s"},
	"field.media_type": {"Šāda veida datne netiek pieņemta", "a file of this type is not accepted"},
}

// types are what field.type names: the types of JSON, and of values in an address.
var types = map[string]Text{
	"boolean":        {"true vai false", "true or false"},
	"integer":        {"vesels skaitlis", "a whole number"},
	"number":         {"skaitlis", "a number"},
	"float":          {"skaitlis", "a number"},
	"floating value": {"skaitlis", "a number"},
	"string":         {"teksts", "a text"},
	"array":          {"saraksts", "a list"},
	"object":         {"objekts", "an object"},
}
