package tour

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// verification is what an auditor does who trusts nobody in the house: with the
// public key, a checkpoint that was kept, and files.
func (t *tour) verification() string {
	var checkpoint struct {
		Size      int
		Note, Key string
	}
	t.get(t.people.auditor, "/audit/checkpoint", http.StatusOK).into(&checkpoint)
	dir := t.server.dir
	kept, export, inclusion := filepath.Join(dir, "mail.txt"), filepath.Join(dir, "log.zurnals"), filepath.Join(dir, "proof.json")
	t.must(os.WriteFile(kept, []byte("Labdien!\n\n"+checkpoint.Note), 0o600))

	out, err := t.server.tool(t.ctx, "audit", "export", export)
	t.must(err)
	t.check(strings.Contains(out, checkpoint.Key), "the export names another key: %s", out)
	out, err = t.elsewhere("audit", "verify", export, "-key", checkpoint.Key, "-against", kept)
	t.must(err)
	t.check(strings.Contains(out, "They continue the older checkpoints: 1."), "verify says %s", out)
	events, _, _ := strings.Cut(out, " ")
	n, err := strconv.Atoi(events)
	t.check(err == nil && n >= checkpoint.Size, "%s events after %d", events, checkpoint.Size)

	out, err = t.server.tool(t.ctx, "audit", "prove", "17")
	t.must(err)
	t.must(os.WriteFile(inclusion, []byte(out), 0o600))
	out, err = t.elsewhere("audit", "verify", inclusion, "-key", checkpoint.Key)
	t.must(err)
	t.check(strings.HasPrefix(out, "Position 17 of the log"), "verify says %s", out)

	// Somebody changes one letter of one event.
	log, err := os.ReadFile(export)
	t.must(err)
	at := bytes.Index(log, []byte("identity.signed_in"))
	t.check(at > 0, "nobody has signed in")
	log[at]++
	t.must(os.WriteFile(export, log, 0o600))
	out, err = t.elsewhere("audit", "verify", export, "-key", checkpoint.Key)
	t.check(err != nil && strings.HasPrefix(out, "changed at position ") && strings.Contains(out, ", column type: "), "one letter was changed: %v %s", err, out)
	found, _, _ := strings.Cut(out, ":")
	return join(
		fmt.Sprintf("%d events are as they were signed, and continue the checkpoint of %d that was kept; position 17 is proven by itself", n, checkpoint.Size),
		fmt.Sprintf("one letter changed in a copy: “%s”", found),
	)
}

// elsewhere runs the program as on another machine: without data, settings or
// network.
func (t *tour) elsewhere(args ...string) (string, error) {
	cmd := exec.CommandContext(t.ctx, t.server.binary, args...)
	cmd.Dir, cmd.Env = t.server.dir, []string{}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("zurnals %s: %w\n%s", strings.Join(args, " "), err, errs.String())
	}
	return out.String(), nil
}
