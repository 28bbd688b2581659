package analytics

import "zurnals/domain"

// Counted returns what stands in one line of week.
func (t *WeekTables) Counted(school domain.SchoolID, week domain.Date, status string) (marks, pupils int32) {
	row, _ := t.Weeks.Get(weekKey{school, week, status})
	return row.Marks, row.Pupils
}
