package tour

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// survey asks 6.a. The teacher is in the other roles too, one at a time.
func (t *tour) survey() string {
	in := func(role string) *person {
		p := &person{name: role, token: t.people.teacher.token}
		t.act(p, role)
		return p
	}
	teacher, management := in("emu.class_teacher"), in("emu.school_management")
	survey := "/surveys/" + t.made(t.ask(teacher, http.MethodPost, "/schools/"+t.school+"/surveys", map[string]any{
		"class_id": t.class, "title": "Kā klājas 6.a?", "questions": []map[string]any{
			{"text": "Vai skolā jūties droši?", "kind": "one", "options": []string{"jā", "nē"}, "required": true},
			{"text": "Ko vēl vēlies teikt?", "kind": "text"},
		},
	}, http.StatusCreated))
	var codes struct{ Items []struct{ Address string } }
	t.get(teacher, survey+"/codes", http.StatusOK).into(&codes)
	same(t, "links", len(codes.Items), len(t.pupils))
	printed := string(t.get(teacher, survey+"/codes/print", http.StatusOK).body)
	same(t, "QR pictures", strings.Count(printed, "<svg"), len(t.pupils))

	const form = "application/x-www-form-urlencoded"
	fill := func(i, status int, values url.Values) {
		_, link, found := strings.Cut(codes.Items[i].Address, "/s/")
		t.check(found, "the link is %q", codes.Items[i].Address)
		t.send(nil, http.MethodPost, "/s/"+link, form, strings.NewReader(values.Encode()), nil, status)
	}
	_, link, _ := strings.Cut(codes.Items[0].Address, "/s/")
	page := string(t.send(nil, http.MethodGet, "/s/"+link, "", nil, nil, http.StatusOK).body)
	t.check(strings.Contains(page, "Vai skolā jūties droši?") && !strings.Contains(page, t.pupils[0].FamilyName), "the page is %q", page)
	fill(0, http.StatusUnprocessableEntity, url.Values{"q2": {"nekas"}})
	const answers = 7
	for i := range answers {
		fill(i, http.StatusOK, url.Values{"q1": {fmt.Sprint(1 + i/5)}, "q2": {fmt.Sprintf("doma nr. %d", i)}})
	}
	fill(0, http.StatusGone, url.Values{"q1": {"2"}})

	t.get(management, survey+"/results", http.StatusConflict).refused("surveys.still_open")
	t.ask(teacher, http.MethodPost, survey+"/closure", nil, http.StatusNoContent)
	said := string(t.get(teacher, survey+"/answers", http.StatusOK).body)
	t.check(strings.Contains(said, "doma nr. 6"), "the class teacher sees %s", said)
	results := string(t.get(management, survey+"/results", http.StatusOK).body)
	t.check(strings.Contains(results, `"counts":[5,2]`), "the results are %s", results)
	for _, p := range t.pupils {
		t.check(!strings.Contains(results, p.ID) && !strings.Contains(results, "doma"), "the management sees a person")
	}
	t.get(management, survey+"/answers", http.StatusForbidden)
	t.get(t.people.admin, survey+"/results", http.StatusForbidden)
	return fmt.Sprintf("6.a is asked by %d printed links; %d answer, each once, without signing in\n"+
		"the class teacher sees who said what, the management counts without names, the administrator nothing", len(codes.Items), answers)
}
