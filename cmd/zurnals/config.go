package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"zurnals/internal/embedpg"
)

// Config is every setting there is. Each is a flag and an environment
// variable; the flag wins. The zero value of a field is not its default:
// settings lists both.
type Config struct {
	// Addr is where the API is served, host:port.
	Addr string
	// PrivateAddr is where health, metrics and profiles are served. It is for
	// the machine and those who watch it, never for the public.
	PrivateAddr string
	// PublicURL is what links in mails and QR codes begin with. Empty: http://Addr.
	PublicURL string
	// DataDir holds the embedded PostgreSQL, its log, run.json and, unless
	// MasterKeyFile says otherwise, the master key.
	DataDir string
	// DatabaseURL is an external PostgreSQL 15 or later, as the role
	// zurnals_app. Empty: the embedded one.
	DatabaseURL string
	// MigrateURL is the same database as the role zurnals_owner, for migrations.
	MigrateURL string
	// ReplicaURL is a streaming standby of that database, as zurnals_app, which
	// answers what is asked of read models. Empty: the database does.
	ReplicaURL string
	// MasterKeyFile holds the master key, which all personal data is sealed
	// under. Empty: DataDir/master.key, made on the first start.
	MasterKeyFile string
	// SMTP is where mail is handed over: smtp://user:password@host:port, or
	// smtps:. Empty with Dev: mails are kept at /dev/mail.
	SMTP string
	// MailFrom is the sender of all mail.
	MailFrom string
	// LoginCode says when a sign-in by password needs a mailed code too:
	// first_only or always (C-04).
	LoginCode string
	// Auditors are the addresses that checkpoints of the log are mailed to, with
	// commas between them, and AuditorsEvery how often at most: what was done to
	// the log before a mail can be proven by it.
	Auditors, AuditorsEvery string
	// Eklase and Eparaksts are services that people may sign in by, beside e-mail.
	Eklase, Eparaksts Service
	// TrustedProxies are the addresses, or networks (10.0.0.0/8), of the proxies in
	// front, with commas: what they say of who asks is believed (X-Forwarded-For).
	TrustedProxies string
	// NATS is the cluster that relay publishes the log to, and project reads from.
	NATS string
	// KeysURL is the database that has the keys, for project: read only.
	KeysURL string
	// Dev serves /dev/mail, /dev/clock and /dev/jobs/run; only on a loopback
	// address.
	Dev bool

	auditorsEvery time.Duration  // read by check
	proxies       []netip.Prefix // read by check
}

// A setting ties one field of Config to its flag and environment variable.
type setting struct {
	flag, env, fallback, doc string
	text                     func(*Config) *string
	yes                      func(*Config) *bool
}

