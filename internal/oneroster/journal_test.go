package oneroster

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"zurnals/domain"
	"zurnals/internal/trace"
)

// journal is small with grades and absences of its pupil; cases change it.
func journal() map[string]string {
	files := small()
	files["manifest.csv"] += "file.lineItems,bulk\nfile.results,bulk\nfile.absences,bulk\nsource.systemName,E-klase\n"
	files["classes.csv"] = "sourcedId,status,dateLastModified,title,grades,courseSourcedId,classCode,classType,location,schoolSourcedId,termSourcedIds,subjects\n" +
		"k,,,1.a,01,,,homeroom,,o1,t,\nm,,,Matemātika 1.a,01,,,scheduled,,o1,t,\"Matemātika,Algebra\"\nk3,,,1.a,01,,,homeroom,,o3,t,\n"
	files["lineItems.csv"] = "sourcedId,status,dateLastModified,title,description,assignDate,dueDate,classSourcedId,categorySourcedId,gradingPeriodSourcedId,resultValueMin,resultValueMax\n" +
		"l1,,,Saskaitīšana,,2025-09-10,2025-09-12,m,c,t,1,10.0\n" +
		"l2,,,Diktāts,,,,k,c,y,0,100\n" +
		"l3,,,Svešs,,,,k3,c,t,1,10\n" +
		"l4,,,Skriešana,,,,m,c,t,0,1\n"
	files["results.csv"] = "sourcedId,status,dateLastModified,lineItemSourcedId,studentSourcedId,scoreStatus,score,scoreDate,comment\n" +
		"r1,,,l1,u,fully graded,9.0,2025-09-12,slepens\n" +
		"r2,,,l2,u,fully graded,\"87,5\",2025-09-15,\n" +
		"r3,,,l3,u3,fully graded,4,2025-09-15,\n" +
		"r4,,,l4,u,submitted,,2025-09-16,\n"
	files["absences.csv"] = "studentSourcedId,date,lesson,subject,kind\n" +
		"u,2025-09-12,1,Matemātika,attaisnots\n" +
		"u,2025-09-12,2,,unexcused\n" +
		"u,2025-09-13,,,\n" +
		"u3,2025-09-13,1,,excused\n"
	return files
}

func told(s Student) string {
	var all []string
	for _, g := range s.Grades {
		all = append(all, fmt.Sprintf("%s %s %s/%s/%s %s %s %s", g.Item, g.Date, g.Year, g.Term, g.Subject, g.Title, g.Scale, g.Value))
	}
	for _, a := range s.Absences {
		all = append(all, fmt.Sprintf("%s/%s %d %s %s", a.Year, a.Date, a.Lesson, a.Subject, a.Kind))
	}
	return strings.Join(all, "\n")
}

// A pupil's grades and absences, and nothing of a pupil of another school. The
// comment beside a grade is dropped, and what is not graded yet is no grade.
func TestGradesAndAbsences(t *testing.T) {
	trace.Partly(t, "EMU-064", "EMU-069")
	s := school(t, pack(t, journal()), "o1")
	want := `l1 2025-09-12 y/1/Matemātika Saskaitīšana ten 9
l2 2025-09-15 y//1.a Diktāts percent 87.5
y/2025-09-12 1 Matemātika excused
y/2025-09-12 2  unexcused
y/2025-09-13 0  unknown`
	if got := told(s.Students[0]); got != want || s.System != "E-klase" || s.Errors != 0 {
		t.Errorf("%s, %v\n%s\nwant\n%s", s.System, s.Problems, got, want)
	}
	if len(s.GradedYears) != 1 || len(s.AbsenceYears) != 1 || s.Students[0].GradesPartial || s.Students[0].AbsencesPartial {
		t.Errorf("%v %v %+v", s.GradedYears, s.AbsenceYears, s.Students[0])
	}
	none := school(t, pack(t, small()), "o1")
	if len(none.GradedYears)+len(none.AbsenceYears) != 0 || none.System != "" {
		t.Errorf("without such files: %+v", none)
	}
}

