package audit

import "zurnals/domain"

// Events of the audit. Their types and JSON are in the log for good: to change
// or drop a field, add an upcast here and a golden file in
// domain/catalogue/testdata.
var Events = []domain.Definition{
	domain.Define[HistoryRead](),
}

// HistoryRead says that somebody has read a history: one page of it, as it was
// at a position of the log. Who has read, and in which role, is told with every
// event. Without account, student and stream it was the log itself.
type HistoryRead struct {
	Account      domain.AccountID      `json:"account_id,omitzero"` // whose history it was
	Student      domain.StudentID      `json:"student_id,omitzero"` // whose attendance it was
	Stream       string                `json:"stream,omitempty"`
	Municipality domain.MunicipalityID `json:"municipality_id,omitzero"` // where the right to read was had
	School       domain.SchoolID       `json:"school_id,omitzero"`
	AsOf         int64                 `json:"as_of"`   // position
	After        int64                 `json:"after"`   // position that the page began after
	Entries      int                   `json:"entries"` // on the page
	Last         int64                 `json:"last,omitempty"`
}

func (HistoryRead) EventType() string { return "audit.history_read" }
