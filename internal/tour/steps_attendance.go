package tour

import (
	"bytes"
	"fmt"
	"image"
	_ "image/png" // the QR picture
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/xuri/excelize/v2"
)

// A pupil is one line of a sheet.
type pupil struct {
	ID         string `json:"student_id"`
	FamilyName string `json:"family_name"`
	GivenName  string `json:"given_name"`
	Status     string
	Remark     string
	Method     string
	Unmarked   bool
	Self       bool `json:"self_recorded"`
}

type sheet struct {
	Lesson struct{ Members, Marked int }
	Pupils []pupil
}

// A mark is what the instructor puts down for one pupil.
type mark struct {
	Student string `json:"student_id"`
	Status  string `json:"status,omitempty"`
	Remark  string `json:"remark,omitempty"`
}

// act has a person act in the one of several roles that is held at a place.
func (t *tour) act(p *person, role string) {
	var roles struct{ Items []struct{ ID, Role string } }
	t.get(&person{token: p.token}, "/me/roles", http.StatusOK).into(&roles)
	for _, r := range roles.Items {
		if r.Role == role {
			p.role = r.ID
			return
		}
	}
	t.fail("%s does not hold %s: %v", p.name, role, roles.Items)
}

// advance turns the server's clock on.
func (t *tour) advance(by time.Duration) {
	t.send(nil, http.MethodPost, "/dev/clock", "application/json", jsonOf(t, fields{"advance": by.String()}), nil, http.StatusOK)
}

func (t *tour) sheet() (s sheet, tag string) {
	a := t.get(t.people.teacher, "/attendance-sessions/"+t.session+"/sheet", http.StatusOK)
	a.into(&s)
	return s, a.header.Get("ETag")
}

func (t *tour) mark(tag string, status int, marks ...mark) *answer {
	return t.send(t.people.teacher, http.MethodPut, "/attendance-sessions/"+t.session+"/marks", "application/json",
		jsonOf(t, map[string][]mark{"marks": marks}), http.Header{"If-Match": {tag}}, status)
}

func (t *tour) lesson() string {
	teacher := t.people.teacher
	t.register = t.made(t.post(teacher, "/schools/"+t.school+"/registers", fields{"class_id": t.class, "name": "Matemātika 6.a"}, http.StatusCreated))
	t.get(teacher, "/registers/"+t.register, http.StatusConflict).refused("role.choose") // class teacher and instructor: never both at once
	t.act(teacher, "instructor")
	t.session = t.made(t.post(teacher, "/registers/"+t.register+"/sessions", map[string]any{
		"date": "2025-09-01", "from": "08:30", "until": "09:10", "description": "Daļskaitļi",
		"self_recording": map[string]bool{"password": true, "qr": true},
	}, http.StatusCreated))
	t.advance(35 * time.Minute) // 08:35

	s, tag := t.sheet()
	t.pupils, t.marks = s.Pupils, make([]string, len(s.Pupils))
	same(t, "pupils on the sheet", len(s.Pupils), 20)
	for _, p := range s.Pupils {
		t.check(p.Unmarked && p.Status == "", "%s %s has a mark before there is one", p.GivenName, p.FamilyName)
	}
	var marks []mark
	for i, p := range s.Pupils[:15] {
		t.marks[i] = []string{"P", "P", "P", "L", "A"}[i%5]
		marks = append(marks, mark{Student: p.ID, Status: t.marks[i]})
	}
	t.marks[14] = "E"
	marks[14].Status, marks[14].Remark = "E", "ārsta zīme"
	t.mark(tag, http.StatusNoContent, marks...)
	t.mark(tag, http.StatusPreconditionFailed, mark{Student: s.Pupils[0].ID, Status: "A"}).refused("version.stale")
	s, _ = t.sheet()
	same(t, "remark", s.Pupils[14].Remark, "ārsta zīme")
	same(t, "marked", s.Lesson.Marked, 15)
	return "Monday 08:30–09:10, 20 pupils; 15 marked, 5 not yet; who read an older sheet is told so (412)"
}

