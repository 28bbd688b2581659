package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"zurnals/commands"
	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/eventstore"
	"zurnals/internal/pgtest"
	"zurnals/internal/proof"
	"zurnals/internal/reactions"
	"zurnals/internal/sessions"
	"zurnals/projections/analytics"
	"zurnals/projections/attendance"
	"zurnals/projections/audit"
	"zurnals/projections/organisation"
	"zurnals/projections/performance"
	"zurnals/projections/staff"
	"zurnals/projections/students"
	"zurnals/projections/surveys"
)

// newMatrix makes the places, the things in them, and everybody who asks.
func newMatrix(t *testing.T) *matrix {
	t.Helper()
	return newMatrixOn(t, pgtest.New(t).App)
}

func newMatrixOn(t *testing.T, pool *pgxpool.Pool) *matrix {
	t.Helper()
	m := &matrix{story: newStoryOn(t, pool, nil, organisation.Projection, staff.Projection, students.Projection,
		attendance.Projection, performance.Projection, surveys.Projection, analytics.AttendanceWeek, audit.Projection)}
	m.proofs, m.security = m.api.Proofs, &noted{Security: m.api.Security}
	m.api.Security, m.api.Proofs, m.api.Reactions = m.security, sealed{}, m.reactions()
	m.organise()
	for _, place := range []string{"home", "sibling", "near", "far"} {
		m.furnish(place)
	}
	m.hire("departing")
	for _, e := range employees {
		switch {
		case e.role == "":
			m.hire(e.name)
		case e.role == access.Instructor:
			m.at("home")
			m.hire(e.name)
			given, err := m.commands.GiveRole(t.Context(), access.System("matrix"), commands.GiveRole{
				Account: id[domain.AccountID](m.story, e.name), Role: e.role,
				Place: access.Scope{Register: id[domain.RegisterID](m.story, "register")},
			})
			m.must(err)
			m.names[e.name+"/assignment"] = given.String()
		default:
			m.at("home")
			m.hire(e.name, post{e.role, map[reach]string{everywhere: "", ofMunicipality: "municipality", ofSchool: "school", ofClass: "class"}[e.held]})
			m.names[e.name+"/assignment"] = m.names[e.name+"/"+string(e.role)]
		}
	}
	m.at("home")
	m.names["learner"] = m.activated("student_b", "skolens.pirmais")
	m.again("learner")
	m.spreadsheet = m.filledIn([4]string{"Ilze", "Ielādēta", "34000000001", "ilze@skola.example"})
	m.townSpreadsheet = m.filledAt("town", "/municipalities/{municipality}", [4]string{"Ilze", "Ielādēta", "34000000001", "ilze@skola.example"})
	return m
}

// organise adds a second school to the municipality and sorts the places.
func (m *matrix) organise() {
	ctx, operator := m.t.Context(), access.System("matrix")
	municipality := id[domain.MunicipalityID](m.story, "municipality")
	near, err := m.commands.RegisterSchool(ctx, operator, commands.RegisterSchool{Municipality: municipality, Name: "Tuvā skola", Source: "org-tuva"})
	m.must(err)
	year, err := m.commands.OpenSchoolYear(ctx, operator, commands.OpenSchoolYear{School: near, From: "2025-09-01", To: "2026-08-31"})
	m.must(err)
	class, err := m.commands.CreateClass(ctx, operator, commands.CreateClass{School: near, Year: year, Name: "6.a"})
	m.must(err)
	m.places = map[string]map[string]string{
		"near": {"municipality": municipality.String(), "school": near.String(), "year": year.String(), "class": class.String(), "source": "org-tuva"},
		"home": {"source": "org-skola"}, "sibling": {"source": "org-skola"}, "far": {"source": "org-cita"},
	}
	for _, name := range []string{"municipality", "school", "year", "class"} {
		m.places["home"][name], m.places["sibling"][name] = m.names[name], m.names[name]
		m.places["far"][name] = m.names["elsewhere_"+name]
	}
	m.places["sibling"]["class"] = m.names["class_b"]
}

