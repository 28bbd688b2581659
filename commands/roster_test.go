package commands_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"zurnals/commands"
	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/catalogue"
	"zurnals/domain/roster"
	"zurnals/eventstore"
	"zurnals/internal/oneroster"
	"zurnals/internal/trace"
)

// A rosterWorld is a school without pupils, and who loads its roster.
type rosterWorld struct {
	*commands.Commands
	log    *eventstore.Memory
	now    time.Time
	school domain.SchoolID
	admin  access.Actor
}

func newRosterWorld(t testing.TB, source string) *rosterWorld {
	t.Helper()
	w := &rosterWorld{now: time.Date(2025, 9, 1, 5, 0, 0, 0, time.UTC)} // 8:00 in Riga
	keys := eventstore.NewMemoryKeys()
	w.log = eventstore.NewMemory(func() time.Time { return w.now }, keys)
	links, err := commands.OpenLinks(t.Context(), keys)
	if err != nil {
		t.Fatal(err)
	}
	w.Commands = &commands.Commands{
		Log: w.log, Keys: keys, Catalogue: catalogue.All, Now: func() time.Time { return w.now },
		Credentials: newPasswords(), Attempts: new(commands.MemoryAttempts), Links: links,
	}
	w.admin = access.System("test")
	municipality, err := w.RegisterMunicipality(t.Context(), w.admin, commands.RegisterMunicipality{Name: "Parauga novads"})
	if err == nil {
		w.school, err = w.RegisterSchool(t.Context(), w.admin, commands.RegisterSchool{Municipality: municipality, Name: "Parauga vidusskola", Source: source})
	}
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// load loads a file and returns the types of the events that it appended, in
// order and each once.
func (w *rosterWorld) load(t testing.TB, file []byte, dry bool) (commands.RosterLoad, []string, error) {
	t.Helper()
	before, err := w.log.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	load, err := w.LoadRoster(t.Context(), w.admin, commands.LoadRoster{School: w.school, File: file, DryRun: dry})
	return load, w.since(t, before), err
}

func (w *rosterWorld) since(t testing.TB, before int64) (types []string) {
	t.Helper()
	for e, err := range w.log.ReadAll(t.Context(), before, 0) {
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(types, e.Type) {
			types = append(types, e.Type)
		}
	}
	return types
}

func TestFirstLoadAndTheSameFileAgain(t *testing.T) {
	trace.Covers(t, "R01", "R03", "EMU-098", "EMU-113", "EMU-119")
	w := newRosterWorld(t, "org-skola")
	file := rosterFile(t, "01_initial")

	preview, events, err := w.load(t, file, true)
	if err != nil || len(events) != 0 || preview.Added != 120 || preview.Active != 120 || !preview.Run.IsZero() {
		t.Fatalf("dry run: %v, events %v, %+v", err, events, preview)
	}
	first, events, err := w.load(t, file, false)
	if err != nil {
		t.Fatal(err)
	}
	if first.Added != 120 || first.Active != 120 || first.Classes != 6 || first.Unchanged+first.Updated+first.ClassChanged+first.Errors+first.NotInFile != 0 {
		t.Errorf("%+v", first.Report)
	}
	if want := "organisation.school_year_opened organisation.class_created roster.run_began roster.sync_started roster.student_registered roster.student_enrolled roster.chunk_applied roster.run_ended roster.sync_completed"; strings.Join(events, " ") != want {
		t.Errorf("events %v", events)
	}
	before, _ := w.log.Head(t.Context())
	again, events, err := w.load(t, file, false)
	after, _ := w.log.Head(t.Context())
	if err != nil || after != before+1 || strings.Join(events, " ") != "roster.sync_completed" || again.Unchanged != 120 || again.Added != 0 || again.Active != 120 {
		t.Errorf("again: %v, %d events %v, %+v", err, after-before, events, again.Report)
	}
}

// TestOrdinaryDay: what vanishes is reported, and stays.
func TestOrdinaryDay(t *testing.T) {
	trace.Covers(t, "EMU-099", "EMU-106", "EMU-111")
	w := newRosterWorld(t, "org-skola")
	w.mustLoad(t, rosterFile(t, "01_initial"))
	w.now = w.now.AddDate(0, 0, 1)
	file := rosterFile(t, "02_normal_day")

	preview, events, err := w.load(t, file, true)
	if err != nil || len(events) != 0 {
		t.Fatal(err, events)
	}
	day := w.mustLoad(t, file)
	preview.Run = day.Run
	if a, b := fmt.Sprintf("%+v", preview), fmt.Sprintf("%+v", day); a != b {
		t.Errorf("the dry run said\n%s\nand the run\n%s", a, b)
	}
	// The school's own list removes two; here they are reported only.
	if day.Added != 3 || day.ClassChanged != 4 || day.Updated != 1 || day.Unchanged != 113 || day.NotInFile != 2 || day.Active != 123 || len(day.Missing) != 2 {
		t.Errorf("%+v", day.Report)
	}
	if again := w.mustLoad(t, rosterFile(t, "03_identical")); again.Unchanged != 121 || again.Added+again.Updated+again.ClassChanged != 0 {
		t.Errorf("%+v", again.Report)
	}
	held := w.mustLoad(t, rosterFile(t, "04_thirteen_vanish_held"))
	if held.NotInFile != 15 || held.Active != 123 {
		t.Errorf("%+v", held.Report)
	}
}

func TestBadRowsLeaveTheirPupilsAlone(t *testing.T) {
	trace.Covers(t, "R08", "R15")
	w := newRosterWorld(t, "org-skola")
	w.mustLoad(t, rosterFile(t, "01_initial"))
	w.mustLoad(t, rosterFile(t, "02_normal_day"))
	load := w.mustLoad(t, rosterFile(t, "05_bad_rows"))
	if load.Errors != 2 || load.Damaged != 2 || load.NotInFile != 2 || load.Unchanged != 119 || len(load.Problems) != 2 {
		t.Errorf("%+v", load.Report)
	}
	if p := load.Problems[0]; p != (roster.Problem{File: "users.csv", Row: 2, Field: "givenName", Code: "oneroster.required"}) {
		t.Errorf("%+v", p)
	}
}

func TestEdFiSample(t *testing.T) {
	w := newRosterWorld(t, "255901001")
	load := w.mustLoad(t, rosterFile(t, "../edfi_1.1"))
	if load.Added != 8 || load.Courses != 2 || load.Errors != 0 || load.OtherRoles == 0 {
		t.Errorf("%+v", load.Report)
	}
	if again := w.mustLoad(t, rosterFile(t, "../edfi_1.1")); again.Unchanged != 8 {
		t.Errorf("%+v", again.Report)
	}
}

func TestClassesOfTheFile(t *testing.T) {
	trace.Covers(t, "R21", "EMU-110")
	w := newRosterWorld(t, "org-skola")
	year, err := w.OpenSchoolYear(t.Context(), w.admin, commands.OpenSchoolYear{School: w.school, From: "2025-09-01", To: "2026-05-31"})
	if err != nil {
		t.Fatal(err)
	}
	// The administrator made 1.a before the first file came (C-08).
	if _, err = w.CreateClass(t.Context(), w.admin, commands.CreateClass{School: w.school, Year: year, Name: "1.A"}); err != nil {
		t.Fatal(err)
	}
	load, events, err := w.load(t, rosterFile(t, "01_initial"), false)
	if err != nil || load.Added != 120 || !slices.Contains(events, "organisation.class_adopted") || slices.Contains(events, "organisation.school_year_opened") {
		t.Errorf("%v %+v %v", err, load.Report, events)
	}

	// Names that are none are reported with their rows; their pupils come without a class.
	w = newRosterWorld(t, "org-skola")
	load = w.mustLoad(t, rosterFile(t, "01_initial", "classes.csv", "kl-1b,,,1.b", "kl-1b,,,1. A", "kl-6a,,,6.a", "kl-6a,,,13.a"))
	if load.Errors != 2 || load.Added != 120 {
		t.Errorf("%+v", load.Report)
	}
	for i, want := range []roster.Problem{
		{File: "classes.csv", Row: 4, Field: "title", Code: "organisation.class_name"},
		{File: "classes.csv", Row: 3, Field: "title", Code: "organisation.class_exists"},
	} {
		if load.Problems[i] != want {
			t.Errorf("%+v, want %+v", load.Problems[i], want)
		}
	}
}

func TestRefusedFilesLeaveNothing(t *testing.T) {
	trace.Covers(t, "R14")
	w := newRosterWorld(t, "org-skola")
	elsewhere := w.admin
	for name, c := range map[string]struct {
		cmd  commands.LoadRoster
		by   access.Actor
		want error
	}{
		"not an archive": {commands.LoadRoster{School: w.school, File: []byte("sourcedId")}, w.admin, oneroster.ErrArchive},
		"another school": {commands.LoadRoster{School: w.school, File: rosterFile(t, "../edfi_1.1")}, w.admin, oneroster.ErrForeign},
		"no such school": {commands.LoadRoster{School: domain.NewID[domain.SchoolID](), File: rosterFile(t, "01_initial")}, elsewhere, access.ErrElsewhere},
		"a wrong heading": {commands.LoadRoster{School: w.school,
			File: rosterFile(t, "01_initial", "users.csv", "familyName", "surname")}, w.admin, oneroster.ErrHeader},
		"a teacher": {commands.LoadRoster{School: w.school, File: rosterFile(t, "01_initial")}, access.Actor{
			Kind: domain.ActorAccount, Active: access.Assignment{Role: access.SchoolManagement, Scope: access.Scope{School: w.school}},
		}, access.ErrForbidden},
		"an administrator of another school": {commands.LoadRoster{School: w.school, File: rosterFile(t, "01_initial")}, access.Actor{
			Kind: domain.ActorAccount, Active: access.Assignment{Role: access.SchoolAdmin, Scope: access.Scope{School: domain.NewID[domain.SchoolID]()}},
		}, access.ErrElsewhere},
	} {
		before, _ := w.log.Head(t.Context())
		if _, err := w.LoadRoster(t.Context(), c.by, c.cmd); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if events := w.since(t, before); len(events) > 0 {
			t.Errorf("%s: events %v", name, events)
		}
	}
	unbound := newRosterWorld(t, "")
	if _, _, err := unbound.load(t, rosterFile(t, "01_initial"), false); !errors.Is(err, commands.ErrNotBound) {
		t.Error(err)
	}
}

// TestARunThatStopped has the server die after some appends. The same request
// goes on where it stopped; another run has to wait until the lease is over.
func TestARunThatStopped(t *testing.T) {
	trace.Covers(t, "R22")
	w := newRosterWorld(t, "org-skola")
	file := bigRoster(700)
	key := w.admin
	key.Command, key.Fingerprint = domain.NewID[domain.StudentID]().UUID, []byte("one request")
	cmd := commands.LoadRoster{School: w.school, File: file}

	whole := w.Commands.Log
	w.Commands.Log = &dying{Log: whole, appends: 3}
	if _, err := w.LoadRoster(t.Context(), key, cmd); err == nil {
		t.Fatal("the server should have died")
	}
	w.Commands.Log = whole

	var refusal *domain.Error
	if _, _, err := w.load(t, file, false); !errors.Is(err, roster.ErrRunning) || !errors.As(err, &refusal) || len(refusal.Details) != 1 || refusal.Details[0].Text == "" {
		t.Fatalf("another run: %v", err)
	}
	went, err := w.LoadRoster(t.Context(), key, cmd)
	if err != nil || went.Added != 700 || went.Active != 700 || went.Unchanged != 0 {
		t.Fatalf("%v %+v", err, went.Report)
	}
	before, _ := w.log.Head(t.Context())
	repeated, err := w.LoadRoster(t.Context(), key, cmd)
	if err != nil || repeated.Run != went.Run || repeated.Added != 700 || len(w.since(t, before)) != 0 {
		t.Errorf("%v %+v", err, repeated.Report)
	}
	if _, err := w.LoadRoster(t.Context(), key, commands.LoadRoster{School: w.school, File: rosterFile(t, "01_initial")}); !errors.Is(err, commands.ErrReused) {
		t.Errorf("another file under the same key: %v", err)
	}
}

func TestALeaseEnds(t *testing.T) {
	trace.Covers(t, "R22")
	w := newRosterWorld(t, "org-skola")
	file := bigRoster(700)
	key := w.admin
	key.Command, key.Fingerprint = domain.NewID[domain.StudentID]().UUID, []byte("one request")
	whole := w.Commands.Log
	w.Commands.Log = &dying{Log: whole, appends: 3}
	if _, err := w.LoadRoster(t.Context(), key, commands.LoadRoster{School: w.school, File: file}); err == nil {
		t.Fatal("the server should have died")
	}
	w.Commands.Log = whole

	w.now = w.now.Add(roster.Lease - time.Nanosecond)
	if _, _, err := w.load(t, file, false); !errors.Is(err, roster.ErrRunning) {
		t.Fatal(err)
	}
	w.now = w.now.Add(time.Nanosecond)
	load, events, err := w.load(t, file, false)
	if err != nil || load.Added+load.Unchanged != 700 || load.Unchanged == 0 || load.Active != 700 || !slices.Contains(events, "roster.sync_failed") {
		t.Errorf("%v %+v %v", err, load.Report, events)
	}
	// The first one comes to life again, and is told.
	if _, err := w.LoadRoster(t.Context(), key, commands.LoadRoster{School: w.school, File: file}); !errors.Is(err, roster.ErrSyncOver) {
		t.Error(err)
	}
}

// TestTwoRunsAtOnce: of two that begin together one works, and each pupil is
// registered once.
func TestTwoRunsAtOnce(t *testing.T) {
	trace.Covers(t, "R22")
	w := newRosterWorld(t, "org-skola")
	results := make(chan error)
	for range 2 {
		go func() {
			_, err := w.LoadRoster(t.Context(), w.admin, commands.LoadRoster{School: w.school, File: rosterFile(t, "01_initial")})
			results <- err
		}()
	}
	for range 2 {
		if err := <-results; err != nil && !errors.Is(err, roster.ErrRunning) && !errors.Is(err, roster.ErrTakenOver) && !errors.Is(err, commands.ErrBusy) {
			var claimed *eventstore.ClaimedError
			if !errors.As(err, &claimed) {
				t.Error(err)
			}
		}
	}
	if again := w.mustLoad(t, rosterFile(t, "01_initial")); again.Active != 120 {
		t.Errorf("%+v", again.Report)
	}
}

// BenchmarkRoster loads 5,000 pupils into the log in memory, and the same again.
func BenchmarkRoster(b *testing.B) {
	for _, n := range []int{120, 5000} {
		file := bigRoster(n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				w := newRosterWorld(b, "org-skola")
				started := time.Now()
				w.mustLoad(b, file)
				b.ReportMetric(float64(time.Since(started).Milliseconds()), "first-ms")
				started = time.Now()
				w.mustLoad(b, file)
				b.ReportMetric(float64(time.Since(started).Milliseconds()), "again-ms")
			}
		})
	}
}