func (t *tour) selfRecording() string {
	var secret struct{ Password, Address string }
	t.get(t.people.teacher, "/attendance-sessions/"+t.session+"/password", http.StatusOK).into(&secret)
	png := t.get(t.people.teacher, "/attendance-sessions/"+t.session+"/qr", http.StatusOK).body
	picture, kind, err := image.Decode(bytes.NewReader(png))
	t.must(err)
	t.check(kind == "png" && picture.Bounds().Dx() > 100, "the QR picture is %s of %v", kind, picture.Bounds())
	svg := string(t.get(t.people.teacher, "/attendance-sessions/"+t.session+"/qr?format=svg", http.StatusOK).body)
	t.check(strings.Contains(svg, "<svg"), "no SVG")

	first, second := t.learner(15), t.learner(16)
	t.post(first, "/me/self-recordings", fields{"session": t.session, "password": "nepareiza"}, http.StatusForbidden)
	t.post(first, "/me/self-recordings", fields{"session": t.session, "password": secret.Password}, http.StatusCreated)
	t.post(first, "/me/self-recordings", fields{"session": t.session, "password": secret.Password}, http.StatusConflict)
	t.marks[15] = "P"

	_, code, found := strings.Cut(secret.Address, "/a/")
	t.check(found, "the QR picture leads to %q", secret.Address)
	page := string(t.send(second, http.MethodGet, "/a/"+code, "", nil, nil, http.StatusOK).body)
	t.check(strings.Contains(page, "<html"), "the page of the QR code is %q", page)
	s, _ := t.sheet()
	t.check(s.Pupils[16].Unmarked, "opening the page has recorded somebody")
	t.post(second, "/me/self-recordings", fields{"code": code}, http.StatusCreated)
	t.marks[16] = "P"

	s, _ = t.sheet()
	for i, method := range map[int]string{15: "password", 16: "qr"} {
		p := s.Pupils[i]
		t.check(p.Self && p.Method == method && p.Status == "P", "pupil %d: %+v, by %s", i, p, method)
	}
	var own struct{ Items []struct{ Status string } }
	t.get(second, "/me/attendance-sessions", http.StatusOK).into(&own)
	t.check(len(own.Items) == 1 && own.Items[0].Status == "P", "the pupil sees %v", own.Items)
	return "two learner accounts from printed codes; one records by password, one by QR; twice is 409, a wrong password 403"
}

// learner gives a pupil an account and signs it in.
func (t *tour) learner(i int) *person {
	var issued struct{ Code string }
	t.post(t.people.admin, "/schools/"+t.school+"/students/"+t.pupils[i].ID+"/learner-account", nil, http.StatusCreated).into(&issued)
	name := fmt.Sprintf("skolens%d", i)
	t.post(nil, "/learner/activations/"+issued.Code, fields{"username": name, "password": password}, http.StatusCreated)
	t.post(nil, "/learner/activations/"+issued.Code, fields{"username": name + "x", "password": password}, http.StatusNotFound)
	var session struct{ Token string }
	t.post(nil, "/learner/sessions", fields{"username": name, "password": password}, http.StatusCreated).into(&session)
	return &person{name: name, token: session.Token}
}

func (t *tour) rebuild() string {
	// Two more lessons' worth of saves while the read model is built anew.
	const saves = 60
	s, tag := t.sheet()
	done := make(chan error, 1)
	var last []string
	go func() {
		done <- func() error {
			for n := range saves {
				status := []string{"P", "L", "A"}[n%3]
				a, err := t.try(t.people.teacher, http.MethodPut, "/attendance-sessions/"+t.session+"/marks", "application/json",
					jsonOf(t, map[string][]mark{"marks": {{Student: s.Pupils[n%5].ID, Status: status}}}), http.Header{"If-Match": {"*"}})
				switch {
				case err != nil:
					return err
				case a.status != http.StatusNoContent:
					return fmt.Errorf("save %d: %d %s", n, a.status, a.body)
				}
				last = append(last, status)
			}
			return nil
		}()
	}()
	rebuilds := 0
	for writing := true; writing; {
		head := t.head()
		t.post(t.people.platform, "/ops/projections/attendance/rebuild", nil, http.StatusAccepted)
		t.rebuilt("attendance", head)
		rebuilds++
		select {
		case err := <-done:
			t.must(err)
			writing = false
		default:
			t.sheet() // people read on meanwhile
		}
	}
	for n, status := range last {
		t.marks[n%5] = status
	}
	t.compare()
	t.mark(tag, http.StatusPreconditionFailed, mark{Student: s.Pupils[0].ID, Status: "E"})
	return fmt.Sprintf("%d saves, %s; every mark is there, none twice", saves, plural(rebuilds, "rebuild"))
}

