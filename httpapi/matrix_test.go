package httpapi

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"zurnals/domain/access"
	"zurnals/internal/securitylog"
	"zurnals/internal/trace"
)

// A reach is how wide the place is that a request is about, or where a role is
// held.
type reach int

const (
	everywhere reach = iota // the installation
	ofMunicipality
	ofSchool
	ofClass
	ofRegister
)

// A cell is what the matrix of rights asks of one route: a well-formed request
// for a thing that exists, with names of things of a place in braces.
type cell struct {
	ask, body string
	headers   []string
	form      func(*matrix) formBody
	at        reach

	own    bool          // the role's own place is meant: there is no other
	narrow bool          // of a school it shows what the role sees of it
	fresh  func(*matrix) // makes what the request uses up
	hidden bool          // what the role does not reach in the same school is not there for it
	ends   bool          // it ends the session
	once   bool          // it ends more: somebody asks who is not needed any more
	blunt  bool          // who has not the right at all is told so, whatever there is
	answer string        // code of what is answered to those who may, if it is no success
}

// A matrix asks everything in every role, at four places:
//
//	home      where the roles are held: a class of a school of a municipality
//	sibling   another class of the same school
//	near      another school of the municipality
//	far       a school of another municipality
type matrix struct {
	*story
	places   map[string]map[string]string // what the names stand for at each place
	security *noted
	proofs   Proofs // of the log as it is; the matrix has it all proven

	spreadsheet, townSpreadsheet []byte // of users to be loaded

	made int // things, for names of their own
}

// noted is the security log, and what was written to it last.
type noted struct {
	Security
	last []securitylog.Entry
}

func (n *noted) Record(ctx context.Context, e securitylog.Entry) error {
	n.last = append(n.last, e)
	return n.Security.Record(ctx, e)
}

// An employee is somebody with one role.
type employee struct {
	name string
	role access.Role // empty: none
	held reach
}

var employees = []employee{
	{"nobody", "", everywhere},
	{"teacher", access.ClassTeacher, ofClass},
	{"instructor", access.Instructor, ofRegister},
	{"management", access.SchoolManagement, ofSchool},
	{"support", access.SupportStaff, ofSchool},
	{"admin", access.SchoolAdmin, ofSchool},
	{"official", access.MunicipalityAnalyst, ofMunicipality},
	{"town", access.MunicipalityAdmin, ofMunicipality},
	{"platform", access.PlatformAdmin, everywhere},
	{"auditora", access.Auditor, everywhere},
	{"auditorb", access.Auditor, ofMunicipality},
	{"auditorc", access.Auditor, ofSchool},
	{"analysta", access.Analyst, everywhere},
	{"analystb", access.Analyst, ofMunicipality},
	{"analystc", access.Analyst, ofSchool},
}

// Every route is asked in every role, about a thing of the own place and about
// the same of others. What comes of it follows from the table of rights and
// from where the role is held, and from nothing else; a refusal leaves a trace
// in the security log, and none in the log.
func TestEveryRouteInEveryRole(t *testing.T) {
	t.Parallel()
	trace.Covers(t, "EMU-057", "EMU-063", "EMU-077", "C23")
	m := newMatrix(t)
	cells, asked := m.all(), 0
	for _, r := range m.api.Routes() {
		c, ok := cells[r.ID]
		if !ok {
			t.Errorf("%s %s: the matrix of rights has no cell for the route: add one for %q to matrix_cells_test.go", r.Method, r.Path, r.ID)
			continue
		}
		who := askerOf(r.Permission)
		switch {
		case who.open():
			asked += m.open(c)
		case who.learner:
			asked += m.onlyLearners(c)
		case !who.role:
			asked += m.everybody(c)
		default:
			asked += m.roles(r.Permission, c)
		}
	}
	t.Logf("%d requests", asked)
}

// roles asks in every role at every place.
func (m *matrix) roles(p access.Permission, c cell) (asked int) {
	for _, e := range employees {
		for _, place := range []string{"home", "sibling", "near", "far", "mixed"} {
			if c.skips(place) {
				continue
			}
			m.ask(e.name, place, c, c.want(e, place, p))
			asked++
		}
	}
	for _, e := range []string{"", "learner"} {
		m.ask(e, "home", c, http.StatusUnauthorized)
		asked++
	}
	return asked
}

// skips says whether a place makes no difference to a cell.
func (c cell) skips(place string) bool {
	switch place {
	case "home":
		return false
	case "sibling":
		return c.at < ofClass || c.narrow || c.own
	case "near":
		return c.at < ofSchool || c.own
	case "mixed": // a thing of the far place at the place at home
		return c.own || !strings.Contains(c.ask, "/{school}/") && !strings.Contains(c.ask, "/{municipality}/") ||
			strings.Count(c.ask, "{") < 2 && !strings.Contains(c.body, "{class}")
	}
	return c.at == everywhere || c.own
}

