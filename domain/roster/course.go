package roster

import (
	"fmt"

	"zurnals/domain"
)

// A CourseCommand asks a course for something.
//
//sumtype:decl
type CourseCommand interface{ courseCommand() }

// FollowCourse makes a course (mācību priekšmeta grupa) as the source has it.
type FollowCourse struct {
	Course   domain.CourseID
	School   domain.SchoolID
	SourceID string
	Title    string
}

func (FollowCourse) courseCommand() {}

// A Course is what decisions need to know of a course.
type Course struct {
	id     domain.CourseID
	school domain.SchoolID
	title  string
}

// ErrNoCourse refuses what is asked of a course that the school does not have.
var ErrNoCourse = domain.Refuse(domain.NotFound, "roster.no_course", "there is no such course")

// Courses decides for courses.
var Courses = domain.Decider[Course, CourseCommand, CourseEvent]{
	Category: "course",
	Decide:   Course.decide,
	Evolve:   Course.evolve,
}

func (c Course) decide(cmd CourseCommand) ([]CourseEvent, error) {
	follow, ok := cmd.(FollowCourse)
	switch {
	case !ok:
		return nil, fmt.Errorf("roster: no decision on %T", cmd)
	case c.id.IsZero():
		return []CourseEvent{CourseRegistered(follow)}, nil
	case c.school != follow.School:
		return nil, ErrNoCourse
	case c.title != follow.Title:
		return []CourseEvent{CourseRenamed{c.id, c.school, follow.Title}}, nil
	}
	return nil, nil
}

func (c Course) evolve(e CourseEvent) Course {
	switch e := e.(type) {
	case CourseRegistered:
		c.id, c.school, c.title = e.Course, e.School, e.Title
	case CourseRenamed:
		c.title = e.Title
	}
	return c
}

// A CourseEvent is something that has happened to a course.
//
//sumtype:decl
type CourseEvent interface {
	domain.Event
	course()
}

type (
	// CourseRegistered says that the source has a course that was not known.
	CourseRegistered struct {
		Course   domain.CourseID `json:"course_id"`
		School   domain.SchoolID `json:"school_id"`
		SourceID string          `json:"source_id"`
		Title    string          `json:"title"`
	}

	// CourseRenamed says what a course is called now.
	CourseRenamed struct {
		Course domain.CourseID `json:"course_id"`
		School domain.SchoolID `json:"school_id"`
		Title  string          `json:"title"`
	}
)

func (CourseRegistered) EventType() string { return "roster.course_registered" }
func (CourseRenamed) EventType() string    { return "roster.course_renamed" }

func (CourseRegistered) course() {}
func (CourseRenamed) course()    {}

// ClaimCourse is the kind of claim that a course's id in the source is.
const ClaimCourse = "course_source"

// CourseClaim returns the claim of a course of a school.
func CourseClaim(school domain.SchoolID, sourceID string) domain.Claim {
	return domain.Claim{Kind: ClaimCourse, Value: school.String() + "/" + sourceID}
}

// Claims keeps one course from being registered twice.
func (e CourseRegistered) Claims() []domain.Claim {
	return []domain.Claim{CourseClaim(e.School, e.SourceID)}
}
