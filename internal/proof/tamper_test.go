package proof

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"zurnals/internal/pgtest"
)

// What only the owner of the database can do to it, in each column: the least
// that can be changed is told with its position and its column.
func TestTamperingIsRefusedByTheServerAndNamedByTheExport(t *testing.T) {
	flip := func(text string) string { // the last bit of the first byte
		return "convert_from(set_byte(convert_to(" + text + ", 'UTF8'), 0, get_byte(convert_to(" + text + ", 'UTF8'), 0) # 1), 'UTF8')"
	}
	changes := map[string]string{
		"position": "position # 4096", "stream": flip("stream"), "version": "version # 64",
		"id":   "overlay(id::text placing (CASE WHEN id::text LIKE '0%' THEN '1' ELSE '0' END) from 1 for 1)::uuid",
		"type": flip("type"), "schema": "schema # 2", "recorded_at": "recorded_at + interval '1 microsecond'",
		"meta": "set_byte(meta, 0, get_byte(meta, 0) # 1)", "data": "set_byte(data, length(data) - 1, get_byte(data, length(data) - 1) # 1)",
	}
	if len(changes) != len(columns) {
		t.Fatalf("%d columns of %d", len(changes), len(columns))
	}
	for column, to := range changes {
		t.Run(column, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, pgtest.New(t))
			w.append(50)
			before := w.seal()
			w.append(10)
			w.tamper(`UPDATE es.event SET ` + column + ` = ` + to + ` WHERE position = 17`)
			if column == "position" {
				w.refusesToSeal("position 17 is missing")
				begins(t, w.verify(before), "moved at position 17, column position: the event here (test.happened, student-")
			} else {
				w.refusesToSeal("position 17 was changed, column " + column)
				begins(t, w.verify(before), "changed at position 17, column "+column+": the event here (")
			}
			if _, err := w.sealer.Include(t.Context(), 17); !errors.Is(err, ErrRewritten) {
				t.Errorf("a proof of what was changed: %v", err)
			}
			if _, err := w.sealer.Include(t.Context(), 18); err != nil {
				t.Errorf("a proof of what was not: %v", err)
			}
			if c, err := w.sealer.Checkpoint(t.Context(), 0); err != nil || c != before {
				t.Errorf("it was signed all the same: %v", err)
			}
		})
	}
}

