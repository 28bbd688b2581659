package texts

// audit are the refusals of histories.
var audit = map[string]Text{

	"audit.column_position":         {"Pozīcija", "position"},
	"audit.column_at":               {"Laiks (UTC)", "time (UTC)"},
	"audit.column_stream":           {"Plūsma", "stream"},
	"audit.column_version":          {"Versija", "version"},
	"audit.column_type":             {"Notikums", "event"},
	"audit.column_actor":            {"Kas: veids", "who: kind"},
	"audit.column_actor_id":         {"Kas: identifikators", "who: id"},
	"audit.column_name":             {"Kas: iniciāļi", "who: initials"},
	"audit.column_role":             {"Loma", "role"},
	"audit.column_assignment_id":    {"Lomas piešķīrums", "role assignment"},
	"audit.column_method":           {"Veids", "method"},
	"audit.column_reason":           {"Pamatojums", "reason"},
	"audit.column_lesson_id":        {"Nodarbība", "lesson"},
	"audit.column_lesson_starts_at": {"Nodarbības sākums", "lesson starts at"},
	"audit.column_field":            {"Lauks", "field"},
	"audit.column_old":              {"Bija", "was"},
	"audit.column_new":              {"Ir", "is"},
	"audit.column_route":            {"Pieprasījums", "request"},
	"audit.column_count":            {"Reižu skaits", "times"},

	"audit.order": {"Sākumam jābūt pirms beigām", "the beginning must be before the end"},
	"audit.as_of": {"Jābūt žurnāla pozīcijai, laikam (2025-09-01T08:40:00Z) vai dienai (2025-09-01)", "must be a position of the log, a time (2025-09-01T08:40:00Z) or a day (2025-09-01)"},
}