// rebuilt waits until a rebuild is over that was asked for when the log was at
// a position.
func (t *tour) rebuilt(name string, head int64) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		var list struct {
			Items []struct {
				Name, State, Error string
				Rebuild            *struct{ Phase string }
				Last               *struct {
					Position  int64
					Different []string
				} `json:"last_rebuild"`
			}
		}
		t.get(t.people.platform, "/ops/projections", http.StatusOK).into(&list)
		for _, p := range list.Items {
			if p.Name == name && p.Rebuild == nil && p.Last != nil && p.Last.Position >= head {
				t.check(p.Error == "", "%s: %s", name, p.Error)
				t.check(len(p.Last.Different) == 0, "the rebuilt tables %v differ", p.Last.Different)
				return
			}
		}
		if t.ctx.Err() != nil {
			t.fail("the rebuild does not end")
		}
	}
}

// compare checks that the sheet shows the marks that were acknowledged.
func (t *tour) compare() {
	s, _ := t.sheet()
	var shown []string
	for _, p := range s.Pupils {
		shown = append(shown, p.Status)
	}
	t.check(slices.Equal(shown, t.marks), "the sheet shows %q, but %q was put down", shown, t.marks)
}

func (t *tour) killed() string {
	t.marks[17] = "L"
	_, tag := t.sheet()
	t.mark(tag, http.StatusNoContent, mark{Student: t.pupils[17].ID, Status: "L"})
	t.must(t.server.kill())
	began := time.Now()
	t.must(t.server.start(t.ctx))
	took := time.Since(began)
	t.compare() // in the same session, by the same clock
	t.marks[18] = "P"
	_, tag = t.sheet()
	t.mark(tag, http.StatusNoContent, mark{Student: t.pupils[18].ID, Status: "P"})
	t.compare()
	return fmt.Sprintf("ready again after %.1f s; the last mark is there, sessions go on", took.Seconds())
}

func (t *tour) report() string {
	var r struct {
		Statuses map[string]int
		Pupils   []struct {
			ID      string `json:"student_id"`
			Summary struct {
				Taken struct {
					Lessons         int
					Points, Maximum float64
					Percentage      *float64
				}
			}
		}
	}
	t.get(t.people.teacher, "/registers/"+t.register+"/report", http.StatusOK).into(&r)
	want, taken := map[string]int{}, 0
	for _, status := range t.marks {
		if status != "" {
			want[status]++
			taken++
		}
	}
	for status, n := range want {
		same(t, "marks "+status, r.Statuses[status], n)
	}
	points := map[string]float64{"P": 2, "L": 1, "E": 1, "A": 0}
	for i, p := range r.Pupils {
		got := p.Summary.Taken
		same(t, "pupil of the row", p.ID, t.pupils[i].ID)
		if t.marks[i] == "" {
			t.check(got.Percentage == nil && got.Lessons == 0, "nothing taken, but %v %%", got.Percentage)
			continue
		}
		same(t, "points", got.Points, points[t.marks[i]])
		t.check(got.Percentage != nil && *got.Percentage == points[t.marks[i]]*50, "percentage of %s: %v", t.marks[i], got.Percentage)
	}

	a := t.get(t.people.teacher, "/registers/"+t.register+"/export?format=xlsx&remarks=true", http.StatusOK)
	f, err := excelize.OpenReader(bytes.NewReader(a.body))
	t.must(err)
	defer f.Close()
	rows, err := f.GetRows(f.GetSheetName(0))
	t.must(err)
	same(t, "rows of the file", len(rows), 1+len(t.pupils))
	text := fmt.Sprint(rows)
	for _, part := range []string{t.pupils[0].FamilyName, "ārsta zīme", "–"} {
		t.check(strings.Contains(text, part), "the file has no %q", part)
	}
	t.get(t.people.teacher, "/registers/"+t.register+"/export?format=csv", http.StatusOK)
	return fmt.Sprintf("present %d, late %d, excused %d, absent %d, not marked %d; XLSX of %d rows, %d KB",
		want["P"], want["L"], want["E"], want["A"], len(t.pupils)-taken, len(rows), len(a.body)/1024)
}
