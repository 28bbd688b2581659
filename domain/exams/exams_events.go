package exams

import "zurnals/domain"

// Events are the definitions of all events of exams. Their types and JSON are
// in the log for good.
var Events = []domain.Definition{
	domain.Define[ResultRecorded](),
}

// A ResultEvent is something that has happened to a result.
//
//sumtype:decl
type ResultEvent interface {
	domain.Event
	result()
}

// ResultRecorded says which percentage a pupil reached in an exam. If it was
// said before, this corrects it.
type ResultRecorded struct {
	Result  domain.ExamResultID `json:"result_id"`
	Student domain.StudentID    `json:"student_id"`
	School  domain.SchoolID     `json:"school_id"`
	Exam    string              `json:"exam"`
	Date    domain.Date         `json:"date"`
	Percent string              `json:"percent"` // such as 87.5
}

func (ResultRecorded) EventType() string { return "exams.result_recorded" }

func (ResultRecorded) result() {}

// PersonalFields seals how the pupil did.
func (e *ResultRecorded) PersonalFields() []domain.PersonalField {
	return []domain.PersonalField{{Subject: e.Student.Subject(), Tag: "percent", Value: &e.Percent}}
}
