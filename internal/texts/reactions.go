package texts

// reactions are the refusals of what follows from events.
var reactions = map[string]Text{
	"reaction.unknown":      {"Tādas reakcijas nav", "there is no such reaction"},
	"reaction.not_parked":   {"Šis notikums nav atlikts", "the reaction has not put this event aside"},
	"reaction.no_letter":    {"Šāda vēstule nevienam kontam nav nosūtīta", "no such letter was sent to an account"},
	"reaction.still_parked": {"Šo notikumu joprojām nevar apstrādāt", "the reaction still cannot handle this event"},
}