func (w *rosterWorld) mustLoad(t testing.TB, file []byte) commands.RosterLoad {
	t.Helper()
	load, _, err := w.load(t, file, false)
	if err != nil {
		t.Fatal(err)
	}
	return load
}

// dying is a log that can be appended to a few times only.
type dying struct {
	eventstore.Log
	appends int
}

func (d *dying) Append(ctx context.Context, r eventstore.Request) (eventstore.Result, error) {
	if d.appends--; d.appends < 0 {
		return eventstore.Result{}, eventstore.ErrUnavailable
	}
	return d.Log.Append(ctx, r)
}

// rosterFile packs one day of the made-up school; changes are a file and
// pairs of what is replaced in it.
func rosterFile(t testing.TB, day string, changes ...string) []byte {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("..", "internal", "oneroster", "testdata", "roster_lv", day, "*.csv"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s: %v", day, err)
	}
	files := make(map[string]string)
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		name, text := filepath.Base(path), string(content)
		if len(changes) > 0 && changes[0] == name {
			text = strings.NewReplacer(changes[1:]...).Replace(text)
		}
		files[name] = text
	}
	return packRoster(files)
}

func packRoster(files map[string]string) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, content := range files {
		if w, err := z.Create(name); err == nil {
			w.Write([]byte(content))
		}
	}
	z.Close()
	return b.Bytes()
}

