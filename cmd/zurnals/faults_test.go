package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"zurnals/internal/embedpg"
	"zurnals/internal/pgtest"
	"zurnals/internal/processtest"
)

// asProgram makes the test binary the program itself.
const asProgram = "ZURNALS_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// A service is the program serving, on a PostgreSQL that the test can take away.
type service struct {
	t        *testing.T
	postgres *embedpg.Server
	pgDir    string
	env      []string
	url      string
	private  string
	log      string
	cmd      *exec.Cmd
	client   *http.Client
	token    string
	waits    atomic.Int64 // answers 503
	silent   atomic.Int64 // requests without an answer
	cut      atomic.Int64 // of those, the ones that the server had in hand
}

func newService(t *testing.T) *service {
	s := &service{t: t, pgDir: pgtest.DataDir(t), client: &http.Client{Timeout: processtest.Patience, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
	s.startPostgres()
	t.Cleanup(s.stopPostgres)
	s.log = filepath.Join(t.TempDir(), "log")
	t.Cleanup(func() {
		if text, err := os.ReadFile(s.log); err == nil && t.Failed() {
			t.Logf("the end of the server's log:\n%s", text[max(0, len(text)-4_000):])
		}
	})
	free := func() string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		return l.Addr().String()
	}
	s.url, s.private = "http://"+free(), "http://"+free()
	s.env = append(os.Environ(), asProgram+"=1",
		"ZURNALS_MASTER_KEY="+base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef")),
		"ZURNALS_DATABASE_URL="+s.postgres.DSN(embedpg.App, embedpg.Database),
		"ZURNALS_MIGRATE_URL="+s.postgres.DSN(embedpg.Owner, embedpg.Database),
		"ZURNALS_DATA_DIR="+filepath.Join(t.TempDir(), "data"),
		"ZURNALS_ADDR="+strings.TrimPrefix(s.url, "http://"), "ZURNALS_PRIVATE_ADDR="+strings.TrimPrefix(s.private, "http://"), "ZURNALS_DEV=1")
	s.start()
	t.Cleanup(func() { _ = s.cmd.Process.Kill() }) // it has ended, unless the test failed
	var session struct{ Token string }
	// The demo people are made while the server is there already.
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(200 * time.Millisecond) { // polling
		status, body, err := s.post("/sessions", "", `{"email":"`+demoPeople[0].email+`","password":"`+demoPassword+`"}`)
		if err == nil && status == http.StatusCreated && json.Unmarshal(body, &session) == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("sign-in: %d %s %v", status, body, err)
		}
	}
	s.token = session.Token
	return s
}

func (s *service) startPostgres() {
	s.t.Helper()
	server, err := embedpg.Start(context.Background(), embedpg.Config{DataDir: s.pgDir})
	if err != nil {
		s.t.Fatal(err)
	}
	s.postgres = server
}

func (s *service) stopPostgres() {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := s.postgres.Stop(ctx); err != nil {
		s.t.Error(err)
	}
}

// start starts the server and waits until it is ready.
func (s *service) start() {
	s.t.Helper()
	self, err := os.Executable()
	if err != nil {
		s.t.Fatal(err)
	}
	s.cmd = exec.Command(self, "serve")
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	s.cmd.Env, s.cmd.Stdout, s.cmd.Stderr = s.env, log, log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.ready()
}

func (s *service) ready() {
	s.t.Helper()
	var last string
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) { // polling
		answer, err := s.client.Get(s.private + "/readyz")
		if err != nil {
			last = err.Error()
			continue
		}
		body, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		if last = string(body); answer.StatusCode == http.StatusOK {
			return
		}
	}
	s.t.Fatalf("the server is not ready: %s", last)
}

// end ends the server by a signal and returns how it ended.
func (s *service) end(signal syscall.Signal) error {
	s.t.Helper()
	if err := s.cmd.Process.Signal(signal); err != nil {
		s.t.Fatal(err)
	}
	return processtest.Wait(s.t, s.cmd)
}

