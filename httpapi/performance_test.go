package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"zurnals/domain/access"
	"zurnals/internal/trace"
	"zurnals/projections/organisation"
	"zurnals/projections/performance"
	"zurnals/projections/staff"
	"zurnals/projections/students"
	"zurnals/projections/surveys"
)

// eJournal is what the e-journal exports of 6.a and of one pupil of 9.a: grades
// in mathematics of six pupils, in sports of four, and some absences. Line by
// line the numbers of pupils are those of the made-up school.
func eJournal(t *testing.T) map[string]string {
	t.Helper()
	manifest, err := os.ReadFile(filepath.Join("..", "internal", "oneroster", "testdata", "roster_lv/01_initial", "manifest.csv"))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{
		"manifest.csv": string(manifest) + "file.lineItems,bulk\nfile.results,bulk\nfile.absences,bulk\n",
		"classes.csv": `sourcedId,status,dateLastModified,title,grades,courseSourcedId,classCode,classType,location,schoolSourcedId,termSourcedIds,subjects
kl-1a,,,1.a,01,,1.a,homeroom,,org-skola,"s1,s2",
kl-1b,,,1.b,01,,1.b,homeroom,,org-skola,"s1,s2",
kl-6a,,,6.a,06,,6.a,homeroom,,org-skola,"s1,s2",
kl-9a,,,9.a,09,,9.a,homeroom,,org-skola,"s1,s2",
kl-10a,,,10.a,10,,10.a,homeroom,,org-skola,"s1,s2",
kl-12c,,,12.c,12,,12.c,homeroom,,org-skola,"s1,s2",
ma-6a,,,Matemātika 6.a,06,,,scheduled,,org-skola,"s1,s2",Matemātika
sp-6a,,,Sports 6.a,06,,,scheduled,,org-skola,"s1,s2",Sports
`,
		"lineItems.csv": `sourcedId,status,dateLastModified,title,classSourcedId,gradingPeriodSourcedId,resultValueMin,resultValueMax
li-1,,,Daļskaitļi,ma-6a,s1,1,10
li-2,,,Skriešana,sp-6a,s1,1,10
li-3,,,Diagnosticējošais darbs,ma-6a,s2,0,100
`,
		"results.csv":  "sourcedId,status,dateLastModified,lineItemSourcedId,studentSourcedId,scoreStatus,score,scoreDate\n",
		"absences.csv": "studentSourcedId,date,lesson,subject,kind\nek-s-0041,2025-09-02,1,Sports,unexcused\nek-s-0041,2025-09-02,2,Matemātika,attaisnots\nek-s-0042,2025-09-02,1,Sports,\n",
	}
	line := func(n int, item string, pupil int, score string) {
		files["results.csv"] += fmt.Sprintf("re-%s-%d,,,%s,ek-s-%04d,fully graded,%s,2025-09-01\n", item, n, item, pupil, score)
	}
	for n := range 6 {
		line(n, "li-1", 41+n, fmt.Sprint(5+n))
	}
	for n := range 4 {
		line(n, "li-2", 41+n, "10")
	}
	line(0, "li-3", 41, "87.5")
	line(9, "li-1", 61, "3")
	return files
}

