package texts

// proofs are the refusals about the proof of the log.
var proofs = map[string]Text{
	"proof.rewritten":     {"Žurnāls nav tas, kas tika parakstīts: ziņojiet auditoriem", "the log is not the one that was sealed: tell the auditors"},
	"proof.not_sealed":    {"Vēl nav parakstīts: mēģiniet pēc minūtes", "it is not sealed yet: try again in a minute"},
	"proof.no_event":      {"Žurnālā šādas pozīcijas nav", "the log has no such position"},
	"proof.no_checkpoint": {"Ar šādu garumu žurnāls nav parakstīts", "there is no checkpoint of this size"},
	"proof.sizes":         {"Agrākais garums ir vismaz 1 un nepārsniedz vēlāko", "the earlier size is at least 1 and not above the later"},
}