var settings = []setting{
	{flag: "addr", env: "ZURNALS_ADDR", fallback: "127.0.0.1:8080", doc: "where the API is served", text: func(c *Config) *string { return &c.Addr }},
	{flag: "private-addr", env: "ZURNALS_PRIVATE_ADDR", fallback: "127.0.0.1:8081", doc: "where health, metrics and profiles are served", text: func(c *Config) *string { return &c.PrivateAddr }},
	{flag: "public-url", env: "ZURNALS_PUBLIC_URL", doc: "what links in mails and QR codes begin with (default http://<addr>)", text: func(c *Config) *string { return &c.PublicURL }},
	{flag: "data-dir", env: "ZURNALS_DATA_DIR", doc: "embedded PostgreSQL, run.json, master key (default .data here, as root maybe /var/lib/zurnals/…)", text: func(c *Config) *string { return &c.DataDir }},
	{flag: "database-url", env: "ZURNALS_DATABASE_URL", doc: "external PostgreSQL 15 or later, as zurnals_app (default: embedded)", text: func(c *Config) *string { return &c.DatabaseURL }},
	{flag: "migrate-url", env: "ZURNALS_MIGRATE_URL", doc: "the same database as zurnals_owner, for migrations", text: func(c *Config) *string { return &c.MigrateURL }},
	{flag: "replica-url", env: "ZURNALS_REPLICA_URL", doc: "a streaming standby of the external PostgreSQL, as zurnals_app, for queries (default: none)", text: func(c *Config) *string { return &c.ReplicaURL }},
	{flag: "master-key-file", env: "ZURNALS_MASTER_KEY_FILE", doc: "file with the master key (default <data-dir>/master.key)", text: func(c *Config) *string { return &c.MasterKeyFile }},
	{flag: "smtp", env: "ZURNALS_SMTP", doc: "smtp://user:password@host:port or smtps://…", text: func(c *Config) *string { return &c.SMTP }},
	{flag: "mail-from", env: "ZURNALS_MAIL_FROM", fallback: "zurnals@localhost", doc: "sender of all mail", text: func(c *Config) *string { return &c.MailFrom }},
	{flag: "login-code", env: "ZURNALS_LOGIN_CODE", fallback: "first_only", doc: "mailed code at sign-in: first_only or always", text: func(c *Config) *string { return &c.LoginCode }},
	{flag: "auditors", env: "ZURNALS_AUDITORS", doc: "addresses that checkpoints of the log are mailed to, with commas", text: func(c *Config) *string { return &c.Auditors }},
	{flag: "auditors-every", env: "ZURNALS_AUDITORS_EVERY", fallback: "1m", doc: "how often at most a checkpoint is mailed, such as 1h", text: func(c *Config) *string { return &c.AuditorsEvery }},
	{flag: "eklase-issuer", env: "ZURNALS_EKLASE_ISSUER", doc: "E-klase by OpenID Connect: its address (default: none)", text: func(c *Config) *string { return &c.Eklase.Issuer }},
	{flag: "eklase-client-id", env: "ZURNALS_EKLASE_CLIENT_ID", doc: "what E-klase calls us", text: func(c *Config) *string { return &c.Eklase.ClientID }},
	{flag: "eklase-secret-file", env: "ZURNALS_EKLASE_SECRET_FILE", doc: "file with the secret that E-klase knows us by", text: func(c *Config) *string { return &c.Eklase.SecretFile }},
	{flag: "eklase-code-claim", env: "ZURNALS_EKLASE_CODE_CLAIM", doc: "claim in which E-klase tells the personal code", text: func(c *Config) *string { return &c.Eklase.CodeClaim }},
	{flag: "eparaksts-issuer", env: "ZURNALS_EPARAKSTS_ISSUER", doc: "e-paraksts by OpenID Connect: its address (default: none)", text: func(c *Config) *string { return &c.Eparaksts.Issuer }},
	{flag: "eparaksts-client-id", env: "ZURNALS_EPARAKSTS_CLIENT_ID", doc: "what e-paraksts calls us", text: func(c *Config) *string { return &c.Eparaksts.ClientID }},
	{flag: "eparaksts-secret-file", env: "ZURNALS_EPARAKSTS_SECRET_FILE", doc: "file with the secret that e-paraksts knows us by", text: func(c *Config) *string { return &c.Eparaksts.SecretFile }},
	{flag: "eparaksts-code-claim", env: "ZURNALS_EPARAKSTS_CODE_CLAIM", fallback: "serial_number", doc: "claim in which e-paraksts tells the personal code", text: func(c *Config) *string { return &c.Eparaksts.CodeClaim }},
	{flag: "trusted-proxies", env: "ZURNALS_TRUSTED_PROXIES", doc: "addresses or networks of proxies in front, with commas, whose X-Forwarded-For is believed (default: none)", text: func(c *Config) *string { return &c.TrustedProxies }},
	{flag: "nats", env: "ZURNALS_NATS", doc: "nats://host:4222,nats://… of the cluster, for relay and project", text: func(c *Config) *string { return &c.NATS }},
	{flag: "keys", env: "ZURNALS_KEYS_URL", doc: "database that has the keys, read only, for project (default: none, and no read models with personal data)", text: func(c *Config) *string { return &c.KeysURL }},
	{flag: "dev", env: "ZURNALS_DEV", doc: "serve /dev/mail, /dev/clock, /dev/jobs/run (loopback only)", yes: func(c *Config) *bool { return &c.Dev }},
}

// bind adds the settings to a flag set, each with its environment variable as
// the default.
func (c *Config) bind(flags *flag.FlagSet, env func(string) string) {
	for _, s := range settings {
		value := env(s.env)
		if s.yes != nil {
			flags.BoolVar(s.yes(c), s.flag, value == "1" || value == "true", s.doc)
			continue
		}
		if value == "" {
			value = s.fallback
		}
		flags.StringVar(s.text(c), s.flag, value, s.doc)
	}
}

