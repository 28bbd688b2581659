package demo

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"fmt"
)

// Roster returns what the school's system would send: a OneRoster 1.1 archive.
func (s *School) Roster() ([]byte, error) {
	classes := [][]string{{"sourcedId", "status", "dateLastModified", "title", "grades", "classType", "schoolSourcedId", "termSourcedIds"}}
	users := [][]string{{"sourcedId", "status", "dateLastModified", "enabledUser", "orgSourcedIds", "role", "givenName", "familyName", "identifier", "grades"}}
	enrolments := [][]string{{"sourcedId", "status", "dateLastModified", "classSourcedId", "schoolSourcedId", "userSourcedId", "role"}}
	for _, c := range s.Classes {
		grade := fmt.Sprintf("%02d", c.Grade)
		classes = append(classes, []string{s.Source + "-" + c.Name, "", "", c.Name, grade, "homeroom", s.Source, "mg"})
		for _, p := range c.Pupils {
			users = append(users, []string{p.Source, "", "", "true", s.Source, "student", p.Given, p.Family, p.Code, grade})
			enrolments = append(enrolments, []string{"en-" + p.Source, "", "", s.Source + "-" + c.Name, s.Source, p.Source, "student"})
		}
	}
	files := []struct {
		name string
		rows [][]string
	}{
		{"manifest.csv", [][]string{
			{"propertyName", "value"}, {"manifest.version", "1.0"}, {"oneroster.version", "1.1"},
			{"file.academicSessions", "bulk"}, {"file.orgs", "bulk"}, {"file.classes", "bulk"},
			{"file.courses", "absent"}, {"file.users", "bulk"}, {"file.enrollments", "bulk"},
		}},
		{"academicSessions.csv", [][]string{
			{"sourcedId", "status", "dateLastModified", "title", "type", "startDate", "endDate", "parentSourcedId", "schoolYear"},
			{"mg", "", "", "2025./2026. mācību gads", "schoolYear", "2025-09-01", "2026-08-31", "", "2026"},
		}},
		{"orgs.csv", [][]string{
			{"sourcedId", "status", "dateLastModified", "name", "type", "identifier", "parentSourcedId"},
			{s.Source, "", "", s.Name, "school", "", ""},
		}},
		{"classes.csv", classes}, {"users.csv", users}, {"enrollments.csv", enrolments},
	}
	var archive bytes.Buffer
	z := zip.NewWriter(&archive)
	for _, f := range files {
		w, err := z.Create(f.name)
		if err != nil {
			return nil, err
		}
		if err := csv.NewWriter(w).WriteAll(f.rows); err != nil {
			return nil, err
		}
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return archive.Bytes(), nil
}
