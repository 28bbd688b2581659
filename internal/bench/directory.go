package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/xuri/excelize/v2"

	"zurnals/internal/embedpg"
)

// What the staff directory is measured on: the people of a large municipality.
const (
	directorySchools = 200
	directoryPeople  = 60 // of each school
	directoryRate    = 200
	importRows       = 5_000
)

// directory measures the staff directory and the loading of users: the program
// serves as a process of its own, with its own PostgreSQL, and this one asks it
// over HTTP. Requests are sent when they are due, whether or not the ones before
// have been answered, and their time is counted from when they were due.
//
//	go run ./internal/bench directory -report docs/benchmarks.md
func directory(ctx context.Context, s settings) (err error) {
	before := load()
	d := &staffServer{settings: s, chance: rand.New(rand.NewPCG(1, 2))}
	if d.dir, err = os.MkdirTemp("", "zurnals-directory-*"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.stop(), os.RemoveAll(d.dir)) }()
	if err := os.Chmod(d.dir, 0o755); err != nil { // PostgreSQL may run as another user
		return err
	}
	if err := d.start(ctx); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%d schools of %d people …\n", directorySchools, directoryPeople)
	if err := d.populate(ctx); err != nil {
		return err
	}
	var report strings.Builder
	fmt.Fprintf(&report, "Taken %s with `%s` on %s, PostgreSQL with fsync on the same machine. Load of the machine before the run: %s.\n",
		time.Now().UTC().Format("2006-01-02 15:04 UTC"), command(), machine(), before)
	if err := d.lists(ctx, &report); err != nil {
		return err
	}
	if err := d.imports(ctx, &report); err != nil {
		return err
	}
	fmt.Fprintf(&report, "\nLoad of the machine after it: %s.\n", load())
	fmt.Print(report.String())
	if s.report == "" {
		return nil
	}
	return writePart(s.report, "go run ./internal/bench directory", report.String())
}

// A staffServer is the program serving a municipality.
type staffServer struct {
	settings
	dir, url, private string
	cmd               *exec.Cmd
	postgres          *postgresCPU
	chance            *rand.Rand
	client            http.Client
	token             string // of the municipality's administrator
	municipality      string
	schools           []string
	people            int // made so far
}