func TestValuesOfGrades(t *testing.T) {
	for _, c := range []struct{ most, status, score, want string }{
		{"10", "fully graded", "10", "ten 10"}, {"10", "fully graded", "1", "ten 1"}, {"", "Fully Graded", "7.00", "ten 7"},
		{"10", "fully graded", "i", "pass i"}, {"10", "fully graded", "NI", "pass ni"}, {"10", "fully graded", "ieskaitīts", "pass i"},
		{"10", "fully graded", "n/v", "ten nv"}, {"10", "exempt", "", "ten nv"}, {"100", "not submitted", "", "percent nv"},
		{"100", "partially graded", "0", "percent 0"}, {"100", "fully graded", "100.0", "percent 100"}, {"100", "fully graded", "33.3", "percent 33.3"},
		{"1", "fully graded", "1.0", "pass i"}, {"1", "fully graded", "0", "pass ni"}, {"10", "submitted", "", ""},
		{"10", "fully graded", "0", "score oneroster.value"}, {"10", "fully graded", "11", "score oneroster.value"}, {"10", "fully graded", "7.5", "score oneroster.value"},
		{"10", "fully graded", "-7", "score oneroster.value"}, {"10", "fully graded", "1e1", "score oneroster.value"}, {"10", "fully graded", "labi", "score oneroster.value"},
		{"100", "fully graded", "100.1", "score oneroster.value"}, {"100", "fully graded", "33.33", "score oneroster.value"}, {"1", "fully graded", "2", "score oneroster.value"},
		{"10", "fully graded", "", "score oneroster.required"}, {"10", "", "7", "scoreStatus oneroster.required"}, {"10", "graded", "7", "scoreStatus oneroster.value"},
		{"12", "fully graded", "7", "resultValueMax oneroster.value"}, {"x", "fully graded", "7", "resultValueMax oneroster.value"},
	} {
		files := journal()
		files["lineItems.csv"] = strings.Replace(files["lineItems.csv"], "1,10.0", "1,"+c.most, 1)
		files["results.csv"] = strings.Replace(files["results.csv"], "fully graded,9.0", c.status+","+c.score, 1)
		s := school(t, pack(t, files), "o1")
		got := ""
		if s.Errors > 0 {
			got = s.Problems[0].Field + " " + s.Problems[0].Code
		} else if g := s.Students[0].Grades[0]; g.Item == "l1" {
			got = g.Scale + " " + g.Value
		}
		if got != c.want || s.Students[0].GradesPartial != (s.Errors > 0) {
			t.Errorf("%s of %s, %s: %q, want %q; %v", c.score, c.most, c.status, got, c.want, s.Problems)
		}
	}
}

