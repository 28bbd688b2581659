// Package audit keeps who has read whose history (audita pieraksti). To read
// what somebody has done is an act like any other, and leaves a trace of its
// own in the log.
package audit

import "zurnals/domain"

// ReadHistory is what somebody has read.
type ReadHistory HistoryRead

// Readings are all that one person has read, one reader to a stream. Nothing
// follows from them but that they were: there is no state, and the stream need
// not be read to go on with it.
var Readings = domain.Decider[struct{}, ReadHistory, HistoryRead]{
	Category: "audit",
	Decide: func(_ struct{}, cmd ReadHistory) ([]HistoryRead, error) {
		return []HistoryRead{HistoryRead(cmd)}, nil
	},
	Evolve: func(struct{}, HistoryRead) struct{} { return struct{}{} },
}