func (d *staffServer) start(ctx context.Context) error {
	binary := filepath.Join(d.dir, "zurnals")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", binary, "./cmd/zurnals").CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	var addresses [2]string
	for i := range addresses {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		addresses[i] = l.Addr().String()
		_ = l.Close()
	}
	d.url, d.private = "http://"+addresses[0], "http://"+addresses[1]
	d.client.Transport = &http.Transport{MaxIdleConnsPerHost: 512}
	data := filepath.Join(d.dir, "data")
	d.cmd = exec.Command(binary, "serve", "-dev", "-addr", addresses[0], "-private-addr", addresses[1], "-data-dir", data)
	log, err := os.Create(filepath.Join(d.dir, "server.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	d.cmd.Stdout, d.cmd.Stderr, d.cmd.SysProcAttr = log, log, &syscall.SysProcAttr{Setpgid: true}
	if err := d.cmd.Start(); err != nil {
		return err
	}
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if a, err := d.client.Get(d.private + "/readyz"); err == nil {
			_ = a.Body.Close()
			if a.StatusCode == http.StatusOK {
				break
			}
		}
		if ctx.Err() != nil || time.Now().After(deadline) {
			said, _ := os.ReadFile(log.Name())
			return fmt.Errorf("the server is not ready: %s", said)
		}
	}
	pids, err := filepath.Glob(filepath.Join(data, "*", "postmaster.pid"))
	if err != nil || len(pids) != 1 {
		return fmt.Errorf("no PostgreSQL below %s: %v", data, err)
	}
	d.postgres, err = watchPostgres(pids[0])
	return err
}

func (d *staffServer) stop() error {
	if d.cmd == nil || d.cmd.Process == nil {
		return nil
	}
	if err := d.cmd.Process.Signal(os.Interrupt); err != nil {
		return err
	}
	return d.cmd.Wait()
}

// ask sends a request as the municipality's administrator and reads the answer.
func (d *staffServer) ask(ctx context.Context, method, path, kind string, body io.Reader, into any) error {
	r, err := http.NewRequestWithContext(ctx, method, d.url+path, body)
	if err != nil {
		return err
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	if d.token != "" {
		r.Header.Set("Authorization", "Bearer "+d.token)
	}
	a, err := d.client.Do(r)
	if err != nil {
		return err
	}
	defer a.Body.Close()
	said, err := io.ReadAll(a.Body)
	switch {
	case err != nil:
		return err
	case a.StatusCode >= 300:
		return fmt.Errorf("%s %s: %d %s", method, path, a.StatusCode, said)
	case into != nil:
		return json.Unmarshal(said, into)
	}
	return nil
}

func (d *staffServer) post(ctx context.Context, path, body string, into any) error {
	return d.ask(ctx, http.MethodPost, path, "application/json", strings.NewReader(body), into)
}

// populate makes the schools of a municipality and loads their people.
func (d *staffServer) populate(ctx context.Context) error {
	var session struct{ Token string }
	if err := d.post(ctx, "/api/v1/sessions", `{"email":"novads@zurnals.example","password":"Parole-demo-2025"}`, &session); err != nil {
		return err
	}
	d.token = session.Token
	var roles struct {
		Items []struct {
			Municipality string `json:"municipality_id"`
		}
	}
	if err := d.ask(ctx, http.MethodGet, "/api/v1/me/roles", "", nil, &roles); err != nil || len(roles.Items) == 0 {
		return fmt.Errorf("no role: %w", err)
	}
	d.municipality = roles.Items[0].Municipality
	for range directorySchools {
		school, err := d.school(ctx)
		if err != nil {
			return err
		}
		d.schools = append(d.schools, school)
		if _, err := d.load(ctx, school, directoryPeople); err != nil {
			return err
		}
	}
	fmt.Fprintln(os.Stderr, "their letters …")
	return d.settle(ctx)
}

// school makes another school. The clock goes on so that nobody asks too often.
func (d *staffServer) school(ctx context.Context) (string, error) {
	if err := d.post(ctx, "/dev/clock", `{"advance":"3s"}`, nil); err != nil {
		return "", err
	}
	var made struct{ ID string }
	err := d.post(ctx, "/api/v1/municipalities/"+d.municipality+"/schools", fmt.Sprintf(`{"name":"%d. vidusskola"}`, len(d.schools)+1), &made)
	return made.ID, err
}

// load loads new people into a school, and tells how long it took.
func (d *staffServer) load(ctx context.Context, school string, n int) (time.Duration, error) {
	file, err := d.spreadsheet(n)
	if err != nil {
		return 0, err
	}
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	if err := w.WriteField("source", "EMU"); err != nil {
		return 0, err
	}
	part, err := w.CreateFormFile("file", "lietotaji.xlsx")
	if err == nil {
		_, err = part.Write(file)
	}
	if err = errors.Join(err, w.Close()); err != nil {
		return 0, err
	}
	var report struct{ Invited int }
	began := time.Now()
	err = d.ask(ctx, http.MethodPost, "/api/v1/schools/"+school+"/user-imports", w.FormDataContentType(), &form, &report)
	if err == nil && report.Invited != n {
		err = fmt.Errorf("%d of %d were invited", report.Invited, n)
	}
	return time.Since(began), err
}

// Names of the people, put together by chance.
var (
	givenNames = strings.Fields(`Anna Sofija Emīlija Marta Elizabete Alise Katrīna Paula Estere Amēlija Līva Ieva Laura Kristīne Līga Zane Agnese
		Dārta Rūta Undīne Madara Žanete Ņina Ģertrūde Ūla Jūlija Roberts Gustavs Markuss Jēkabs Kārlis Mārtiņš Jānis Pēteris Artūrs Edgars Uldis`)
	familyNames = strings.Fields(`Bērz Kaln Ozol Liep Krūm Eglīt Zar Vītol Kļav Kārkl Vanag Āboliņ Ūdr Žagar Čakst Ģēģer Ķēn Ņikit Dūm Grīn Lāc
		Vilk Sil Rozīt Pur Strazd Celm Mežul Auz Ērgl Īvān Žīgur Cer Dzen Sprūdž Šteinberg`)
)

func (d *staffServer) spreadsheet(n int) ([]byte, error) {
	f := excelize.NewFile()
	defer f.Close()
	rows, err := f.NewStreamWriter(f.GetSheetName(0))
	if err != nil {
		return nil, err
	}
	if err := rows.SetRow("A1", []any{"Vārds *", "Uzvārds *", "Personas kods *", "E-pasta adrese *", "Lomas"}); err != nil {
		return nil, err
	}
	for i := range n {
		d.people++
		role := "" // of sixty one is administrator, three are management, five support
		switch {
		case i%60 == 0:
			role = "Administrators"
		case i%60 < 4:
			role = "Vadība"
		case i%60 < 9:
			role = "Atbalsts"
		}
		given, family := givenNames[d.chance.IntN(len(givenNames))], familyNames[d.chance.IntN(len(familyNames))]+"iņa"
		err := rows.SetRow(fmt.Sprintf("A%d", i+2), []any{given, family, fmt.Sprintf("38%09d", d.people), fmt.Sprintf("p%d@skola.example", d.people), role})
		if err != nil {
			return nil, err
		}
	}
	if err := rows.Flush(); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	_, err = f.WriteTo(&out)
	return out.Bytes(), err
}

// settle waits until all letters are written, and lets PostgreSQL count what is
// there, as it does by itself within a minute.
func (d *staffServer) settle(ctx context.Context) error {
	for {
		var jobs struct{ Done int }
		if err := d.ask(ctx, http.MethodPost, "/dev/jobs/run", "", nil, &jobs); err != nil {
			return err
		}
		if jobs.Done == 0 {
			break
		}
	}
	conn, err := pgx.Connect(ctx, embedpg.Address{Socket: filepath.Join(d.dir, "data", "socket")}.DSN(embedpg.Superuser, "zurnals"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, "ANALYZE")
	return err
}

// A kind of request to the directory.
type listKind struct {
	name string
	path func(n int) string
}

func (d *staffServer) kinds() []listKind {
	all := "/api/v1/municipalities/" + d.municipality + "/users?schools=true"
	roles := []string{"administrator", "management", "support"}
	return []listKind{
		{"first page of all 12,000", func(int) string { return all }},
		{"search", func(n int) string {
			name := []rune(strings.ToLower(familyNames[n%len(familyNames)]))
			return all + "&q=" + url.QueryEscape(string(name[:min(len(name), 3+n%3)]))
		}},
		{"search by one or two letters", func(n int) string {
			name := []rune(strings.ToLower(familyNames[n%len(familyNames)]))
			return all + "&q=" + url.QueryEscape(string(name[:1+n%2]))
		}},
		{"filter by role", func(n int) string { return all + "&role_held=" + roles[n%len(roles)] }},
		{"first page of a school", func(n int) string { return "/api/v1/schools/" + d.schools[n%len(d.schools)] + "/users" }},
	}
}

// A listSample is what one kind was like in one round.
type listSample struct{ p50, p99, worst, server, postgres float64 }

func (d *staffServer) lists(ctx context.Context, report *strings.Builder) error {
	kinds := slices.DeleteFunc(d.kinds(), func(k listKind) bool { return !d.only.MatchString(k.name) })
	if len(kinds) == 0 {
		return nil
	}
	samples := make([][]listSample, len(kinds))
	for round := range d.rounds + 1 {
		for i := range kinds {
			n := (i + round) % len(kinds)
			s, err := d.measure(ctx, kinds[n])
			if err != nil {
				return fmt.Errorf("%s: %w", kinds[n].name, err)
			}
			fmt.Fprintf(os.Stderr, "%s: p50 %.1f ms, p99 %.1f ms\n", kinds[n].name, s.p50, s.p99)
			if round > 0 { // the first one warms up
				samples[n] = append(samples[n], s)
			}
		}
	}
	fmt.Fprintf(report, "\n### Staff directory: %d schools, %d users, %d requests/s\n\n"+
		"| | p50 | p99 | worst | program CPU per request | PostgreSQL CPU per request |\n|---|---|---|---|---|---|\n", directorySchools, directorySchools*directoryPeople, directoryRate)
	for i, k := range kinds {
		of := func(f func(listSample) float64) float64 {
			var all []float64
			for _, s := range samples[i] {
				all = append(all, f(s))
			}
			return median(all)
		}
		fmt.Fprintf(report, "| %s | %.1f ms | %.1f ms | %.1f ms | %.2f ms | %.2f ms |\n", k.name,
			of(func(s listSample) float64 { return s.p50 }), of(func(s listSample) float64 { return s.p99 }), of(func(s listSample) float64 { return s.worst }),
			of(func(s listSample) float64 { return s.server }), of(func(s listSample) float64 { return s.postgres }))
	}
	return nil
}

// measure asks at the rate, for as long as a round is.
func (d *staffServer) measure(ctx context.Context, k listKind) (listSample, error) {
	n := int(d.each.Seconds() * directoryRate)
	took, errs := make([]float64, n), make([]error, n)
	var all sync.WaitGroup
	server, postgres, start := d.cpu(), d.postgres.read(), time.Now()
	for i := range n {
		due := start.Add(time.Duration(i) * time.Second / directoryRate)
		time.Sleep(time.Until(due))
		all.Go(func() {
			errs[i] = d.ask(ctx, http.MethodGet, k.path(i), "", nil, nil)
			took[i] = float64(time.Since(due).Microseconds()) / 1000
		})
	}
	all.Wait()
	s := listSample{server: (d.cpu() - server).Seconds() * 1000 / float64(n), postgres: (d.postgres.read() - postgres).Seconds() * 1000 / float64(n)}
	slices.SortFunc(took, cmp.Compare)
	s.p50, s.p99, s.worst = took[n/2], took[min(n-1, n*99/100)], took[n-1]
	return s, errors.Join(errs...)
}

// cpu is how long the server has run.
func (d *staffServer) cpu() time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", d.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(after)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * time.Second / 100
}

// imports loads five thousand users into a new school, as often as there are
// rounds.
func (d *staffServer) imports(ctx context.Context, report *strings.Builder) error {
	if !d.only.MatchString("loading") {
		return nil
	}
	var seconds, server, postgres []float64
	for round := range d.rounds {
		if round > 0 { // the letters of the one before are written
			if err := d.settle(ctx); err != nil {
				return err
			}
		}
		school, err := d.school(ctx)
		if err != nil {
			return err
		}
		before, pg := d.cpu(), d.postgres.read()
		took, err := d.load(ctx, school, importRows)
		if err != nil {
			return err
		}
		seconds = append(seconds, took.Seconds())
		server, postgres = append(server, (d.cpu()-before).Seconds()), append(postgres, (d.postgres.read()-pg).Seconds())
		fmt.Fprintf(os.Stderr, "%d rows in %.1f s\n", importRows, took.Seconds())
	}
	fmt.Fprintf(report, "\n### Loading %d users from a spreadsheet\n\n| | median | slowest | program CPU | PostgreSQL CPU |\n|---|---|---|---|---|\n"+
		"| upload, check, invite; read models and letters follow meanwhile | %.1f s | %.1f s | %.1f s | %.1f s |\n",
		importRows, median(seconds), slices.Max(seconds), median(server), median(postgres))
	return nil
}

// writePart writes a part of the report between marks of its own anew.
func writePart(file, by, text string) error {
	begin, end := "<!-- begin: "+by+" -->\n", "<!-- end: "+by+" -->\n"
	old, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, found := strings.Cut(string(old), begin)
	_, after, found2 := strings.Cut(rest, end)
	if !found || !found2 {
		return fmt.Errorf("%s has no lines\n%s%s", file, begin, end)
	}
	return os.WriteFile(file, []byte(before+begin+text+end+after), 0o644)
}
