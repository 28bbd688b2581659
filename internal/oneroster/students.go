package oneroster

import (
	"strings"

	"zurnals/domain"
)

func (s *reading) readUsers(t *table) {
	s.users = make(map[string]user)
	seen := make(map[string]bool)
	for _, r := range t.rows {
		id, ok := s.sourceID(r, seen)
		if !ok {
			if r.ragged {
				s.damage(r.get("sourcedId")) // not missing, if that is the id
			}
			continue
		}
		u, unknown := user{index: -1}, false
		orgs := list(r.get("orgSourcedIds"))
		for _, org := range orgs {
			here, known := s.schools[org]
			u.here, unknown = u.here || here, unknown || !known
		}
		role := r.get("role")
		switch {
		case len(orgs) == 0:
			s.fail(r, "orgSourcedIds", codeRequired)
			s.damage(id)
		case !u.here && unknown:
			s.fail(r, "orgSourcedIds", codeReference)
			s.damage(id)
		case !u.here:
			s.OtherSchools++
		case role == "":
			s.fail(r, "role", codeRequired)
			s.damage(id)
		case role != "student":
			s.OtherRoles++
		default:
			u.index = s.student(r, id)
		}
		s.users[id] = u
	}
}

// damage notes that a pupil is in the file, but what is said there is wrong.
func (s *reading) damage(id string) {
	if id != "" && !s.damaged[id] {
		s.damaged[id] = true
		s.Damaged = append(s.Damaged, id)
	}
}

// student adds a pupil and returns where, or -1 if the row is wrong.
func (s *reading) student(r row, id string) int {
	given, ok1 := s.line(r, "givenName", maxName, true)
	middle, ok2 := s.line(r, "middleName", maxName, false)
	family, ok3 := s.line(r, "familyName", maxName, true)
	if middle != "" && ok1 {
		if given += " " + middle; len([]rune(given)) > maxName {
			s.fail(r, "middleName", codeValue)
			ok2 = false
		}
	}
	grade, ok4 := "", true
	if grades := list(r.get("grades")); len(grades) > 0 {
		if grade = strings.TrimLeft(grades[0], "0"); grade == "" {
			grade = "0"
		}
		if len(grade) > maxGrade {
			s.fail(r, "grades", codeValue)
			ok4 = false
		}
	}
	var code domain.PersonalCode
	ok5 := true
	if v := r.get("identifier"); v == "" {
		s.warn(r, "identifier", "personal_code.missing")
	} else {
		var err error
		if code, err = domain.ParsePersonalCode(v); err != nil {
			s.fail(r, "identifier", domain.ErrPersonalCode.Code)
			ok5 = false
		}
	}
	if !(ok1 && ok2 && ok3 && ok4 && ok5) {
		s.damage(id)
		return -1
	}
	s.rows = append(s.rows, r)
	s.Students = append(s.Students, Student{SourceID: id, GivenName: given, FamilyName: family, PersonalCode: code, Grade: grade})
	return len(s.Students) - 1
}

// enrol reads who is in which class or course.
func (s *reading) enrol(t *table) {
	seen := make(map[string]bool)
	for _, r := range t.rows {
		id, ok := s.sourceID(r, seen)
		userID, role := r.get("userSourcedId"), r.get("role")
		u, known := s.users[userID]
		group, grouped := s.groups[r.get("classSourcedId")]
		switch {
		case grouped && !group.here, !grouped && s.foreign(r.get("schoolSourcedId")),
			known && !u.here && !s.damaged[userID]:
			s.OtherSchools++
		case role != "student" && role != "":
			s.OtherRoles++
		case !known && !s.damaged[userID]:
			if ok {
				s.fail(r, "userSourcedId", codeReference)
			}
		case !known, u.index < 0: // what is wrong is told with the row of the user
		default:
			student := &s.Students[u.index]
			e, good := s.enrolment(r, id, ok, grouped, group)
			if good && len(student.Enrolments) == MaxEnrolments {
				s.fail(r, "userSourcedId", codeTooMany)
				good = false
			}
			if student.Partial = student.Partial || !good; good {
				student.Enrolments = append(student.Enrolments, e)
			}
		}
	}
}

// enrolment reads one row about a pupil.
func (s *reading) enrolment(r row, id string, ok, grouped bool, group place) (Enrolment, bool) {
	switch {
	case !ok:
		return Enrolment{}, false
	case r.get("role") == "":
		s.fail(r, "role", codeRequired)
		return Enrolment{}, false
	case !grouped:
		s.fail(r, "classSourcedId", codeReference)
		return Enrolment{}, false
	case group.wrong: // told with the class
		return Enrolment{}, false
	}
	from, ok1 := s.date(r, "beginDate", false)
	until, ok2 := s.date(r, "endDate", false)
	if ok1 && ok2 && until != "" && until < from {
		s.fail(r, "endDate", codeValue)
		ok2 = false
	}
	return Enrolment{SourceID: id, Group: r.get("classSourcedId"), From: from, Until: until}, ok1 && ok2
}

// foreign says whether an id is of another organisation of the file.
func (s *reading) foreign(org string) bool {
	here, known := s.schools[org]
	return known && !here
}