// Grades, absences, results of exams and a survey, looked at by everybody: what
// each sees, and what each does not.
func TestHowPupilsDoThroughEachLens(t *testing.T) {
	t.Parallel()
	trace.Covers(t, "EMU-064", "EMU-066", "EMU-069", "EMU-070", "EMU-072", "EMU-073", "EMU-077")
	s := newStory(t, students.Projection, performance.Projection, surveys.Projection, organisation.Projection, staff.Projection)
	s.hire("dace", post{access.SchoolAdmin, "school"})
	s.hire("inga", post{access.ClassTeacher, "class"})
	s.hire("zane", post{access.ClassTeacher, "class_b"})
	s.hire("atbalsts", post{access.SupportStaff, "school"})
	s.hire("vadiba", post{access.SchoolManagement, "school"})
	s.hire("novads", post{access.MunicipalityAnalyst, "municipality"})
	s.hire("pasvaldiba", post{access.MunicipalityAdmin, "municipality"})
	s.hire("citur", post{access.SupportStaff, "elsewhere"})
	s.hire("valsts", post{access.PlatformAdmin, ""})

	const (
		load    = "POST /schools/{school}/roster-syncs"
		list    = "GET /schools/{school}/performance"
		one     = "GET /schools/{school}/students/{peteris}/performance"
		another = "GET /schools/{school}/students/{stranger}/performance"
		results = "GET /schools/{school}/students/{peteris}/exam-results"
		school  = "GET /schools/{school}/performance-summary"
		town    = "GET /municipalities/{municipality}/performance-summary"
		answers = "GET /surveys/{survey}/answers"
		summary = "GET /municipalities/{municipality}/survey-summary"
		record  = "POST /schools/{school}/exam-results"
	)
	// They come with the roster. Who loads it is told how many, and sees none.
	file := rosterForm(rosterZipOf(t, eJournal(t)))
	a := s.send(step{as: "dace", ask: load, form: file}, 0)
	if a.Code != 201 || !strings.Contains(a.Body.String(), `"grades":12,"absences":3`) || !strings.Contains(a.Body.String(), `"errors":0`) {
		t.Fatalf("%d %s", a.Code, a.Body)
	}
	var run struct{ ID string }
	s.must(json.Unmarshal(a.Body.Bytes(), &run))
	s.names["run"] = run.ID
	wrong := eJournal(t)
	wrong["results.csv"] = strings.Replace(wrong["results.csv"], "graded,5,", "graded,12,", 1)
	s.tell(
		step{name: "the same again", as: "dace", ask: load, form: file, status: 201, events: "roster.sync_completed", has: []string{`"grades":0,"absences":0`}},
		step{name: "a wrong row", as: "dace", ask: load, form: rosterForm(rosterZipOf(t, wrong)), status: 201, events: "roster.sync_completed",
			has: []string{`{"file":"results.csv","row":2,"field":"score","code":"oneroster.value"`}, hasNot: []string{"12,"}},
		step{as: "dace", ask: "GET /schools/{school}/roster-syncs/{run}", status: 200, has: []string{`"grades":12,"absences":3`}},
	)
	for i, id := range s.pupils("inga", "") {
		s.names[fmt.Sprintf("p%d", i)] = id
	}
	s.names["inga/teacher"] = s.names["inga/"+string(access.ClassTeacher)]
	s.tell(s.teaches(step{ask: "POST /schools/{school}/surveys", body: `{"class_id":"{class}",` + wellbeing + `}`,
		status: 201, events: "surveys.started surveys.tokens_issued", keep: "survey"}))
	s.surveyLinks("inga", "survey", "link")
	s.answers("link", "11222")
	s.tell(s.teaches(step{ask: "POST /surveys/{survey}/closure", status: 204, events: "surveys.closed"}))
	s.names["peteris"], s.names["stranger"] = s.pupilOf("6.a", "abele"), s.pupilOf("9.a", "cakste%20peteris")

	// Whoever runs the exams delivers results.
	rows := [][4]string{}
	for n, code := range []string{"323231-83786", "325083-30931", "322642-04447", "327039-53111", "326560-63839"} {
		rows = append(rows, [4]string{code, "Matemātika", "2025-09-01", fmt.Sprintf("%d,5", 60+n)})
	}
	rows = append(rows, [4]string{"323231-83786", "Fizika", "2025-09-01", "40"})
	good, bad := s.resultsFile(rows...), s.resultsFile(append(rows, [4]string{"323231-83787", "Fizika", "2026-01-01", "101"})...)
	recorded := strings.TrimSpace(strings.Repeat("exams.result_recorded ", 6))
	s.tell(
		step{as: "valsts", ask: record, form: bad, status: 422, code: "exams.rows", fields: []string{
			"row 8, Personas kods *: exams.no_student", "row 8, Datums *: exams.future", "row 8, Rezultāts, % *: exams.percent"}},
		step{as: "valsts", ask: record + "?dry_run=true", form: bad, status: 200, has: []string{`"rows":7,"recorded":6,"known":0,"refused":1`, "Procentiem"}},
		step{as: "dace", ask: record, form: good, status: 403, code: "access.forbidden"},
		step{as: "atbalsts", ask: record, form: good, status: 403, code: "access.forbidden"},
		step{as: "valsts", ask: record + "?accept_valid_rows=true", form: bad, status: 201, events: recorded, has: []string{`"recorded":6`, `"refused":1`}},
		step{as: "valsts", ask: record, form: good, status: 201, has: []string{`"recorded":0,"known":6`}},
		step{as: "valsts", ask: record, form: formBody{files: map[string]formFile{"file": {"r.xlsx", []byte("Personas kods;")}}}, status: 422, code: "sheet.not_xlsx"},
		step{as: "valsts", ask: "POST /schools/{class}/exam-results", form: good, status: 404, code: "access.not_found"},
		step{as: "valsts", ask: one, status: 403, code: "access.forbidden"},
	)

	allowed := func(as, ask string, has, hasNot []string) step {
		return step{as: as, ask: ask, status: 200, has: has, hasNot: hasNot}
	}
	refused := func(as string, asks ...string) (all []step) {
		for _, ask := range asks {
			all = append(all, step{as: as, ask: ask, status: 403, code: "access.forbidden"})
		}
		return all
	}
	grades := []string{`"name":"2025-2026"`, `"name":"Matemātika","average":5,"terms":[{"name":"1. semestris"`, `"scale":"percent","value":"87.5","source":"E-klase (synthetic)"`, `"name":"Sports","average":10`,
		`"absences":{"excused":1,"unexcused":1,"unknown":0,"items":[`, `"kind":"unexcused","source":"E-klase (synthetic)"`}

	// The class teacher: pupils of the own class, and of no other.
	s.tell(
		allowed("inga", list, []string{`"student_id":"{peteris}"`, `"classes":["6.a"],"grades":3,"average":7.5,"absences":{"excused":1,"unexcused":1,"unknown":0}`}, []string{"{stranger}"}),
		allowed("inga", list+"?q=abele&limit=1", []string{"{peteris}"}, []string{"next"}),
		allowed("inga", one, grades, nil),
		allowed("inga", answers, []string{"{p0}", "Esmu nr. 4"}, []string{"{stranger}"}),
		step{as: "zane", ask: answers, status: 403, code: "access.forbidden"},
		allowed("inga", one+"?school_year={year}", grades, nil),
		step{as: "inga", ask: one + "?school_year={elsewhere_year}", status: 404, code: "access.not_found"},
		step{as: "inga", ask: one + "?school_year=x", status: 404, code: "id.malformed"},
		step{as: "inga", ask: another, status: 404, code: "access.not_found"},
		step{as: "zane", ask: one, status: 404, code: "access.not_found"},
		step{as: "inga", ask: list + "?cursor=x", status: 422, code: "list.cursor", fields: []string{"query.cursor"}},
		step{as: "inga", ask: "GET /schools/{elsewhere}/performance", status: 404, code: "access.not_found"},
	)
	s.tell(refused("inga", list+"?class={class_b}", results, school, town, summary)...)

	// Support staff: single pupils of the whole school, and their exams.
	s.tell(
		allowed("atbalsts", list+"?limit=200", []string{"{peteris}", "{stranger}"}, nil),
		allowed("atbalsts", list+"?class={class_b}", []string{`"items":[]`}, nil),
		step{as: "atbalsts", ask: list + "?class={elsewhere_class}", status: 404, code: "access.not_found"},
		allowed("atbalsts", one, grades, nil), allowed("atbalsts", another, []string{`"value":"3"`}, nil),
		allowed("atbalsts", answers+"?student={p3}", []string{"Esmu nr. 3"}, []string{"{p0}"}),
		allowed("atbalsts", results, []string{`[{"exam":"Fizika","date":"2025-09-01","percentage":40},{"exam":"Matemātika","date":"2025-09-01","percentage":60.5}]`}, nil),
		step{as: "citur", ask: one, status: 404, code: "access.not_found"},
		step{as: "citur", ask: "GET /schools/{elsewhere}/students/{peteris}/performance", status: 404, code: "access.not_found"},
		step{as: "citur", ask: "GET /schools/{elsewhere}/students/{peteris}/exam-results", status: 404, code: "access.not_found"},
	)
	s.tell(refused("atbalsts", school, town, summary)...)

	// The management: classes and subjects, no pupil, nothing about fewer than five.
	s.tell(
		allowed("vadiba", school, []string{`"name":"6.a","pupils":20,"suppressed":false,"absences":{"excused":1,"unexcused":1,"unknown":1}`,
			`{"name":"Matemātika","suppressed":false,"pupils":6,"grades":6,"average":7.5}`, `{"name":"Sports","suppressed":true,"pupils":null,"grades":null,"average":null}`,
			`{"exam":"Matemātika","suppressed":false,"pupils":5,"percentage":62.5}`, `{"exam":"Fizika","suppressed":true`}, []string{"student", "Ābele", "{peteris}"}),
	)
	s.tell(refused("vadiba", list, one, results, answers, town, summary)...)

	// The municipality: schools beside each other.
	s.tell(
		allowed("novads", town, []string{`"name":"Parauga vidusskola","suppressed":false,"pupils":7,"grades":11,"average":8`, `{"exam":"Matemātika","suppressed":false,"pupils":5,"percentage":62.5}`},
			[]string{"student", "Ābele", "{elsewhere}", "6.a"}),
		allowed("novads", summary, []string{`"surveys":1,"issued":20,"suppressed":false,"answered":5`}, []string{"Esmu", "{p0}"}),
		step{as: "novads", ask: "GET /municipalities/{elsewhere_municipality}/performance-summary", status: 404, code: "access.not_found"},
	)
	s.tell(refused("novads", list, one, results, answers, school)...)

	// Who manages users sees none of it.
	s.tell(refused("dace", list, one, another, results, answers, school, town, summary, "GET /schools/{school}/exam-result-template")...)
	s.tell(refused("pasvaldiba", list, one, results, answers, school, town, summary)...)
}