// want returns the status that follows from the rights: 200 for any success.
func (c cell) want(e employee, place string, p access.Permission) int {
	held := slices.Contains(access.Holders(p), e.role)
	switch {
	case e.role == "", c.blunt && !held:
		return http.StatusForbidden
	case place == "near" && e.held > ofMunicipality, place == "far" && e.held > everywhere:
		return http.StatusNotFound
	case !held, e.held > c.at && !c.own:
		return http.StatusForbidden
	case place == "sibling" && e.held >= ofClass && c.hidden, place == "mixed":
		return http.StatusNotFound
	case place == "sibling" && e.held >= ofClass:
		return http.StatusForbidden
	}
	return http.StatusOK
}

// everybody asks as staff, with whatever role or none.
func (m *matrix) everybody(c cell) (asked int) {
	if c.once {
		m.ask("departing", "home", c, http.StatusOK)
	} else {
		for _, e := range employees {
			m.ask(e.name, "home", c, http.StatusOK)
		}
	}
	m.ask("", "home", c, http.StatusUnauthorized)
	m.ask("learner", "home", c, http.StatusUnauthorized)
	return len(employees) + 2
}

// onlyLearners asks as a pupil, who may, and as others, who may not.
func (m *matrix) onlyLearners(c cell) (asked int) {
	for _, e := range employees {
		m.ask(e.name, "home", c, http.StatusUnauthorized)
	}
	m.ask("", "home", c, http.StatusUnauthorized)
	m.ask("learner", "home", c, http.StatusOK)
	return len(employees) + 2
}

// open asks as nobody.
func (m *matrix) open(c cell) (asked int) {
	m.ask("", "home", c, http.StatusOK)
	return 1
}

// at has the names stand for the things of a place.
func (m *matrix) at(place string) { maps.Copy(m.names, m.places[place]) }

// ask sends the request of a cell and checks what comes of it.
func (m *matrix) ask(as, place string, c cell, want int) {
	m.t.Helper()
	if place == "mixed" {
		m.at("far")
	} else {
		m.at(place)
	}
	if c.fresh != nil && (want == http.StatusOK || c.at > everywhere) {
		c.fresh(m)
	}
	if place == "mixed" {
		for _, name := range []string{"municipality", "school"} {
			m.names[name] = m.places["home"][name]
		}
	}
	m.once(as, place, c, want)
	if want != http.StatusOK && c.headers != nil && place != "mixed" { // whether there is a version is asked later
		c.headers = nil
		m.once(as, place, c, want)
	}
}

func (m *matrix) once(as, place string, c cell, want int) {
	m.t.Helper()
	st := step{as: as, ask: c.ask, body: c.body, headers: slices.Clone(c.headers)}
	if id := m.names[as+"/assignment"]; id != "" {
		st.headers = append(st.headers, "Zurnals-Role: "+id)
	}
	if c.form != nil {
		st.form = c.form(m)
	}
	before, err := m.log.Head(m.t.Context())
	m.must(err)
	m.security.last = nil
	a := m.send(st, before)
	name := fmt.Sprintf("%s, %s: %s", as, place, c.ask)
	if want == http.StatusOK {
		if a.problem.Code != c.answer || c.answer == "" && a.Code/100 != 2 {
			m.t.Errorf("%s: answered %d %s, want it allowed: %s", name, a.Code, a.problem.Code, a.Body)
			if a.Code >= http.StatusInternalServerError {
				log := m.output.String()
				m.t.Log(log[max(0, len(log)-1000):])
			}
		}
		if c.ends {
			m.again(as)
		}
		return
	}
	codes := map[int][]string{
		http.StatusUnauthorized: {"session.sign_in"}, http.StatusForbidden: {"access.forbidden", "access.no_role"},
		http.StatusNotFound: {"access.not_found"},
	}
	if place == "mixed" && want == http.StatusForbidden && a.Code == http.StatusNotFound {
		want = a.Code // it is neither theirs to do nor there
	}
	if a.Code != want || place != "mixed" && !c.hidden && !slices.Contains(codes[want], a.problem.Code) {
		m.t.Errorf("%s: answered %d %s, want %d: %s", name, a.Code, a.problem.Code, want, a.Body)
	}
	if got := m.since(before); got != "" {
		m.t.Errorf("%s: refused, yet it appended %s", name, got)
	}
	if len(m.security.last) != 1 || m.security.last[0].Kind != a.problem.Code {
		m.t.Errorf("%s: refused with %s, but the security log has %+v", name, a.problem.Code, m.security.last)
	}
}
