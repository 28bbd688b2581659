package texts

// organisation are the refusals about schools, and about the pupils that are
// loaded into them.
var organisation = map[string]Text{
	"organisation.municipality_exists": {"Pašvaldība ar šādu nosaukumu jau ir", "there is a municipality of this name"},
	"organisation.no_school":           {"Šādas skolas nav", "no such school"},
	"organisation.source_taken":        {"Šis avota identifikators pieder citai skolai", "another school has this source id"},
	"organisation.year":                {"Mācību gads beidzas pēc sākuma un nav garāks par 400 dienām", "a school year ends after it begins, and within 400 days"},
	"organisation.year_overlaps":       {"Šajās dienās skolai jau ir mācību gads", "the school has a school year in these days"},
	"organisation.year_over":           {"Klases mācību gads ir beidzies: to var tikai lasīt", "the school year of the class is over: it is only for reading"},
	"organisation.too_many_years":      {"Skolai ir pārāk daudz mācību gadu", "the school has too many school years"},
	"organisation.no_school_year":      {"Skolai šāda mācību gada nav", "the school has no such school year"},
	"organisation.no_class":            {"Šādas klases nav", "no such class"},
	"organisation.class_name":          {"Klasi sauc, piemēram, 1.a: klase no 1 līdz 12, punkts un burti", "a class is called like 1.a: a grade from 1 to 12, a dot and letters"},
	"organisation.class_exists":        {"Šajā mācību gadā skolai jau ir klase ar šādu nosaukumu", "the school has a class of this name in this school year"},

	"roster.no_student": {"Šāda skolēna nav", "there is no such student"},
	"roster.no_course":  {"Šāda kursa nav", "there is no such course"},
	"roster.no_sync":    {"Šādas sinhronizācijas nav", "there is no such synchronisation"},
	"roster.not_bound":  {"Skolai nav avota identifikatora, tāpēc neviena datne nevar būt par to", "the school has no source id, so no file can be about it"},
	"roster.running":    {"Šai skolai jau notiek cita sinhronizācija", "another synchronisation of this school is running"},
	"roster.sync_over":  {"Sinhronizācija ir beigusies", "the synchronisation is over"},
	"roster.taken_over": {"Šīs sinhronizācijas vietu ieņēmusi cita", "another synchronisation has taken the place of this one"},

	"oneroster.archive":       {"Tas nav zip arhīvs, vai tas ir bojāts", "not a zip archive, or a damaged one"},
	"oneroster.too_large":     {"Arhīvs ir pārāk liels, vai tāds būtu atspiests", "the archive is too large, or would be when unpacked"},
	"oneroster.entry":         {"Datnēm jābūt arhīva augšējā līmenī, katrai vienreiz", "the files must lie at the top of the archive, each once"},
	"oneroster.manifest":      {"Manifesta nav, vai tas ir nepareizs", "the manifest is missing or wrong"},
	"oneroster.version":       {"Tiek lasīta tikai OneRoster 1.1 versija", "only OneRoster 1.1 is read"},
	"oneroster.file_missing":  {"Trūkst datnes, kas ir vajadzīga vai nosaukta manifestā", "a file is missing that is needed or named in the manifest"},
	"oneroster.delta":         {"Tiek pieņemtas tikai pilnas datnes (bulk), nevis izmaiņas (delta)", "only whole files (bulk) are taken, not changes (delta)"},
	"oneroster.bulk_status":   {"Pilnā datnē (bulk) kolonna status ir tukša", "in a whole file (bulk) the column status is empty"},
	"oneroster.delta_undated": {"Izmaiņu datnē (delta) katrā rindā ir status un dateLastModified", "in a file of changes (delta) each row has status and dateLastModified"},
	"oneroster.header":        {"Kolonnas trūkst, vai tā ir divreiz", "a column is missing or stands there twice"},
	"oneroster.csv":           {"Tas nav CSV UTF-8 kodējumā", "not CSV in UTF-8"},
	"oneroster.other_school":  {"Datnē par šo skolu nekā nav", "the file says nothing of this school"},
	"oneroster.not_a_school":  {"Šī organizācija nav skola", "the organisation is not a school"},
}