// bigRoster is a file with n pupils in classes of 25.
func bigRoster(n int) []byte {
	var users, classes, enrolments strings.Builder
	users.WriteString("sourcedId,status,dateLastModified,enabledUser,orgSourcedIds,role,username,userIds,givenName,familyName,middleName,identifier,email,sms,phone,agentSourcedIds,grades\n")
	classes.WriteString("sourcedId,status,dateLastModified,title,grades,courseSourcedId,classCode,classType,location,schoolSourcedId,termSourcedIds\n")
	enrolments.WriteString("sourcedId,status,dateLastModified,classSourcedId,schoolSourcedId,userSourcedId,role,primary,beginDate,endDate\n")
	for i := range n {
		class := fmt.Sprintf("%d.%c%c", 1+i/25%12, 'a'+i/25/12%26, 'a'+i/25/12/26)
		if i%25 == 0 {
			fmt.Fprintf(&classes, "k-%s,,,%s,,,,homeroom,,org-skola,y\n", class, class)
		}
		fmt.Fprintf(&users, "u-%d,,,true,org-skola,student,u,,Jānis %d,Bērziņš,,,,,,,\n", i, i)
		fmt.Fprintf(&enrolments, "e-%d,,,k-%s,org-skola,u-%d,student,,,\n", i, class, i)
	}
	return packRoster(map[string]string{
		"manifest.csv":         "propertyName,value\nmanifest.version,1.0\noneroster.version,1.1\nfile.academicSessions,bulk\nfile.orgs,bulk\nfile.classes,bulk\nfile.users,bulk\nfile.enrollments,bulk\n",
		"orgs.csv":             "sourcedId,status,dateLastModified,name,type,identifier,parentSourcedId\norg-skola,,,Skola,school,,\n",
		"academicSessions.csv": "sourcedId,status,dateLastModified,title,type,startDate,endDate,parentSourcedId,schoolYear\ny,,,2025,schoolYear,2025-09-01,2026-08-31,,2026\n",
		"users.csv":            users.String(), "classes.csv": classes.String(), "enrollments.csv": enrolments.String(),
	})
}
