package httpapi

import (
	"encoding/csv"
	"fmt"
	"strings"
	"testing"

	"zurnals/domain/access"
)

func TestAnalystsReadCounts(t *testing.T) {
	t.Parallel()
	s := newLessons(t)
	s.hire("analitikis", post{access.Analyst, "municipality"})
	s.hire("citur", post{access.Analyst, "elsewhere_municipality"})
	var all []string
	for i := range 20 {
		all = append(all, fmt.Sprintf(`{"student_id":"{p%d}","status":"%c"}`, i, "PPPPPPPPPPPPPPPLLLLA"[i]))
	}
	const path = "GET /analytics/attendance_week"
	s.tell(
		s.instructs(step{ask: "PUT /attendance-sessions/{lesson}/marks", headers: []string{"If-Match: *"}, status: 204, events: taken, body: `{"marks":[` + strings.Join(all, ",") + `]}`}),
		step{as: "analitikis", ask: path, status: 200, has: []string{`"iso_week":"2025-W36"`, `"marks":20`, `"position":`, `"as_of":"2025-09-01T05:00:00Z"`, `"suppressed":true`},
			hasNot: []string{"student", "{p0}", `"marks":15`, `"marks":4`}},
		step{as: "citur", ask: path, status: 200, has: []string{`"items":[]`}},
		step{as: "atbalsts", ask: path, status: 403, code: "access.forbidden"},
		step{as: "analitikis", ask: path + "?from=2025-13-01", status: 422, code: "http.invalid"},
		step{as: "analitikis", ask: path + "?from=2025-09-08", status: 200, has: []string{`"items":[]`}},
	)
	for _, ask := range []step{{ask: path + "?format=csv"}, {ask: path, headers: []string{"Accept: text/csv"}}} {
		ask.as, ask.status = "analitikis", 200
		a := s.tell(ask)
		lines, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(a.Body.String(), "\ufeff"))).ReadAll()
		if err != nil || len(lines) != 5 || lines[1][7] != "20" || lines[2][7] != "" || a.Header().Get("Zurnals-Position") == "" || a.Header().Get("Zurnals-As-Of") == "" {
			t.Errorf("%v %q %v", err, lines, a.Header())
		}
	}
}
