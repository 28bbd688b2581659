package httpapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"zurnals/domain/access"
	"zurnals/internal/trace"
	"zurnals/projections/organisation"
	"zurnals/projections/surveys"
)

const wellbeing = `"title":"Pašsajūta","questions":[` +
	`{"text":"Vai jūties droši?","kind":"one","options":["jā","nē"],"required":true},` +
	`{"text":"Kas patīk?","kind":"several","options":["sports","mūzika"]},` +
	`{"text":"Kā klājas?","kind":"scale","steps":5},{"text":"Ko vēl teiksi?","kind":"text"}]`

// newSurvey begins a story in which Inga has asked her class {survey}: of pupil
// {p0} the link is {link0}, and so on.
func newSurvey(t *testing.T) *story {
	t.Helper()
	s := newLessons(t, organisation.Projection, surveys.Projection)
	s.hire("vadiba", post{access.SchoolManagement, "school"})
	s.hire("novads", post{access.MunicipalityAnalyst, "municipality"})
	s.tell(s.teaches(step{ask: "POST /schools/{school}/surveys", body: `{"class_id":"{class}",` + wellbeing + `}`,
		status: 201, events: "surveys.started surveys.tokens_issued", keep: "survey"}))
	s.surveyLinks("inga", "survey", "link")
	return s
}

// teaches has Inga ask as the teacher of her class.
func (s *story) teaches(st step) step {
	st.as, st.headers = "inga", append(st.headers, "Zurnals-Role: {inga/teacher}")
	return st
}

// surveyLinks keeps the links to a survey under names with the numbers of the pupils.
func (s *story) surveyLinks(as, survey, name string) {
	s.t.Helper()
	for cursor := ""; ; {
		var page struct {
			Items []struct {
				Student string `json:"student_id"`
				Address string
			}
			Next string
		}
		st := step{as: as, ask: "GET /surveys/{" + survey + "}/codes?limit=15" + cursor, status: 200}
		if as == "inga" {
			st = s.teaches(st)
		}
		a := s.tell(st)
		s.must(json.Unmarshal(a.Body.Bytes(), &page))
		for _, c := range page.Items {
			for i := range 20 {
				if c.Student == s.names[fmt.Sprintf("p%d", i)] {
					s.names[fmt.Sprintf("%s%d", name, i)] = strings.TrimPrefix(c.Address, "https://zurnals.example/s/")
				}
			}
		}
		if cursor = "&cursor=" + page.Next; page.Next == "" {
			return
		}
	}
}

const said = "surveys.answered"

// answers has the pupils from the first on answer with numbers of the first
// question's options.
func (s *story) answers(name, row string) {
	for i, r := range row {
		s.tell(step{ask: fmt.Sprintf("POST /survey-links/{%s%d}", name, i), status: 204, events: said,
			body: fmt.Sprintf(`{"answers":[{"question":1,"numbers":[%c]},{"question":3,"numbers":[%d]},{"question":4,"text":"Esmu nr. %d"}]}`, r, 1+i%5, i)})
	}
}