// furnish puts a thing of every kind into a place.
func (m *matrix) furnish(place string) {
	m.t.Helper()
	ctx, operator := m.t.Context(), access.System("matrix")
	m.at(place)
	here, before := maps.Clone(m.places[place]), maps.Clone(m.names)
	school := id[domain.SchoolID](m.story, "school")

	file := m.rosterFile()
	load, err := m.commands.LoadRoster(ctx, operator, commands.LoadRoster{School: school, File: file})
	m.must(err)
	here["sync"] = load.Run.String()

	keeper := "keeper" + place
	m.names[keeper] = m.newcomer(access.ClassTeacher)
	m.register(keeper)
	class := "6.a"
	if place == "sibling" {
		class = "6.b"
	}
	var pupils struct{ Items []struct{ ID, Class string } }
	m.answer(&pupils, step{as: keeper, ask: "GET /schools/{school}/students"})
	if len(pupils.Items) != 3 {
		m.t.Fatalf("there are %d pupils in %s of %s", len(pupils.Items), class, place)
	}
	for i, name := range []string{"student", "student_b", "student_c"} {
		here[name] = pupils.Items[i].ID
	}
	for _, name := range []string{"survey", "ended"} {
		var survey struct{ ID string }
		m.answer(&survey, step{as: keeper, ask: "POST /schools/{school}/surveys", body: survey6})
		m.names[name], here[name] = survey.ID, survey.ID
	}
	m.tell(step{as: keeper, ask: "POST /surveys/{ended}/closure", status: 204, events: "surveys.closed"})
	var register, lesson struct{ ID string }
	m.answer(&register, step{as: keeper, ask: "POST /schools/{school}/registers", body: `{"class_id":"{class}","name":"Reģistrs"}`})
	m.names["register"], here["register"] = register.ID, register.ID
	held, err := m.commands.Held(ctx, id[domain.AccountID](m.story, keeper))
	m.must(err)
	role := []string{"Zurnals-Role: " + held[len(held)-1].ID.String()}
	m.answer(&lesson, step{as: keeper, headers: role, ask: "POST /registers/{register}/sessions",
		body: `{"date":"2025-09-01","from":"08:30","self_recording":{"password":true,"qr":true,"early_open":60,"own_updates":true}}`})
	m.names["lesson"], here["lesson"] = lesson.ID, lesson.ID
	var secret struct{ Password string }
	m.answer(&secret, step{as: keeper, headers: role, ask: "GET /attendance-sessions/{lesson}/password"})
	here["secret"] = secret.Password

	here["member"] = m.newcomer(access.SupportStaff)
	m.names["member"] = here["member"]
	loaded, err := m.commands.ImportUsers(ctx, operator, commands.ImportUsers{Place: access.Scope{School: school}, Rows: m.oneRow()})
	m.must(err)
	here["import"] = loaded.ID.String()
	loaded, err = m.commands.ImportUsers(ctx, operator, commands.ImportUsers{Place: access.Scope{Municipality: id[domain.MunicipalityID](m.story, "municipality")}, Rows: m.oneRow()})
	m.must(err)
	here["town_import"] = loaded.ID.String()
	m.places[place] = here
	for name, id := range before { // nothing of this place is left
		if m.names[name] != id && here[name] == "" {
			m.names[name] = id
		}
	}
}

// rosterFile returns a small roster of the school that is at hand.
func (m *matrix) rosterFile() []byte {
	m.t.Helper()
	source := m.names["source"]
	var users, enrolments, results, absences strings.Builder
	for _, class := range []string{"6a", "6b"} {
		for n := range 3 {
			pupil := fmt.Sprintf("%s-%s-%d", source, class, n)
			fmt.Fprintf(&users, "%s,,,true,%s,student,%[1]s,,Skolēns,%[3]c,,35000000%03[4]d,,,,,06\n", pupil, source, 'A'+n, strings.Count(users.String(), "\n"))
			fmt.Fprintf(&enrolments, "en-%s,,,kl-%s,%s,%[1]s,student,,,\n", pupil, class, source)
			fmt.Fprintf(&results, "re-%s,,,li-%s,%[1]s,fully graded,7,2025-09-01\n", pupil, class)
			fmt.Fprintf(&absences, "%s,2025-09-01,1,excused\n", pupil)
		}
	}
	return rosterZipOf(m.t, map[string]string{
		"manifest.csv": "propertyName,value\nmanifest.version,1.0\noneroster.version,1.1\nfile.academicSessions,bulk\nfile.orgs,bulk\nfile.classes,bulk\nfile.users,bulk\n" +
			"file.enrollments,bulk\nfile.lineItems,bulk\nfile.results,bulk\nfile.absences,bulk\n",
		"lineItems.csv":   "sourcedId,status,dateLastModified,title,classSourcedId,gradingPeriodSourcedId\nli-6a,,,Darbs,kl-6a,s1\nli-6b,,,Darbs,kl-6b,s1\n",
		"results.csv":     "sourcedId,status,dateLastModified,lineItemSourcedId,studentSourcedId,scoreStatus,score,scoreDate\n" + results.String(),
		"absences.csv":    "studentSourcedId,date,lesson,kind\n" + absences.String(),
		"orgs.csv":        "sourcedId,status,dateLastModified,name,type,identifier,parentSourcedId\n" + source + ",,,Skola,school,1,\n",
		"classes.csv":     "sourcedId,status,dateLastModified,title,grades,courseSourcedId,classCode,classType,location,schoolSourcedId,termSourcedIds\nkl-6a,,,6.a,06,,6.a,homeroom,," + source + ",s1\nkl-6b,,,6.b,06,,6.b,homeroom,," + source + ",s1\n",
		"users.csv":       "sourcedId,status,dateLastModified,enabledUser,orgSourcedIds,role,username,userIds,givenName,familyName,middleName,identifier,email,sms,phone,agentSourcedIds,grades\n" + users.String(),
		"enrollments.csv": "sourcedId,status,dateLastModified,classSourcedId,schoolSourcedId,userSourcedId,role,primary,beginDate,endDate\n" + enrolments.String(),
	})
}

