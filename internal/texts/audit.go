package texts

// audit are the refusals of histories.
var audit = map[string]Text{
	"audit.as_of": {"Jābūt žurnāla pozīcijai, laikam (2025-09-01T08:40:00Z) vai dienai (2025-09-01)", "must be a position of the log, a time (2025-09-01T08:40:00Z) or a day (2025-09-01)"},
}
