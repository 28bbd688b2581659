package commands

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/attendance"
	"zurnals/domain/catalogue"
	"zurnals/domain/exams"
	"zurnals/domain/identity"
	"zurnals/domain/roster"
	"zurnals/eventstore"
)

func TestMasks(t *testing.T) {
	for _, c := range [][3]string{
		{"given_name", "Ādams", "Ā."},
		{"family_name", "Bērziņa", "B."},
		{"email", "laura@skola.lv", "l***@skola.lv"},
		{"email", "@skola.lv", "***"},
		{"email", "laura", "***"},
		{"personal_code", "24046712345", "240467-*****"},
		{"personal_code", "?", "******-*****"},
		{"remark", "slims", "***"},
		{"remark", "", ""},
		{"username", "anna.b", "***"},
		{"made_up", "whatever", "***"},
	} {
		if got := mask(c[0], c[1]); got != c[2] {
			t.Errorf("%s %s is told as %s, want %s", c[0], c[1], got, c[2])
		}
	}
}

// Who sees remarks in a lesson sees them in its history too.
func TestPersonalDataIsShownToWhoSeesItAnyway(t *testing.T) {
	place := access.Scope{Municipality: domain.NewID[domain.MunicipalityID](), School: domain.NewID[domain.SchoolID](),
		Class: domain.NewID[domain.ClassID](), Register: domain.NewID[domain.RegisterID]()}
	class := place
	class.Register = domain.RegisterID{}
	for _, c := range []struct {
		role  access.Role
		at    access.Scope
		sees  bool
		staff bool
	}{
		{access.Instructor, place, true, false},
		{access.ClassTeacher, class, true, false},
		{access.SupportStaff, place.Workplace(), true, false},
		{access.SchoolAdmin, place.Workplace(), false, true},
		{access.Auditor, place.Workplace(), false, false},
		{access.Auditor, access.Scope{}, false, false},
	} {
		teller := &teller{by: access.Actor{Kind: domain.ActorAccount, Active: access.Assignment{Role: c.role, Scope: c.at}}}
		if teller.sees(attendance.MarksTaken{}, place) != c.sees {
			t.Errorf("%s and remarks", c.role)
		}
		if teller.sees(identity.UserInvited{}, place.Workplace()) != c.staff {
			t.Errorf("%s and staff", c.role)
		}
		if teller.sees(roster.GradesSynced{}, class) != (c.role == access.ClassTeacher || c.role == access.SupportStaff) {
			t.Errorf("%s and grades", c.role)
		}
		if teller.sees(exams.ResultRecorded{}, class) != (c.role == access.SupportStaff) {
			t.Errorf("%s and results of exams", c.role)
		}
	}
}

// An event names what it does not change, and leaves out what is gone.
func TestWhatIsGoneIsTold(t *testing.T) {
	register := domain.NewID[domain.RegisterID]()
	teller := &teller{}
	tell := func(e domain.Event) string {
		t.Helper()
		data, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		fields, err := flatten(data)
		if err != nil {
			t.Fatal(err)
		}
		for i := range fields {
			fields[i].shown = fields[i].plain
		}
		return fmt.Sprint(teller.changes("attendance_register-"+register.String(), e, fields))
	}
	tell(attendance.RegisterOpened{Register: register, Description: attendance.Description{Name: "Matemātika", From: "2025-09-01"},
		Statuses: []attendance.Status{{Acronym: "P"}, {Acronym: "A"}}})
	got := tell(attendance.RegisterChanged{Register: register, Description: attendance.Description{Name: "Ķīmija"}})
	if want := "[{name Matemātika Ķīmija} {from 2025-09-01 }]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := tell(attendance.StatusSetChanged{Register: register, Version: 2, Statuses: []attendance.Status{{Acronym: "L"}}}); got !=
		"[{version  2} {statuses[0].acronym P L} {statuses[1].acronym A } {statuses[1].points 0 } {statuses[1].self 0 }]" {
		t.Errorf("%s", got)
	}
}

// Every event there is can be told, and none of its personal data is, but for
// the reason that somebody gave.
func TestEveryEventCanBeTold(t *testing.T) {
	keys := eventstore.NewMemoryKeys()
	log := eventstore.NewMemory(func() time.Time { return time.Time{} }, keys)
	c := &Commands{Log: log, Keys: keys, Catalogue: catalogue.All}
	by := access.Actor{Kind: domain.ActorAccount, Active: access.Assignment{Role: access.Auditor}}
	for _, d := range catalogue.All.Definitions() {
		data, err := os.ReadFile(fmt.Sprintf("../domain/catalogue/testdata/%s.v%d.json", d.Type, d.Version))
		if err != nil {
			t.Fatal(err)
		}
		e, err := catalogue.All.Decode(d.Type, d.Version, data)
		if err != nil {
			t.Fatal(err)
		}
		var personal []string
		_, _, err = catalogue.All.Encode(e, uuid.Nil, func(_ uuid.UUID, _ domain.SubjectID, tag, plain string) string {
			if tag != "reason" {
				personal = append(personal, plain)
			}
			return plain
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, alone := range []bool{false, true} {
			teller := &teller{c: c, ctx: t.Context(), by: by, alone: alone}
			stored := eventstore.Event{Position: 1, Stream: "any-" + uuid.NewString(), Version: 1, Type: d.Type, Meta: []byte(`{"actor":"system"}`)}
			entry, _, err := teller.entry(stored, e)
			if err != nil {
				t.Errorf("%s: %v", d.Type, err)
			}
			for _, p := range personal {
				if strings.Contains(fmt.Sprint(entry), p) {
					t.Errorf("%s tells %q", d.Type, p)
				}
			}
		}
	}
}

func FuzzFlatten(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":{"b":[1,"x",null,true]},"c":1.50}`, `[[[]]]`, `"x"`, `{"a":`, ``, `{"a":{}}`, `[1,{"a":[]}]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		fields, err := flatten(data)
		if err == nil && json.Valid(data) && len(fields) > len(data) {
			t.Errorf("%d fields in %q", len(fields), data)
		}
	})
}
