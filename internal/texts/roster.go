package texts

// rows are what is wrong with one row of a roster file, in the report of a run.
var rows = map[string]Text{
	"oneroster.required":         {"Lauks nedrīkst būt tukšs", "the field must not be empty"},
	"oneroster.value":            {"Lauka vērtība nav derīga", "the value of the field is not valid"},
	"oneroster.duplicate":        {"Šāds identifikators datnē jau ir", "the file has this id already"},
	"oneroster.reference":        {"Norāda uz ierakstu, kura arhīvā nav", "refers to a record that the archive does not have"},
	"oneroster.fields":           {"Rindā nav tik vērtību, cik virsrakstā", "the row has not as many values as the heading"},
	"oneroster.too_many":         {"Skolēnam ir pārāk daudz ierakstu", "the pupil has too many records"},
	"oneroster.manifest_version": {"Versijai jābūt 1.0; 1 tiek saprasta tāpat", "the version should be 1.0; 1 is understood as the same"},
	"oneroster.column_unknown":   {"Kolonna nav zināma un netiek lasīta", "the column is not known and is not read"},
	"oneroster.absence_kind":     {"Kavējuma veids nav zināms; kavējums pieņemts kā nezināms", "the kind of absence is not known; it was taken as unknown"},
	"personal_code.missing":      {"Personas kods nav norādīts", "there is no personal code"},
	"roster.no_class":            {"Skolēns nav nevienā klasē", "the pupil is in no class"},
}
