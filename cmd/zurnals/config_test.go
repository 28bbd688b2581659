package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// configured reads settings from an environment and flags.
func configured(env map[string]string, args ...string) (Config, error) {
	var cfg Config
	flags := flag.NewFlagSet("test", flag.ContinueOnError)
	cfg.bind(flags, func(name string) string { return env[name] })
	_, err := parse(&cfg, flags, args)
	return cfg, err
}

func TestAllMistakesInSettingsAreToldAtOnce(t *testing.T) {
	_, err := configured(map[string]string{
		"ZURNALS_ADDR": "8080", "ZURNALS_PUBLIC_URL": "zurnals.lv", "ZURNALS_REPLICA_URL": "postgres://a:geheim@%zz/b",
		"ZURNALS_MIGRATE_URL": "postgres://a:geheim@h:port/b", "ZURNALS_SMTP": "mail:25", "ZURNALS_MAIL_FROM": "nobody",
		"ZURNALS_LOGIN_CODE": "never", "ZURNALS_AUDITORS": "a@b.lv, c", "ZURNALS_AUDITORS_EVERY": "1s",
		"ZURNALS_EKLASE_ISSUER": "http://eklase.lv", "ZURNALS_TRUSTED_PROXIES": "10.0.0.1,proxy.lv,10.0.0.0/99",
		"ZURNALS_NATS": "nats://u:geheim@n1:4222,n2:4222", "ZURNALS_KEYS_URL": "post geheim",
	}, "-private-addr", "x")
	if !errors.Is(err, errUsage) {
		t.Fatal(err)
	}
	told := strings.Split(err.Error(), "\n")
	for _, want := range []string{
		`-addr: "8080" is not host:port`, `-private-addr: "x" is not host:port`, `-public-url: "zurnals.lv" is not a web address`,
		`-replica-url: is not the address of a database`, `-replica-url: needs -database-url`, `-database-url: needs -migrate-url`,
		`-migrate-url: is not the address of a database`, `-smtp: is not smtp://host:port`, `-mail-from: "nobody" is not an address`,
		`-login-code: "never" is neither`, `-auditors: "c" is not an address`, `-auditors-every: "1s" is not a duration`,
		`-eklase-issuer: "http://eklase.lv" is not an https address`, `-eklase-client-id: is missing`, `-eklase-secret-file: is missing`,
		`-trusted-proxies: "proxy.lv" is neither`, `-trusted-proxies: "10.0.0.0/99" is neither`,
		`-nats: is not nats://host:4222`, `-keys: is not the address of a database`,
	} {
		if n := len(told); n > 0 {
			told = slices.DeleteFunc(told, func(line string) bool { return strings.HasPrefix(line, want) })
			if len(told) != n-1 {
				t.Errorf("%q is told %d times:\n%v", want, n-len(told), err)
			}
		}
	}
	if len(told) != 1 { // "usage: settings:"
		t.Errorf("told besides: %q", told)
	}
	if strings.Contains(err.Error(), "geheim") {
		t.Errorf("a password is told: %v", err)
	}
}

func TestSettings(t *testing.T) {
	cfg, err := configured(map[string]string{"ZURNALS_ADDR": "127.0.0.1:1", "ZURNALS_TRUSTED_PROXIES": "10.1.2.3/8, 192.0.2.7,2001:db8::1"}, "-addr", "127.0.0.1:2", "-data-dir", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Addr != "127.0.0.1:2" || cfg.PublicURL != "http://127.0.0.1:2" {
		t.Errorf("the flag does not win: %s, %s", cfg.Addr, cfg.PublicURL)
	}
	if got := fmt.Sprint(cfg.proxies); got != "[10.0.0.0/8 192.0.2.7/32 2001:db8::1/128]" || !cfg.proxies[1].Contains(netip.MustParseAddr("192.0.2.7")) {
		t.Errorf("proxies: %s", got)
	}
	// All are listed, none twice.
	var out bytes.Buffer
	printSettings(&out)
	seen := make(map[string]bool)
	for _, s := range settings {
		for _, name := range []string{s.flag, s.env} {
			if seen[name] || !strings.Contains(out.String(), name) {
				t.Errorf("%s is there twice, or not told", name)
			}
			seen[name] = true
		}
		if !strings.HasPrefix(s.env, "ZURNALS_") || s.doc == "" || (s.text == nil) == (s.yes == nil) {
			t.Errorf("%+v", s)
		}
	}
}