// check completes the settings and tells all mistakes in them at once.
func (c *Config) check() error {
	var wrong []error
	say := func(flag, format string, args ...any) {
		wrong = append(wrong, fmt.Errorf("-%s: "+format, append([]any{flag}, args...)...))
	}
	for name, addr := range map[string]string{"addr": c.Addr, "private-addr": c.PrivateAddr} {
		if _, _, err := net.SplitHostPort(addr); err != nil {
			say(name, "%q is not host:port", addr)
		}
	}
	if c.Dev && !loopback(c.Addr) {
		say("dev", "only on a loopback address, not on %s", c.Addr)
	}
	if c.PublicURL == "" {
		c.PublicURL = "http://" + c.Addr
	}
	if u, err := url.Parse(c.PublicURL); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" {
		say("public-url", "%q is not a web address", c.PublicURL)
	}
	c.PublicURL = strings.TrimSuffix(c.PublicURL, "/")
	if c.DataDir == "" {
		var err error
		if c.DataDir, err = embedpg.DefaultDir(); err != nil {
			say("data-dir", "%v", err)
		}
	} else if dir, err := filepath.Abs(c.DataDir); err != nil {
		say("data-dir", "%v", err)
	} else {
		c.DataDir = dir
	}
	if (c.DatabaseURL == "") != (c.MigrateURL == "") {
		say("database-url", "needs -migrate-url beside it, and the other way round")
	}
	if c.ReplicaURL != "" && c.DatabaseURL == "" {
		say("replica-url", "needs -database-url: the embedded PostgreSQL has no standby")
	}
	for name, dsn := range map[string]string{"database-url": c.DatabaseURL, "migrate-url": c.MigrateURL, "replica-url": c.ReplicaURL, "keys": c.KeysURL} {
		if dsn == "" {
			continue
		}
		if _, err := pgconn.ParseConfig(dsn); err != nil {
			say(name, "is not the address of a database, postgres://user:password@host/name") // the value may hold a password
		}
	}
	if c.MasterKeyFile == "" {
		c.MasterKeyFile = filepath.Join(c.DataDir, "master.key")
	}
	if c.SMTP != "" {
		if u, err := url.Parse(c.SMTP); err != nil || u.Scheme != "smtp" && u.Scheme != "smtps" || u.Hostname() == "" {
			say("smtp", "is not smtp://host:port") // the value may hold a password
		}
	}
	if _, err := mail.ParseAddress(c.MailFrom); err != nil {
		say("mail-from", "%q is not an address", c.MailFrom)
	}
	if c.LoginCode != "first_only" && c.LoginCode != "always" {
		say("login-code", "%q is neither first_only nor always", c.LoginCode)
	}
	for name, service := range c.services() {
		service.check(name, say)
	}
	for _, address := range addresses(c.Auditors) {
		if a, err := mail.ParseAddress(address); err != nil || a.Address != address {
			say("auditors", "%q is not an address", address)
		}
	}
	c.proxies = nil
	for _, text := range addresses(c.TrustedProxies) {
		network, err := netip.ParsePrefix(text)
		if addr, plain := netip.ParseAddr(text); plain == nil {
			network, err = addr.Prefix(addr.BitLen())
		}
		if err != nil {
			say("trusted-proxies", "%q is neither an address nor a network, such as 10.0.0.0/8", text)
			continue
		}
		c.proxies = append(c.proxies, network.Masked())
	}
	for _, node := range addresses(c.NATS) {
		if u, err := url.Parse(node); err != nil || u.Scheme != "nats" && u.Scheme != "tls" || u.Hostname() == "" {
			say("nats", "is not nats://host:4222,nats://…") // the value may hold a password
		}
	}
	var err error
	if c.auditorsEvery, err = time.ParseDuration(c.AuditorsEvery); err != nil || c.auditorsEvery < time.Minute {
		say("auditors-every", "%q is not a duration of a minute or more", c.AuditorsEvery)
	}
	return errors.Join(wrong...)
}

func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// printSettings tells every setting with its default.
func printSettings(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	for _, s := range settings {
		fmt.Fprintf(t, "  -%s\t%s\t%s\t%s\n", s.flag, s.env, s.fallback, s.doc)
	}
	t.Flush()
}

// flags returns the flag set of a subcommand, with all settings and its own.
func (c *Config) flags(name string) *flag.FlagSet {
	flags := flag.NewFlagSet("zurnals "+name, flag.ContinueOnError)
	c.bind(flags, os.Getenv)
	return flags
}