func (s *service) post(path, key, body string) (status int, answer []byte, err error) {
	r, err := http.NewRequest(http.MethodPost, s.url+"/api/v1"+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	if s.token != "" {
		r.Header.Set("Authorization", "Bearer "+s.token)
	}
	got, err := s.client.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer got.Body.Close()
	if answer, err = io.ReadAll(got.Body); err != nil {
		return 0, nil, err
	}
	if got.StatusCode == http.StatusServiceUnavailable {
		s.waits.Add(1)
		if got.Header.Get("Retry-After") == "" {
			s.t.Errorf("503 does not say when to try again: %s", answer)
		}
	}
	return got.StatusCode, answer, nil
}

// inHand says whether a request without an answer was one that the server had
// accepted. One that still waits to be accepted when the port is closed is
// reset by the kernel, at once.
func inHand(err error, took time.Duration) bool {
	return !errors.Is(err, syscall.ECONNREFUSED) && (!errors.Is(err, syscall.ECONNRESET) || took > drainTime/2)
}

// tellsToTryAgain keeps asking while PostgreSQL is gone. The clients may all be
// waiting: what became of an append that was under way is asked for ten seconds.
// Whoever comes now is told at once to try again.
func (s *service) tellsToTryAgain(gone time.Duration) {
	s.t.Helper()
	for start := time.Now(); time.Since(start) < gone; time.Sleep(50 * time.Millisecond) { // the fault itself
		asked := time.Now()
		status, answer, err := s.post("/municipalities", uuid.NewString(), `{"name":"Nekur"}`)
		if err != nil || status != http.StatusServiceUnavailable || time.Since(asked) > 5*time.Second {
			s.t.Errorf("PostgreSQL is gone: %d after %v, %s %v", status, time.Since(asked), answer, err)
		}
	}
}

// Clients register municipalities and repeat, with the same key, what was not
// answered. Meanwhile the server is killed, PostgreSQL is restarted and gone for
// a while, and the server is told to stop. Nobody is told anything but "done" or
// "try again", and in the end everything asked for is there once.
func TestAServerUnderFaults(t *testing.T) {
	s := newService(t)
	const clients = 16
	done, stop := make(map[string]string), make(chan struct{}) // key → municipality
	var mu sync.Mutex
	var all sync.WaitGroup
	var asked, answered atomic.Int64
	for range clients {
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				key := uuid.NewString()
				body := fmt.Sprintf(`{"name":"Novads %s"}`, key)
				asked.Add(1)
				for try := 0; ; try++ {
					sent := time.Now()
					status, answer, err := s.post("/municipalities", key, body)
					if err == nil && status == http.StatusCreated {
						var made struct{ ID string }
						if err := json.Unmarshal(answer, &made); err != nil || made.ID == "" {
							t.Errorf("%s", answer)
						}
						mu.Lock()
						done[key] = made.ID
						mu.Unlock()
						answered.Add(1)
						break
					}
					if err == nil && status != http.StatusServiceUnavailable || try == 2_000 {
						t.Errorf("try %d: %d %s, %v", try, status, answer, err)
						return
					}
					if err != nil {
						s.silent.Add(1)
						if inHand(err, time.Since(sent)) {
							s.cut.Add(1)
						}
					}
					time.Sleep(20 * time.Millisecond) // as a client does
				}
			}
		})
	}
	goesOn := func(after string) {
		t.Helper()
		start, from := time.Now(), answered.Load()
		for answered.Load() < from+clients {
			if time.Since(start) > 20*time.Second || t.Failed() {
				t.Fatalf("%s: no answers any more", after)
			}
			time.Sleep(5 * time.Millisecond) // polling
		}
		t.Logf("%s: it goes on after %v; so far %d answers, %d times 503, %d requests without an answer",
			after, time.Since(start).Round(time.Millisecond), answered.Load(), s.waits.Load(), s.silent.Load())
	}
	goesOn("start")
	length, gone := time.Duration(0), 2*time.Second
	if text := os.Getenv("ZURNALS_SOAK"); text != "" {
		var err error
		if length, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
		gone = 10 * time.Second
	}
	for began := time.Now(); ; {
		_ = s.end(syscall.SIGKILL) // says that it was killed
		s.start()
		goesOn("the server was killed")
		s.stopPostgres()
		s.startPostgres()
		goesOn("PostgreSQL was restarted")
		s.stopPostgres()
		s.tellsToTryAgain(gone)
		s.startPostgres()
		goesOn("PostgreSQL was gone for " + gone.String())
		start, cut := time.Now(), s.cut.Load()
		if err := s.end(syscall.SIGTERM); err != nil {
			t.Errorf("a server that was told to stop: %v", err)
		}
		if n := s.cut.Load() - cut; n > 0 {
			t.Errorf("it left %d requests in hand without an answer", n)
		}
		if took := time.Since(start); took > 10*time.Second { // when supervisors kill
			t.Errorf("it took %v to stop", took)
		}
		s.start()
		goesOn("the server was told to stop under load")
		if time.Since(began) >= length {
			break
		}
	}
	close(stop)
	all.Wait()
	if err := s.end(syscall.SIGTERM); err != nil {
		t.Error(err)
	}

	conn, err := pgx.Connect(t.Context(), s.postgres.DSN(embedpg.App, embedpg.Database))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	rows, err := conn.Query(t.Context(), `SELECT stream FROM es.event WHERE type = 'organisation.municipality_registered'`)
	if err != nil {
		t.Fatal(err)
	}
	streams, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	times := make(map[string]int)
	for _, stream := range streams {
		times[strings.TrimPrefix(stream, "municipality-")]++
	}
	for key, id := range done {
		if times[id] != 1 {
			t.Errorf("%s became %s, which was registered %d times", key, id, times[id])
		}
	}
	const demo = 1
	if len(streams) != len(done)+demo || asked.Load() != int64(len(done)) {
		t.Errorf("%d asked for, %d answered, %d in the log", asked.Load(), len(done), len(streams)-demo)
	}
	var dense bool
	if err := conn.QueryRow(t.Context(), `SELECT count(*) = max(position) AND max(position) = (SELECT position FROM es.head) FROM es.event`).Scan(&dense); err != nil || !dense {
		t.Errorf("the log is dense: %v, %v", dense, err)
	}
}