// A class teacher asks the own class, and no other; pupils answer by their
// links without signing in, each once.
func TestAClassTeacherAsksTheOwnClass(t *testing.T) {
	t.Parallel()
	trace.Covers(t, "EMU-058", "EMU-065")
	s := newSurvey(t)
	const start = "POST /schools/{school}/surveys"
	s.tell(
		s.teaches(step{ask: start, body: `{"class_id":"{class_b}",` + wellbeing + `}`, status: 403, code: "access.forbidden"}),
		s.teaches(step{ask: start, body: `{` + wellbeing + `}`, status: 403, code: "access.forbidden"}),
		s.teaches(step{ask: start, body: `{"class_id":"{elsewhere_class}",` + wellbeing + `}`, status: 404, code: "access.not_found"}),
		s.teaches(step{ask: "POST /schools/{elsewhere}/surveys", body: `{"class_id":"{class}",` + wellbeing + `}`, status: 404, code: "access.not_found"}),
		s.instructs(step{ask: start, body: `{"class_id":"{class}",` + wellbeing + `}`, status: 403, code: "access.forbidden"}),
		s.teaches(step{ask: start, body: `{"class_id":"{class}","title":"a","last_day":"2025-12-11","questions":[{"text":"a","kind":"one","options":["a"]},{"text":"a","kind":"scale"}]}`,
			status: 422, code: "request.fields", fields: []string{"questions[0].options", "questions[1].steps", "last_day"}}),
		s.teaches(step{ask: start, body: `{"class_id":"{class}","title":"a","questions":[]}`, status: 422, code: "http.invalid", fields: []string{"questions"}}),
		s.teaches(step{ask: "GET /surveys/{survey}", status: 200, has: []string{`"state":"open"`, `"issued":20,"answered":0`, `"last_day":"2025-09-15"`, `"options":["sports","mūzika"]`}}),
		step{as: "zane", ask: "GET /surveys/{survey}", status: 403, code: "access.forbidden"},
		step{as: "other", ask: "GET /surveys/{survey}", status: 404, code: "access.not_found"},
		step{as: "zane", ask: "GET /schools/{school}/surveys", status: 200, hasNot: []string{"{survey}"}},

		step{ask: "GET /survey-links/{link0}", status: 200, has: []string{"Pašsajūta", `"required":true`}, hasNot: []string{"{p0}", "{class}"}},
		step{ask: "POST /survey-links/{link0}", body: `{"answers":[]}`, status: 422, code: "surveys.required", fields: []string{"questions[0]"}},
		step{ask: "POST /survey-links/{link0}", body: `{"answers":[{"question":1,"numbers":[3]}]}`, status: 422, code: "surveys.answer", fields: []string{"answers[0]"}},
		step{ask: "POST /survey-links/{link0}", body: `{"answers":[{"question":1,"numbers":[2]},{"question":4,"text":"Viss labi"}]}`, status: 204, events: said},
		step{name: "twice", ask: "POST /survey-links/{link0}", body: `{"answers":[{"question":1,"numbers":[2]},{"question":4,"text":"Viss labi"}]}`, status: 410, code: "surveys.answered"},
		step{ask: "GET /survey-links/{link0}", status: 410, code: "surveys.answered"},
		step{name: "made up", ask: "POST /survey-links/{survey}", body: `{"answers":[]}`, status: 404, code: "surveys.link"},
		step{name: "a survey opens no account", as: "", ask: "GET /me", headers: []string{"Authorization: Bearer {link1}"}, status: 401, code: "session.sign_in"},
	)
	printed := s.tell(s.teaches(step{ask: "GET /surveys/{survey}/codes/print", status: 200, has: []string{"/s/{link0}", "/s/{link19}", "sagriez", "<svg"}, hasNot: []string{"<script"}}))
	if printed.Header().Get("Content-Type") != kindHTML || strings.Count(printed.Body.String(), "<svg") != 20 {
		t.Errorf("%s with %d pictures", printed.Header().Get("Content-Type"), strings.Count(printed.Body.String(), "<svg"))
	}
	s.tell(
		s.teaches(step{ask: "POST /surveys/{survey}/codes", status: 204}),
		step{as: "zane", ask: "POST /surveys/{survey}/closure", status: 403, code: "access.forbidden"},
		s.teaches(step{ask: "POST /surveys/{survey}/closure", status: 204, events: "surveys.closed"}),
		s.teaches(step{ask: "POST /surveys/{survey}/closure", status: 204}),
		s.teaches(step{ask: "POST /surveys/{survey}/codes", status: 410, code: "surveys.over"}),
		step{ask: "POST /survey-links/{link1}", body: `{"answers":[{"question":1,"numbers":[2]}]}`, status: 410, code: "surveys.over"},
		s.teaches(step{ask: "GET /surveys/{survey}", status: 200, has: []string{`"state":"over"`, `"answered":1`}}),
	)
	if strings.Contains(s.output.String(), s.names["link0"]) || strings.Contains(s.output.String(), "Viss labi") {
		t.Error("the log of the server has a link or an answer")
	}
}