// pupilOf returns the id of a pupil of a class that the file has brought.
func (s *story) pupilOf(class, name string) string {
	s.t.Helper()
	var page struct{ Items []struct{ ID string } }
	a := s.tell(step{as: "dace", ask: "GET /schools/{school}/classes?q=" + class, status: 200})
	s.must(json.Unmarshal(a.Body.Bytes(), &page))
	a = s.tell(step{as: "dace", ask: "GET /schools/{school}/students?class=" + page.Items[0].ID + "&q=" + name, status: 200})
	s.must(json.Unmarshal(a.Body.Bytes(), &page))
	if len(page.Items) != 1 {
		s.t.Fatalf("%d pupils of %s are called %s", len(page.Items), class, name)
	}
	return page.Items[0].ID
}

// resultsFile is the template for results of exams with rows filled in.
func (s *story) resultsFile(rows ...[4]string) formBody {
	s.t.Helper()
	var out bytes.Buffer
	s.must(examTemplate.Write(&out))
	f, err := excelize.OpenReader(&out)
	s.must(err)
	defer f.Close()
	for i, row := range rows {
		for column, text := range row {
			s.must(f.SetCellStr("Rezultāti", fmt.Sprintf("%c%d", 'A'+column, i+2), text))
		}
	}
	var filled bytes.Buffer
	_, err = f.WriteTo(&filled)
	s.must(err)
	return formBody{files: map[string]formFile{"file": {"rezultati.xlsx", filled.Bytes()}}}
}
