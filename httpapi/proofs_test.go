package httpapi

import (
	"encoding/json"
	"strconv"
	"testing"

	"zurnals/domain/access"
	"zurnals/internal/proof"
)

func TestAuditorsGetProofsOfTheLog(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.hire("valsts", post{access.Auditor, ""})
	s.hire("revidents", post{access.Auditor, "school"})
	s.hire("dace", post{access.SchoolAdmin, "school"})
	s.hire("galva", post{access.PlatformAdmin, ""})

	// Nothing is sealed yet.
	s.tell(
		step{as: "valsts", ask: "GET /audit/checkpoint", status: 503, code: "proof.not_sealed"},
		step{as: "valsts", ask: "GET /audit/proofs/inclusion?position=1", status: 503, code: "proof.not_sealed"},
		step{as: "valsts", ask: "GET /audit/proofs/consistency?from=1", status: 503, code: "proof.not_sealed"},
	)
	s.seal()
	var first struct {
		Size      int64
		Note, Key string
	}
	a := s.tell(step{as: "revidents", ask: "GET /audit/checkpoint", status: 200})
	s.must(json.Unmarshal(a.Body.Bytes(), &first))
	key, err := proof.ParseKey(first.Key)
	s.must(err)
	held, err := proof.OpenCheckpoint(first.Note, key)
	s.must(err)
	if head, err := s.log.Head(t.Context()); err != nil || held.Size != head || first.Size != head {
		t.Errorf("sealed are %d of %d: %v", held.Size, head, err)
	}

	// Whoever may read the whole log gets any event proven, and that is recorded.
	holds := func(a answer, older ...proof.Checkpoint) {
		t.Helper()
		if _, err := proof.VerifyProof(a.Body.Bytes(), key, older); err != nil {
			t.Errorf("%v: %s", err, a.Body)
		}
	}
	holds(s.tell(step{as: "valsts", ask: "GET /audit/proofs/inclusion?position=7", status: 200, events: wasRead, has: []string{`"position":7`, `"kind":"inclusion"`}}))
	s.tell(
		step{as: "valsts", ask: "GET /audit/proofs/inclusion?position=100000", status: 404, code: "proof.no_event"},
		step{as: "valsts", ask: "GET /audit/proofs/inclusion?position=0", status: 422, code: "http.invalid", fields: []string{"query.position"}},
		step{as: "valsts", ask: "GET /audit/proofs/inclusion?position=seven", status: 422, code: "http.invalid", fields: []string{"query.position"}},
		step{as: "valsts", ask: "GET /audit/proofs/inclusion", status: 422, code: "http.invalid", fields: []string{"query.position"}},
		step{as: "revidents", ask: "GET /audit/proofs/inclusion?position=7", status: 403, code: "access.forbidden"},
	)

	// What has happened since continues what was sealed.
	s.seal()
	holds(s.tell(step{as: "revidents", ask: "GET /audit/proofs/consistency?from=" + strconv.FormatInt(first.Size, 10), status: 200, has: []string{`"kind":"consistency"`}}), held)
	s.tell(
		step{as: "revidents", ask: "GET /audit/checkpoint?size=" + strconv.FormatInt(first.Size, 10), status: 200, has: []string{first.Key}},
		step{as: "revidents", ask: "GET /audit/checkpoint?size=3", status: 404, code: "proof.no_checkpoint"},
		step{as: "revidents", ask: "GET /audit/proofs/consistency?from=3&to=5", status: 404, code: "proof.no_checkpoint"},
		step{as: "revidents", ask: "GET /audit/proofs/consistency?from=100000", status: 422, code: "proof.sizes", fields: []string{"query.from"}},
	)

	// It is for auditors alone.
	for _, who := range []string{"dace", "galva"} {
		for _, path := range []string{"checkpoint", "proofs/inclusion?position=7", "proofs/consistency?from=1"} {
			s.tell(step{as: who, ask: "GET /audit/" + path, status: 403, code: "access.forbidden"})
		}
	}
	s.tell(step{ask: "GET /audit/checkpoint", status: 401, code: "session.sign_in"})
}