// What was answered, through the lens of each role: by name for the class
// teacher and those who support pupils, without names for the management, added
// up for the municipality, not at all for the administrator.
func TestWhatWasAnsweredThroughEachLens(t *testing.T) {
	t.Parallel()
	trace.Covers(t, "EMU-067", "EMU-069", "EMU-072")
	trace.Partly(t, "EMU-064", "EMU-073")
	s := newSurvey(t)
	s.answers("link", "1122")
	const answers, results, summary = "GET /surveys/{survey}/answers", "GET /surveys/{survey}/results", "GET /municipalities/{municipality}/survey-summary"
	none := []string{"Esmu nr.", "{p0}", "Āboliņa"}
	s.tell(
		s.teaches(step{ask: answers, status: 200, has: []string{`"student_id":"{p0}"`, `{"question":1,"numbers":[1]},{"question":3,"numbers":[1]},{"question":4,"text":"Esmu nr. 0"}`}}),
		step{as: "atbalsts", ask: answers + "?student={p3}", status: 200, has: []string{"{p3}", "Esmu nr. 3"}, hasNot: []string{"{p0}", "nr. 0"}},
		step{as: "atbalsts", ask: answers + "?student={stranger}", status: 200, has: []string{`"items":[]`}},
		step{as: "zane", ask: answers, status: 403, code: "access.forbidden"},
		step{as: "other", ask: answers, status: 404, code: "access.not_found"},
		step{as: "vadiba", ask: answers, status: 403, code: "access.forbidden"},
		step{as: "dace", ask: answers, status: 403, code: "access.forbidden"},
		step{as: "novads", ask: answers, status: 403, code: "access.forbidden"},

		step{as: "vadiba", ask: results, status: 409, code: "surveys.still_open"},
		step{as: "dace", ask: results, status: 403, code: "access.forbidden"},
		step{as: "dace", ask: summary, status: 403, code: "access.forbidden"},
		s.teaches(step{ask: results, status: 403, code: "access.forbidden"}),
		step{as: "atbalsts", ask: results, status: 403, code: "access.forbidden"},
		step{as: "novads", ask: results, status: 403, code: "access.forbidden"},
	)
	s.hire("auditore", post{access.Auditor, ""})
	s.tell(step{as: "auditore", ask: "GET /audit/events?limit=200&cursor=200", status: 200, events: wasRead, has: []string{said, `{"field":"answers[0].value","old":"","new":"***"}`}, hasNot: []string{"Esmu nr."}})
	s.advance(15 * 24 * time.Hour) // the 16th: it is over
	s.signIn("vadiba")
	s.tell(step{name: "four answers", as: "vadiba", ask: results, status: 200, has: []string{`"suppressed":true`, `"answered":null`}, hasNot: append(none, "counts", `"suppressed":false`)})
	s.signIn("novads")
	s.tell(step{as: "novads", ask: summary, status: 200, has: []string{`"id":"{school}"`, `"surveys":1,"issued":20,"suppressed":true,"answered":null`}, hasNot: append(none, "{survey}", "{elsewhere}")})

	// The whole school is asked by the administrator, and told to all.
	s.signIn("dace")
	s.tell(step{as: "dace", ask: "POST /schools/{school}/surveys", body: `{` + wellbeing + `}`, status: 201, events: "surveys.started surveys.tokens_issued", keep: "wide"})
	s.surveyLinks("dace", "wide", "wide")
	s.answers("wide", "11222")
	s.signIn("inga")
	s.signIn("zane")
	const wide = "GET /surveys/{wide}"
	s.tell(
		s.teaches(step{ask: wide + "/answers", status: 200, has: []string{"{p0}", "Esmu nr. 4"}, hasNot: []string{"{stranger}"}}),
		step{as: "zane", ask: wide + "/answers", status: 200, hasNot: none},
		s.teaches(step{ask: wide, status: 200, has: []string{`"issued":120,"answered":5`}}),
		s.teaches(step{ask: wide + "/codes", status: 403, code: "access.forbidden"}),
		step{as: "dace", ask: wide + "/codes?class={class}&limit=200", status: 200, has: []string{"{p0}"}, hasNot: []string{"{stranger}"}},
		step{as: "dace", ask: wide, status: 200, has: []string{"Pašsajūta"}, hasNot: none},
		step{as: "dace", ask: wide + "/answers", status: 403, code: "access.forbidden"},
		step{as: "dace", ask: "POST /surveys/{wide}/closure", status: 204, events: "surveys.closed"},
		step{as: "dace", ask: wide + "/results", status: 403, code: "access.forbidden"},
		step{as: "vadiba", ask: wide + "/results", status: 200, has: []string{`"counts":[2,3]`, `"counts":[1,1,1,1,1],"mean":3`}, hasNot: none},
		step{as: "novads", ask: summary, status: 200, has: []string{`"surveys":2,"issued":140,"suppressed":false,"answered":9,"percentage":6.4`, `"counts":[2,3]`}, hasNot: none},
		step{as: "novads", ask: summary + "?until=2025-09-15", status: 200, has: []string{`"surveys":1,"issued":20,"suppressed":true`}},
		step{as: "novads", ask: "GET /municipalities/{elsewhere_municipality}/survey-summary", status: 404, code: "access.not_found"},
	)
}

