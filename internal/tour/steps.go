package tour

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"zurnals/internal/oidc/standin"
)

// steps are the tour, in order. Each goes on where those before it left off.
var steps = []step{
	{"An empty server starts", (*tour).startServer},
	{"The operator makes a platform administrator", (*tour).platformAdministrator},
	{"A municipality and two schools are registered", (*tour).organisation},
	{"A school administrator is invited and signs in", (*tour).schoolAdministrator},
	{"Two rosters are loaded", (*tour).rosters},
	{"Users are invited from a spreadsheet", (*tour).spreadsheet},
	{"A class teacher opens a register and takes a lesson", (*tour).lesson},
	{"Pupils record themselves", (*tour).selfRecording},
	{"A read model is rebuilt while marks are written", (*tour).rebuild},
	{"The server is killed with -9 and started again", (*tour).killed},
	{"The report is exported", (*tour).report},
	{"One person sees the same through four roles", (*tour).roles},
	{"Pupils answer a survey by printed links", (*tour).survey},
	{"Grades and absences come from the e-journal", (*tour).grades},
	{"What is not allowed is refused, and leaves no event", (*tour).refusals},
	{"A user connects E-klase and signs in by it", (*tour).connection},
	{"The user changes the e-mail address", (*tour).emailChange},
	{"The user deletes the account", (*tour).deletion},
	{"An auditor replays the history", (*tour).history},
	{"An auditor verifies the log, trusting nobody", (*tour).verification},
	{"An analyst reads counts without persons", (*tour).analytics},
	{"The server stops as Ctrl-C stops it", (*tour).stopServer},
}

// start is when the tour takes place.
var start = time.Date(2025, 9, 1, 5, 0, 0, 0, time.UTC) // Monday, 08:00 in Rīga

// world is what later steps need of earlier ones.
type world struct {
	requests atomic.Int64

	mu       sync.Mutex
	position string // of the last event that this tour has appended

	municipality, school, college string // ids; the college is the second school
	class                         string // 6.a of the school
	people                        people
	eklase                        *standin.Provider
	register, session             string
	pupils                        []pupil  // of 6.a, as the sheet has them
	marks                         []string // acronyms by pupil, as the last write left them
}

type people struct {
	platform, admin, teacher, auditor, analyst *person
	teacherID                                  string
	leaver                                     *person // connects E-klase, changes the address, then deletes the account
}

// note remembers how far the log has come by what the tour did, so that every
// query sees it.
func (t *tour) note(position string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(position) > len(t.position) || len(position) == len(t.position) && position > t.position {
		t.position = position
	}
}

func (t *tour) seen() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.position
}

const password = "Garā-parole-2025"

func (t *tour) startServer() string {
	const secret = "a secret of the tour"
	var err error
	t.eklase, err = standin.Start("zurnals", secret)
	t.must(err)
	file := filepath.Join(t.server.dir, "eklase.secret")
	t.must(os.WriteFile(file, []byte(secret), 0o600))
	t.server.flags = []string{"-eklase-issuer", t.eklase.Issuer, "-eklase-client-id", "zurnals", "-eklase-secret-file", file}
	began := time.Now()
	t.must(t.server.start(t.ctx))
	took := time.Since(began)
	t.send(nil, http.MethodPost, "/dev/clock", "application/json", jsonOf(t, fields{"set": start.Format(time.RFC3339)}), nil, http.StatusOK)
	return fmt.Sprintf("ready after %.1f s with a PostgreSQL of its own; the clock is set to Monday 2025-09-01 08:00", took.Seconds())
}

func (t *tour) platformAdministrator() string {
	out, err := t.server.tool(t.ctx, "admin", "create-platform-admin", "-email", "platforma@zurnals.example", "-given", "Pēteris", "-family", "Platforms")
	t.must(err)
	found := linkPattern.FindStringSubmatch(out)
	t.check(found != nil, "no registration link in %q", out)
	link := "/registrations/" + found[1]
	t.get(nil, link, http.StatusOK) // a mail scanner opens it first, and uses nothing up
	t.post(nil, link, fields{"password": "īsa"}, http.StatusUnprocessableEntity)
	t.post(nil, link, fields{"password": password}, http.StatusNoContent)
	t.post(nil, link, fields{"password": password}, http.StatusGone).refused("identity.link_used")
	first := t.signIn("platform administrator", "platforma@zurnals.example", password)
	t.check(first.coded, "the first sign-in asks for no code")
	t.people.platform = t.signIn("platform administrator", "platforma@zurnals.example", password)
	t.check(!t.people.platform.coded, "the second sign-in asks for a code too")
	return "link on the command line → password → mailed code → session; the link works once, the code is asked for once"
}

type made struct{ ID string }

func (t *tour) made(a *answer) string {
	var m made
	a.into(&m)
	t.check(m.ID != "", "%s: no id in %s", a.what, a.body)
	return m.ID
}

func (t *tour) organisation() string {
	p := t.people.platform
	t.municipality = t.made(t.post(p, "/municipalities", fields{"name": "Parauga novada pašvaldība"}, http.StatusCreated))
	t.school = t.made(t.post(p, "/municipalities/"+t.municipality+"/schools", fields{"name": "Parauga vidusskola", "source_id": "org-skola"}, http.StatusCreated))
	t.college = t.made(t.post(p, "/municipalities/"+t.municipality+"/schools", fields{"name": "Grand Bend High School", "source_id": "255901001"}, http.StatusCreated))
	t.post(p, "/municipalities", fields{"name": "Parauga novada pašvaldība"}, http.StatusConflict)
	var schools struct{ Items []made }
	t.get(p, "/municipalities/"+t.municipality+"/schools", http.StatusOK).into(&schools)
	same(t, "schools", len(schools.Items), 2)
	return "Parauga novada pašvaldība: Parauga vidusskola, Grand Bend High School"
}

func (t *tour) schoolAdministrator() string {
	before := len(t.mails())
	body := map[string]any{
		"given_name": "Ilze", "family_name": "Kalniņa", "personal_code": "320101-10003", "email": "ilze@skola.example",
		"roles": []fields{{"role": "emu.school_admin"}},
	}
	t.made(t.post(t.people.platform, "/schools/"+t.school+"/users", body, http.StatusCreated))
	letter := t.mailTo("ilze@skola.example")
	same(t, "mails sent by one invitation", len(t.mails())-before, 1)
	t.followLink("ilze@skola.example", password)
	t.people.admin = t.signIn("school administrator", "ilze@skola.example", password)
	t.get(t.people.admin, "/schools/"+t.school+"/users", http.StatusOK)
	return fmt.Sprintf("1 mail, “%s”", letter.Subject)
}

// head is the last position of the log.
func (t *tour) head() int64 {
	var list struct{ Items []struct{ Head int64 } }
	t.get(t.people.platform, "/ops/projections", http.StatusOK).into(&list)
	t.check(len(list.Items) > 0, "no read models")
	return list.Items[0].Head
}

func (t *tour) stopServer() string {
	began := time.Now()
	t.must(t.server.stop())
	took := time.Since(began)
	t.check(took < 5*time.Second, "it took %v", took)
	_, err := http.Get(t.server.url + "/healthz")
	t.check(err != nil, "something still listens")
	return fmt.Sprintf("after %.1f s", took.Seconds())
}

func join(lines ...string) string { return strings.Join(lines, "\n") }
