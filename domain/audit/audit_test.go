package audit_test

import (
	"testing"

	"zurnals/domain"
	"zurnals/domain/audit"
	"zurnals/domain/domaintest"
)

var given = domaintest.Given(audit.Readings)

// To read twice is to have read twice, also when it was the same page.
func TestEveryReadingIsRecorded(t *testing.T) {
	read := audit.HistoryRead{Account: domain.NewID[domain.AccountID](), AsOf: 40, After: 7, Entries: 3, Last: 12}
	given().When(audit.ReadHistory(read)).Then(t, read)
	given(read).When(audit.ReadHistory(read)).Then(t, read)

	nothing := audit.HistoryRead{Student: domain.NewID[domain.StudentID](), AsOf: 0}
	given(read).When(audit.ReadHistory(nothing)).Then(t, nothing)
}