// The administrator manages users, makes classes and starts surveys.
func TestAnAdministratorStartsSurveys(t *testing.T) {
	t.Parallel()
	trace.Covers(t, "EMU-071")
	s := newSurvey(t)
	s.tell(
		step{as: "dace", ask: "POST /schools/{school}/users", body: laura, status: 201, events: lauraSaid},
		step{as: "dace", ask: "POST /schools/{school}/classes", body: `{"school_year_id":"{year}","name":"12.z"}`, status: 201, events: "organisation.class_created", keep: "empty"},
		step{as: "dace", ask: "POST /schools/{school}/surveys", body: `{"class_id":"{empty}",` + wellbeing + `}`, status: 409, code: "surveys.nobody"},
		step{as: "dace", ask: "POST /schools/{school}/surveys", body: `{"class_id":"{class}",` + wellbeing + `}`, headers: []string{"Idempotency-Key: aptauja-6a"}, status: 201, events: "surveys.started surveys.tokens_issued", keep: "another"},
		step{as: "dace", ask: "POST /schools/{school}/surveys", body: `{"class_id":"{class}",` + wellbeing + `}`, headers: []string{"Idempotency-Key: aptauja-6a"}, status: 201, has: []string{"{another}"}},
		step{as: "dace", ask: "GET /schools/{school}/surveys?q=passaj", status: 200, has: []string{"{survey}", "{another}"}},
		step{as: "vadiba", ask: "POST /schools/{school}/surveys", body: `{"class_id":"{class}",` + wellbeing + `}`, status: 403, code: "access.forbidden"},
		step{as: "atbalsts", ask: "POST /schools/{school}/surveys", body: `{"class_id":"{class}",` + wellbeing + `}`, status: 403, code: "access.forbidden"},
	)
}

// The page of a link, on a phone: it shows the questions, keeps what was said if
// something is missing, and thanks once.
func TestThePageOfASurvey(t *testing.T) {
	t.Parallel()
	trace.Covers(t, "EMU-058")
	s := newSurvey(t)
	b := &browser{s: s}
	const page = "/s/{link0}"
	b.page("GET "+page, nil, 200, "", `<html lang="lv">`, "<h1>Pašsajūta</h1>", "1. Vai jūties droši?", `type="radio" name="q1" value="2" required`, `type="checkbox" name="q2"`, `name="q3" value="5"`, "<textarea")
	sent := url.Values{"q2": {"1", "2"}, "q3": {"9"}, "q4": {"Man <b>patīk</b>"}}
	b.page("POST "+page, sent, 422, "", "Vēl nav nosūtīts", `id="q1-wrong">Uz šo jautājumu jāatbild`, `id="q3-wrong">Tā nav atbilde`, `value="2" checked`, "Man &lt;b&gt;patīk&lt;/b&gt;")
	sent.Set("q1", "2")
	sent.Set("q3", "x")
	b.page("POST "+page, sent, 422, "", `id="q3-wrong"`)
	sent.Set("q3", "5")
	b.page("POST "+page, sent, 200, said, "Paldies")
	b.page("POST "+page, sent, 410, "", "jau ir aizpildīta")
	b.page("GET "+page, nil, 410, "", "jau ir aizpildīta")
	b.page("GET /s/nothing", nil, 404, "", "nav derīga")
	b.page("POST /s/{link1}", url.Values{"q1": {"1"}, "q4": {strings.Repeat("a", 2<<20)}}, http.StatusBadRequest, "")
	if b.cookie != nil {
		t.Error("the page of a survey opens a session")
	}
	s.tell(
		step{ask: "GET ~/s/{link1}", headers: []string{"Accept-Language: en"}, status: 200, has: []string{`<html lang="en">`, "Open until:", "Pašsajūta"}, hasNot: []string{"{p1}", "<script"}},
		s.teaches(step{ask: "GET /surveys/{survey}/answers", status: 200, has: []string{`{"question":1,"numbers":[2]},{"question":2,"numbers":[1,2]},{"question":3,"numbers":[5]},{"question":4,"text":"Man <b>patīk</b>"}`}}),
	)
}
