// Package embedpg supervises a private PostgreSQL server (Latvian: iegultā
// datubāze) made of binaries that are installed on the machine.
//
// The server listens on a unix socket only and knows no passwords: the
// operating system vouches for the caller (peer authentication), and the
// caller's user may act as the roles of this package. When the caller is root
// the server runs as another user. It ends with its parent, even when that is
// killed; it is started again when it crashes. Its data are kept: nothing here
// ever deletes a data directory. Linux only: other systems have no signal for
// the death of a parent.
package embedpg

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// The roles of the server. Superuser is for the supervisor only.
const (
	Superuser = "zurnals_super"
	Owner     = "zurnals_owner"   // owns the database, runs the migrations
	App       = "zurnals_app"     // the program
	Analyst   = "zurnals_analyst" // reads the analytics views, nothing else
)

// Database is the program's database, made on the first start.
const Database = "zurnals"

// ErrInUse says that another supervisor holds the data directory.
var ErrInUse = errors.New("the data directory is in use by another process")

// Config tells how to run a server. Only DataDir must be given.
type Config struct {
	// DataDir holds the cluster. It is made on the first start and never
	// deleted. The socket, the log and the lock file stand beside it, so its
	// parent should belong to it alone.
	DataDir string
	// BinDir holds initdb and postgres. Empty: see Find.
	BinDir string
	// RunAs is the user of the server when the caller is root. Empty:
	// "postgres", else "nobody".
	RunAs string
	// Fast gives up safety for speed (no fsync): for tests only.
	Fast bool
	// Params are server settings in addition to, or instead of, the defaults.
	Params map[string]string
	// Logger is told when the server crashes and is started again. Nil: silent.
	Logger *slog.Logger
}

// Address is where a server listens.
type Address struct {
	Socket string // the folder of the unix socket
}

// DSN names a database of the server for a role, in libpq's keyword form.
func (a Address) DSN(role, db string) string {
	return fmt.Sprintf("host=%s user=%s dbname=%s sslmode=disable", a.Socket, role, db)
}

// Server is a running server.
type Server struct {
	Address
	// Major is the server's major version, for example 15.
	Major int

	cluster  cluster
	lock     *os.File
	log      *slog.Logger
	stop     chan struct{} // closed by Stop: do not start again
	stopOnce sync.Once
	done     chan struct{} // closed when the server has ended for good

	mu      sync.Mutex
	process *os.Process // the postmaster, nil between two
	err     error       // why it ended for good, nil after Stop
}

// Start starts the server and returns when it takes connections and its roles
// and database exist. A directory held by another supervisor is ErrInUse, one
// made by another major version a *MajorError. A former server that is still
// shutting down is waited for. Ctx limits the start only, not the server.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	c, err := newCluster(cfg)
	if err != nil {
		return nil, err
	}
	if err := c.makeParent(); err != nil {
		return nil, err
	}
	lock, err := waitLock(ctx, c.lockFile())
	if err != nil {
		return nil, err
	}
	s := &Server{
		cluster: c, lock: lock, log: cfg.Logger, Major: c.major,
		stop: make(chan struct{}), done: make(chan struct{}),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return s, nil
}

func (s *Server) start(ctx context.Context) error {
	if err := s.cluster.prepare(ctx); err != nil {
		return err
	}
	s.Address = Address{Socket: s.cluster.socket}
	ready := make(chan error, 1)
	go s.supervise(ready)
	select {
	case err := <-ready:
		if err != nil {
			<-s.done
			return err
		}
	case <-ctx.Done():
		s.halt(syscall.SIGQUIT)
		<-s.done
		return fmt.Errorf("PostgreSQL did not become ready: %w\n%s", ctx.Err(), s.cluster.logTail())
	}
	if err := s.makeRoles(ctx); err != nil {
		return errors.Join(err, s.Stop(context.WithoutCancel(ctx)))
	}
	return nil
}

// Stop shuts the server down: open transactions are rolled back, everything
// committed is kept. When ctx ends first the server is stopped at once and
// recovers on its next start.
func (s *Server) Stop(ctx context.Context) error {
	s.halt(syscall.SIGINT)
	select {
	case <-s.done:
		return s.Err()
	case <-ctx.Done():
	}
	s.halt(syscall.SIGQUIT)
	select {
	case <-s.done:
	case <-time.After(5 * time.Second):
		s.halt(syscall.SIGKILL)
		<-s.done
	}
	return s.Err()
}

// Done is closed when the server has ended for good: after Stop, or when it
// crashed so often that the supervisor gave up. Err then tells why.
func (s *Server) Done() <-chan struct{} { return s.done }

// Err is nil while the server runs and after Stop.
func (s *Server) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// CreateDatabase makes another empty database owned by Owner.
func (s *Server) CreateDatabase(ctx context.Context, name string) error {
	conn, err := pgx.Connect(ctx, s.DSN(Superuser, "postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return createDatabase(ctx, conn, name)
}

func createDatabase(ctx context.Context, super *pgx.Conn, name string) error {
	_, err := super.Exec(ctx, fmt.Sprintf("CREATE DATABASE %s OWNER %s TEMPLATE template0", pgx.Identifier{name}.Sanitize(), Owner))
	return err
}

// makeRoles makes what is missing of the roles and the database. What each role
// may do inside the database is the business of the migrations.
func (s *Server) makeRoles(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, s.DSN(Superuser, "postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for _, role := range []string{Owner, App, Analyst} {
		var exists bool
		if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", role).Scan(&exists); err != nil {
			return err
		}
		if exists {
			continue
		}
		if _, err := conn.Exec(ctx, "CREATE ROLE "+role+" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE"); err != nil {
			return err
		}
	}
	var exists bool
	if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", Database).Scan(&exists); err != nil {
		return err
	}
	if exists {
		return nil
	}
	return createDatabase(ctx, conn, Database)
}

// Running tells where the server of a data directory listens, if another
// process supervises one now.
func Running(dataDir string) (Address, bool) {
	dir, err := filepath.Abs(dataDir)
	if err != nil {
		return Address{}, false
	}
	c := cluster{dir: dir}
	// The lock is only looked at through an existing file: asking leaves no trace.
	if _, err := os.Stat(c.lockFile()); err != nil {
		return Address{}, false
	}
	lock, err := takeLock(c.lockFile())
	if err == nil {
		_ = lock.Close()
		return Address{}, false
	}
	return Address{Socket: socketDir(dir)}, errors.Is(err, ErrInUse)
}

// waitLock is takeLock with a little patience: Running holds the lock for a moment.
func waitLock(ctx context.Context, path string) (*os.File, error) {
	for try := 0; ; try++ {
		lock, err := takeLock(path)
		if try == 10 || !errors.Is(err, ErrInUse) {
			return lock, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// takeLock holds a file lock until the file is closed or the process ends,
// however it ends. The server itself does not inherit it.
func takeLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%s: %w", filepath.Dir(path), ErrInUse)
		}
		return nil, err
	}
	return f, nil
}