func (m *matrix) roster() formBody { return rosterForm(m.rosterFile()) }
func (m *matrix) examResults() formBody {
	return m.resultsFile([4]string{"35000000000", "Matemātika", "2025-09-01", "87,5"})
}
func (m *matrix) users() formBody  { return filled(m.spreadsheet) }
func (m *matrix) clerks() formBody { return filled(m.townSpreadsheet) }

func (m *matrix) oneRow() []commands.UserRow {
	counted(m)
	return []commands.UserRow{{Row: 2, GivenName: "Ielādēts", FamilyName: "Darbinieks", PersonalCode: m.names["code"], Email: "ieladets" + m.names["n"] + "@skola.example"}}
}

// answer sends a request that is allowed and reads what comes.
func (m *matrix) answer(into any, st step) {
	m.t.Helper()
	seen, err := m.log.Head(m.t.Context())
	m.must(err)
	a := m.send(st, seen)
	if a.Code/100 != 2 {
		m.t.Fatalf("%s: %d %s", st.ask, a.Code, a.Body)
	}
	m.must(json.Unmarshal(a.Body.Bytes(), into))
}

// counted has {n}, {code}, {new_code} and {class_name} stand for what was not
// used before.
func counted(m *matrix) {
	m.made++
	m.names["n"], m.names["code"] = fmt.Sprint(m.made), fmt.Sprintf("33%09d", m.made)
	m.names["new_code"] = fmt.Sprintf("37%09d", m.made)
	m.names["class_name"] = fmt.Sprintf("%d.%c", 1+m.made/20%12, 'c'+m.made%20)
}

// newcomer has somebody new work at the school at hand, in a role.
func (m *matrix) newcomer(roles ...access.Role) string {
	m.t.Helper()
	counted(m)
	cmd := commands.InviteUser{
		Place:     access.Scope{School: id[domain.SchoolID](m.story, "school")},
		GivenName: "Jauns", FamilyName: "Darbinieks", PersonalCode: m.names["code"], Email: "jauns" + m.names["n"] + "@skola.example",
	}
	for _, role := range roles {
		r := commands.NewRole{Role: role}
		if role == access.ClassTeacher {
			r.Class = id[domain.ClassID](m.story, "class")
		}
		cmd.Roles = append(cmd.Roles, r)
	}
	admitted, err := m.commands.InviteUser(m.t.Context(), access.System("matrix"), cmd)
	m.must(err)
	return admitted.Account.String()
}

// invitedHere has {invited} stand for somebody who has not registered yet.
func invitedHere(m *matrix) {
	m.names["invited"] = m.newcomer(access.SupportStaff, access.ClassTeacher)
}

// clerkHere has {clerk} stand for somebody of the municipality.
func clerkHere(m *matrix) {
	m.t.Helper()
	counted(m)
	admitted, err := m.commands.InviteUser(m.t.Context(), access.System("matrix"), commands.InviteUser{
		Place:     access.Scope{Municipality: id[domain.MunicipalityID](m.story, "municipality")},
		GivenName: "Jauna", FamilyName: "Darbiniece", PersonalCode: m.names["code"], Email: "jauna" + m.names["n"] + "@novads.example",
		Roles: []commands.NewRole{{Role: access.MunicipalityAnalyst}, {Role: access.MunicipalityAdmin}},
	})
	m.must(err)
	m.names["clerk"] = admitted.Account.String()
}