// One row is wrong in each case. It is told where, the other rows are taken,
// and what the pupil had is not taken to be gone.
func TestRowsOfGradesAndAbsences(t *testing.T) {
	trace.Partly(t, "EMU-064")
	for name, c := range map[string]struct {
		file, old, new string
		row            int
		field, code    string
		grades         bool // are partial; otherwise the absences, if it is about a pupil
		nobody         bool
	}{
		"a pupil who is not there":        {"results.csv", "l1,u,", "l1,u9,", 2, "studentSourcedId", codeReference, true, true},
		"no such line item":               {"results.csv", "l1,u,", "l9,u,", 2, "lineItemSourcedId", codeReference, true, false},
		"one result twice":                {"results.csv", "r2,", "r1,", 3, "sourcedId", codeDuplicate, true, false},
		"two results of one line item":    {"results.csv", "l2,u,", "l1,u,", 3, "lineItemSourcedId", codeDuplicate, true, false},
		"not a day":                       {"results.csv", "2025-09-12", "2025-09-31", 2, "scoreDate", codeValue, true, false},
		"a value too few":                 {"results.csv", ",slepens", "", 2, "", codeFields, true, false},
		"a line item of no class":         {"lineItems.csv", ",m,c,t,1", ",m9,c,t,1", 2, "classSourcedId", codeReference, true, false},
		"a line item of no period":        {"lineItems.csv", ",m,c,t,1", ",m,c,t9,1", 2, "gradingPeriodSourcedId", codeReference, true, false},
		"a line item turned around":       {"lineItems.csv", "Saskaitīšana", "Sask\u202eaitīšana", 2, "title", codeValue, true, false},
		"an absence of nobody":            {"absences.csv", "u,2025-09-12,1", "u9,2025-09-12,1", 2, "studentSourcedId", codeReference, false, true},
		"an absence on no day":            {"absences.csv", "2025-09-12,1", ",1", 2, "date", codeRequired, false, false},
		"an absence in no school year":    {"absences.csv", "2025-09-12,1", "2024-09-12,1", 2, "date", codeValue, false, false},
		"lesson 21":                       {"absences.csv", "2025-09-12,1", "2025-09-12,21", 2, "lesson", codeValue, false, false},
		"lesson half":                     {"absences.csv", "2025-09-12,1", "2025-09-12,1.5", 2, "lesson", codeValue, false, false},
		"one lesson twice":                {"absences.csv", "2025-09-12,2", "2025-09-12,1", 3, "lesson", codeDuplicate, false, false},
		"an absence with a value missing": {"absences.csv", ",attaisnots", "", 2, "", codeFields, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			files := journal()
			changed := strings.Replace(files[c.file], c.old, c.new, 1)
			if changed == files[c.file] {
				t.Fatal("nothing is changed")
			}
			files[c.file] = changed
			s := school(t, pack(t, files), "o1")
			if s.Errors != 1 {
				t.Fatalf("%v", s.Problems)
			}
			if p := s.Problems[0]; p.File != c.file || p.Row != c.row || p.Field != c.field || p.Code != c.code {
				t.Errorf("%+v", p)
			}
			pupil := s.Students[0]
			if pupil.GradesPartial != (c.grades && !c.nobody) || pupil.AbsencesPartial != (!c.grades && !c.nobody) || pupil.Partial {
				t.Errorf("%+v", pupil)
			}
			if got := len(pupil.Grades) + len(pupil.Absences); got != 4 {
				t.Errorf("%d of the other rows were taken", got)
			}
		})
	}
	files := journal()
	files["absences.csv"] = strings.Replace(files["absences.csv"], "attaisnots", "sacensības", 1)
	s := school(t, pack(t, files), "o1")
	if s.Errors != 0 || s.Students[0].Absences[0].Kind != "unknown" || s.Problems[1].Code != "oneroster.absence_kind" || !s.Problems[1].Warning {
		t.Errorf("a kind of absence of its own: %v", s.Problems)
	}
}

func TestMoreGradesThanAPupilCanHave(t *testing.T) {
	files := journal()
	var items, results strings.Builder
	for n := range MaxGrades {
		fmt.Fprintf(&items, "x%d,,,T,,,,m,c,t,1,10\n", n)
		fmt.Fprintf(&results, "y%d,,,x%d,u,fully graded,5,,\n", n, n)
	}
	files["lineItems.csv"] += items.String()
	files["results.csv"] += results.String()
	s := school(t, pack(t, files), "o1")
	if len(s.Students[0].Grades) != MaxGrades || s.Errors != 2 || s.Problems[0].Code != codeTooMany || !s.Students[0].GradesPartial {
		t.Errorf("%d grades, %v", len(s.Students[0].Grades), s.Problems)
	}
}

// FuzzJournal lets grades and absences be anything.
func FuzzJournal(f *testing.F) {
	s := journal()
	f.Add(s["lineItems.csv"], s["results.csv"], s["absences.csv"])
	f.Fuzz(func(t *testing.T, lineItems, results, absences string) {
		files := maps.Clone(s)
		files["lineItems.csv"], files["results.csv"], files["absences.csv"] = lineItems, results, absences
		a, err := Read(pack(t, files))
		check(t, a, err)
		if err != nil {
			return
		}
		school, err := a.School("o1")
		if err != nil {
			t.Fatal(err)
		}
		for _, pupil := range school.Students {
			for _, g := range pupil.Grades {
				if g.Item == "" || g.Year != "y" || g.Subject == "" || g.Value == "" || g.Scale == scaleTen && g.Value == "0" {
					t.Errorf("%+v", g)
				}
			}
			for _, a := range pupil.Absences {
				if _, err := domain.ParseDate(string(a.Date)); err != nil || a.Year != "y" || kinds[a.Kind] != a.Kind || a.Lesson < 0 || a.Lesson > maxLesson {
					t.Errorf("%+v", a)
				}
			}
		}
	})
}
