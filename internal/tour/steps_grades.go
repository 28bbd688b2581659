package tour

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// grades has the e-journal bring grades and absences of 6.a, which the teacher
// then sees in one role after the other.
func (t *tour) grades() string {
	in := func(role string) *person {
		p := &person{name: role, token: t.people.teacher.token}
		t.act(p, role)
		return p
	}
	admin, school := t.people.admin, "/schools/"+t.school
	archive := t.withGrades()
	var brought struct{ Grades, Absences, Unchanged, Errors int }
	t.upload(admin, school+"/roster-syncs", "skola.zip", archive, http.StatusCreated).into(&brought)
	same(t, "grades", brought.Grades, graded)
	same(t, "absences", brought.Absences, 1)
	same(t, "errors", brought.Errors, 0)
	head := t.head()
	t.upload(admin, school+"/roster-syncs", "skola.zip", archive, http.StatusCreated).into(&brought)
	same(t, "changes by the same file again", brought.Grades+brought.Absences, 0)
	same(t, "events of the same file again", t.head()-head, 1)

	var list struct {
		Items []struct {
			ID       string `json:"student_id"`
			Grades   int
			Absences struct{ Unexcused int }
		}
	}
	t.get(in("emu.class_teacher"), school+"/performance", http.StatusOK).into(&list)
	same(t, "pupils that the class teacher sees", len(list.Items), len(t.pupils))
	found, absent := 0, 0
	for _, p := range list.Items {
		found, absent = found+p.Grades, absent+p.Absences.Unexcused
	}
	same(t, "grades that the class teacher sees", found, graded)
	same(t, "absences that the class teacher sees", absent, 1)
	one := string(t.get(in("emu.support_staff"), school+"/students/"+list.Items[0].ID+"/performance", http.StatusOK).body)
	t.check(strings.Contains(one, `"source":"E-klase`), "it is not said whose the grades are: %s", one)
	management := in("emu.school_management")
	summary := string(t.get(management, school+"/performance-summary", http.StatusOK).body)
	t.check(strings.Contains(summary, `"grades":20,"average":`), "the summary is %s", summary)
	for _, p := range t.pupils {
		t.check(!strings.Contains(summary, p.ID), "the management sees a person")
	}
	t.get(management, school+"/performance", http.StatusForbidden)
	t.get(admin, school+"/performance", http.StatusForbidden)
	return fmt.Sprintf("%d grades and 1 absence come with the roster; the same file again: 0 changes, 1 event\n"+
		"class teacher: 6.a; support staff: every pupil; management: averages without names; administrator: nothing", graded)
}

// graded is how many grades the e-journal brings: one of each pupil of 6.a.
const graded = 20

// withGrades returns the sample roster with grades and absences, as an e-journal
// exports them.
func (t *tour) withGrades() []byte {
	files := map[string]string{
		"lineItems.csv": "sourcedId,status,dateLastModified,title,classSourcedId,gradingPeriodSourcedId,resultValueMin,resultValueMax\nli-1,,,Daļskaitļi,kl-6a,s1,1,10\n",
		"results.csv":   "sourcedId,status,dateLastModified,lineItemSourcedId,studentSourcedId,scoreStatus,score,scoreDate\n",
		"absences.csv":  "studentSourcedId,date,lesson,subject,kind\nek-s-0041,2025-09-01,3,Sports,neattaisnots\n",
	}
	for n := range graded {
		files["results.csv"] += fmt.Sprintf("re-%d,,,li-1,ek-s-%04d,fully graded,%d,2025-09-01\n", n, 41+n, 4+n%7)
	}
	z, err := zip.NewReader(bytes.NewReader(t.sampleSchool), int64(len(t.sampleSchool)))
	t.must(err)
	for _, f := range z.File {
		r, err := f.Open()
		t.must(err)
		content, err := io.ReadAll(r)
		t.must(err)
		t.must(r.Close())
		files[f.Name] = string(content)
	}
	files["manifest.csv"] += "file.lineItems,bulk\nfile.results,bulk\nfile.absences,bulk\n"
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for name, content := range files {
		f, err := w.Create(name)
		t.must(err)
		_, err = f.Write([]byte(content))
		t.must(err)
	}
	t.must(w.Close())
	return out.Bytes()
}