// memberAudits has {member} be an auditor of the installation.
func memberAudits(m *matrix) {
	m.t.Helper()
	_, err := m.commands.GiveRole(m.t.Context(), access.System("matrix"), commands.GiveRole{Account: id[domain.AccountID](m.story, "member"), Role: access.Auditor})
	m.must(err)
}

// linked has {link} stand for a registration link that was not followed.
func linked(m *matrix) {
	invitedHere(m)
	m.names["link"] = m.link(id[domain.AccountID](m.story, "invited"))
}

// challenged has {challenge} and {login_code} stand for a sign-in half done.
func challenged(m *matrix) {
	var said struct{ Challenge string }
	m.answer(&said, step{ask: "POST /sessions", body: `{"email":"teacher@skola.example","password":"` + password + `"}`})
	m.names["challenge"], m.names["login_code"] = said.Challenge, m.loginCode(id[domain.AccountID](m.story, "teacher"))
}

// issued has {activation} stand for the printed code of a pupil.
func issued(m *matrix) {
	var code struct{ Code string }
	m.answer(&code, step{as: "admin", ask: "POST /schools/{school}/students/{student_c}/learner-account"})
	m.names["activation"] = code.Code
}

// activated gives a pupil an account and returns its id.
func (m *matrix) activated(pupil, username string) string {
	m.t.Helper()
	var code struct{ ID, Code string }
	m.answer(&code, step{as: "admin", ask: "POST /schools/{school}/students/{" + pupil + "}/learner-account"})
	_, err := m.commands.ActivateLearner(m.t.Context(), access.Actor{Kind: domain.ActorToken},
		commands.ActivateLearner{Code: code.Code, Username: username, Password: password})
	m.must(err)
	return code.ID
}

// survey6 asks the class that is at hand.
const survey6 = `{"class_id":"{class}","title":"Anketa","questions":[{"text":"Kā klājas?","kind":"scale","steps":5},{"text":"Kas patīk?","kind":"several","options":["sports","mūzika"]}]}`

// surveyed has {survey_link} stand for the link of a pupil to a survey.
func surveyed(m *matrix) {
	var survey struct{ ID string }
	m.answer(&survey, step{as: "admin", ask: "POST /schools/{school}/surveys", body: survey6})
	var codes struct{ Items []struct{ Address string } }
	m.answer(&codes, step{as: "admin", ask: "GET /surveys/" + survey.ID + "/codes"})
	m.names["survey_link"] = strings.TrimPrefix(codes.Items[0].Address, "https://zurnals.example/s/")
}

// again signs somebody in whose session was ended.
func (m *matrix) again(as string) {
	m.t.Helper()
	if as != "learner" {
		m.signIn(as)
		return
	}
	var err error
	m.tokens[as], _, err = m.api.Sessions.Create(m.t.Context(),
		sessions.Session{Realm: sessions.Learner, Subject: id[domain.LearnerID](m.story, as).UUID, Generation: 1})
	m.must(err)
}

// builtAside makes sure that there are tables to put in use.
func builtAside(m *matrix) {
	_, err := m.engine.Build(m.t.Context(), students.Projection.Name)
	m.must(err)
}

// rebuilt makes sure that there are tables to go back to.
func rebuilt(m *matrix) {
	_, err := m.engine.Rebuild(m.t.Context(), students.Projection.Name)
	m.must(err)
}

// reactions returns one that has an event put aside.
func (m *matrix) reactions() *kept {
	e, err := reactions.Open(m.t.Context(), reactions.Config{
		Pool: m.pool, Log: m.log, Now: m.clock.Now, Dev: true, Workers: river.NewWorkers(), Logger: slog.New(slog.DiscardHandler),
		Reactions: []reactions.Reaction{{Name: "letters", React: func(eventstore.Event) ([]river.InsertManyParams, error) { return nil, nil }}},
	})
	m.must(err)
	return &kept{Engine: e}
}

func parkedEvent(m *matrix) {
	for position := range 2 {
		_, err := m.pool.Exec(m.t.Context(), `INSERT INTO reaction.parked VALUES ('letters', $1, 'too difficult', $2) ON CONFLICT DO NOTHING`, position+1, m.clock.Now())
		m.must(err)
	}
}

// sealed is a log of which everything is proven.
type sealed struct{}

func (sealed) Key() (k proof.Key) { return k }
func (sealed) Checkpoint(context.Context, int64) (c proof.Checkpoint, err error) {
	return c, nil
}
func (sealed) Include(context.Context, int64) (i proof.Inclusion, err error) { return i, nil }
func (sealed) Continue(context.Context, int64, int64) (c proof.Consistency, err error) {
	return c, nil
}