func TestOtherTampering(t *testing.T) {
	renumber := func(of string, to string) string {
		return `UPDATE es.event SET position = ` + to + ` WHERE position ` + of
	}
	for name, c := range map[string]struct {
		sql    []string
		server string
		export []string
	}{
		"order": {[]string{renumber(`= 17`, `9999`), renumber(`= 18`, `17`), renumber(`= 9999`, `18`)}, "position 17 was changed",
			[]string{"moved at position 17: the event here was sealed at position 18", "moved at position 18: the event here was sealed at position 17"}},
		"no time":     {[]string{`UPDATE es.event SET recorded_at = 'infinity' WHERE position = 17`}, "position 17 was changed", []string{"changed at position 17, column recorded_at: "}},
		"two columns": {[]string{`UPDATE es.event SET type = 'test.other', schema = 3 WHERE position = 17`}, "position 17 was changed, columns type and schema", []string{"changed at position 17, columns type and schema: "}},
		"deleted":     {[]string{`DELETE FROM es.event WHERE position = 17`}, "position 17 is missing", []string{"deleted at position 17: "}},
		"deleted, and the gap closed": {[]string{`DELETE FROM es.event WHERE position = 17`,
			renumber(`> 17`, `position + 9999`), renumber(`> 9999`, `position - 10000`)}, "position 17 was changed",
			[]string{"deleted at position 17: ", "moved at positions 17 to 49: the events here were sealed at positions 18 to 50", "inserted at position 50: "}},
		"cut off": {[]string{`DELETE FROM es.event WHERE position > 48`, `DELETE FROM es.mark`, `INSERT INTO es.mark VALUES (48, now())`},
			"it ends at 48, 50 were sealed", []string{"deleted at position 49: ", "deleted at position 50: "}},
		"the tree": {[]string{`UPDATE proof.hash SET hashes = set_byte(hashes, 0, 255 - get_byte(hashes, 0)) WHERE first = 0`}, "the hashes that are kept of positions 1 to 50 were changed",
			[]string{}}, // the export needs none of them
		"a summary": {[]string{`UPDATE proof.summary SET summaries = set_byte(summaries, 0, 255 - get_byte(summaries, 0)) WHERE first = 1`}, "the hashes that are kept of positions 1 to 50 were changed",
			[]string{"unsealed: the events are as they were signed, but hashes in the export are not"}},
		"the part of a summary that tells of columns": {[]string{`UPDATE proof.summary SET summaries = set_byte(summaries, 67, 255 - get_byte(summaries, 67)) WHERE first = 1`},
			"the hashes that are kept of positions 1 to 50 were changed", []string{"unsealed: the events are as they were signed, but hashes in the export are not"}},
		"the summaries deleted":                              {[]string{`DELETE FROM proof.summary`}, "what was sealed of position 1 is missing", nil},
		"the tree deleted":                                   {[]string{`DELETE FROM proof.hash`}, "50 were sealed", nil},
		"the newest hashes deleted":                          {[]string{`DELETE FROM proof.hash WHERE first > 0`}, "", nil},
		"an older checkpoint put in the place of the newest": {[]string{`UPDATE proof.checkpoint SET note = replace(note, '50', '49')`}, "is not signed with this key", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, pgtest.New(t))
			w.append(50)
			before := w.seal()
			if strings.HasPrefix(name, "deleted, ") {
				w.append(1) // what moves into the place of the last one
			}
			for _, sql := range c.sql {
				w.tamper(sql)
			}
			w.refusesToSeal(c.server)
			if c.export != nil {
				begins(t, w.verify(before), c.export...)
			}
		})
	}
}

// Somebody who holds everything, the key too, rewrites history and has all of
// it sealed anew. The file beside the server, and the auditors' copies, tell.
func TestHistoryRewrittenAndSealedAgain(t *testing.T) {
	w := newWorld(t, pgtest.New(t))
	var kept []Checkpoint
	for range 5 {
		w.append(10)
		kept = append(kept, w.seal())
	}
	w.tamper(`UPDATE es.event SET type = 'test.other' WHERE position = 17`)
	w.tamper(`TRUNCATE proof.hash, proof.summary, proof.checkpoint`)
	w.refusesToSeal("up to 50 it is not the one of the checkpoint in " + w.file)
	w.must(os.Remove(w.file))
	w.seal()
	begins(t, w.verify())
	begins(t, w.verify(kept...), "rewritten at positions 11 to 20: ")
	proof, err := w.sealer.Continue(t.Context(), 40, 0)
	w.must(err)
	if _, err := VerifyProof(text(t, proof), w.sealer.Key(), kept); err == nil || !strings.Contains(err.Error(), "history was rewritten") {
		t.Errorf("it is said to continue the old one: %v", err)
	}
	// Its end was cut off.
	w.tamper(`TRUNCATE proof.hash, proof.summary, proof.checkpoint`)
	w.tamper(`DELETE FROM es.event WHERE position > 40`)
	w.tamper(`DELETE FROM es.mark`)
	w.tamper(`INSERT INTO es.mark VALUES (40, now())`)
	w.refusesToSeal("it ends at 40, " + w.file + " has a checkpoint of 50")
}

// The older events are gone through in turn, not only the last page.
func TestTheServerComesToOldEventsInTurn(t *testing.T) {
	w := newWorld(t, pgtest.New(t))
	w.append(patrolled + again + 5)
	w.seal()
	w.tamper(`UPDATE es.event SET type = 'test.other' WHERE position = $1`, patrolled+1)
	w.seal() // the first part, and the last page
	w.refusesToSeal(fmt.Sprintf("position %d was changed", patrolled+1))
}
