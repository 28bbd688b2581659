package main

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Services are set up whole or not at all, and every mistake is told.
func TestSettingsOfServices(t *testing.T) {
	secret, empty := filepath.Join(t.TempDir(), "secret"), filepath.Join(t.TempDir(), "empty")
	for name, data := range map[string]string{secret: "a secret\n", empty: "\n"} {
		if err := os.WriteFile(name, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for args, wrong := range map[string]string{
		"": "",
		"-eklase-issuer=https://id.example -eklase-client-id=zurnals -eklase-secret-file=" + secret:    "",
		"-eklase-issuer=http://localhost:4000 -eklase-client-id=zurnals -eklase-secret-file=" + secret: "",
		"-eklase-issuer=http://id.example -eklase-client-id=zurnals -eklase-secret-file=" + secret:     "-eklase-issuer",
		"-eklase-issuer=https://id.example": "-eklase-client-id -eklase-secret-file",
		"-eklase-issuer=https://id.example -eklase-client-id=zurnals -eklase-secret-file=" + empty: "-eklase-secret-file",
		"-eparaksts-client-id=zurnals": "-eparaksts-issuer",
		"-eparaksts-issuer=https://id.example -eparaksts-client-id=zurnals -eparaksts-code-claim= -eparaksts-secret-file=" + secret:      "-eparaksts-code-claim",
		"-eparaksts-issuer=https://id.example -eparaksts-client-id=zurnals -eparaksts-secret-file=" + secret:                             "",
		"-eparaksts-issuer=https://id.example -eparaksts-client-id=zurnals -eparaksts-secret-file=" + filepath.Join(secret, "not there"): "-eparaksts-secret-file",
	} {
		var cfg Config
		flags := flag.NewFlagSet("test", flag.ContinueOnError)
		cfg.bind(flags, func(string) string { return "" })
		if err := flags.Parse(append(strings.Fields(args), "-data-dir="+t.TempDir())); err != nil {
			t.Fatal(err)
		}
		err := cfg.check()
		if (err == nil) != (wrong == "") {
			t.Errorf("%s: %v", args, err)
		}
		for flag := range strings.FieldsSeq(wrong) {
			if !strings.Contains(err.Error(), flag+":") {
				t.Errorf("%s: %v, want %s", args, err, flag)
			}
		}
	}
}
