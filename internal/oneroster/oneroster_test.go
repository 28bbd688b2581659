package oneroster

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"zurnals/domain"
	"zurnals/internal/trace"
)

func TestLatvianSchool(t *testing.T) {
	trace.Covers(t, "R01", "R19")
	for _, day := range []string{"01_initial", "02_normal_day", "03_identical"} {
		s := school(t, folder(t, "roster_lv/"+day), "org-skola")
		var want struct {
			Active int `json:"active_after"`
		}
		expected(t, day, &want)
		if len(s.Students) != want.Active || s.Errors != 0 || s.Warnings != 0 || len(s.Damaged) != 0 {
			t.Errorf("%s: %d students, %v", day, len(s.Students), s.Problems)
		}
		if len(s.Classes) != 6 || len(s.Courses) != 0 || len(s.Years) != 1 || s.Years[0].From != "2025-09-01" || s.Years[0].To != "2026-08-31" {
			t.Errorf("%s: %v %v %v", day, s.Classes, s.Courses, s.Years)
		}
	}
}

func TestNamesAreComparable(t *testing.T) {
	// One name is decomposed and one has spaces around it on the second day.
	first, second := school(t, folder(t, "roster_lv/01_initial"), "org-skola"), school(t, folder(t, "roster_lv/02_normal_day"), "org-skola")
	names := make(map[string]string)
	for _, s := range first.Students {
		names[s.SourceID] = s.GivenName + " " + s.FamilyName
	}
	var changed []string
	for _, s := range second.Students {
		if was, ok := names[s.SourceID]; ok && was != s.GivenName+" "+s.FamilyName {
			changed = append(changed, s.SourceID)
		}
	}
	if len(changed) != 1 || changed[0] != "ek-s-0031" {
		t.Errorf("changed: %v", changed)
	}
}

func TestBadRows(t *testing.T) {
	trace.Covers(t, "R08")
	s := school(t, folder(t, "roster_lv/05_bad_rows"), "org-skola")
	var want struct {
		ErrorRows []struct {
			File  string
			Line  int
			Field string
		} `json:"error_rows"`
	}
	expected(t, "05_bad_rows", &want)
	if s.Errors != len(want.ErrorRows) || len(s.Damaged) != 2 || len(s.Students) != 119 {
		t.Fatalf("%d errors, damaged %v, %d students", s.Errors, s.Damaged, len(s.Students))
	}
	for i, e := range want.ErrorRows {
		if p := s.Problems[i]; p.File != e.File || p.Row != e.Line || p.Field != e.Field {
			t.Errorf("%+v, want %+v", p, e)
		}
	}
}

func TestEdFi(t *testing.T) {
	s := school(t, folder(t, "edfi_1.1"), "255901001")
	if len(s.Students) != 8 || len(s.Courses) != 2 || len(s.Classes) != 0 || s.Errors != 0 || s.OtherRoles != 2+4 {
		t.Errorf("%d students, %d courses, %d of other roles: %v", len(s.Students), len(s.Courses), s.OtherRoles, s.Problems)
	}
	for _, p := range s.Problems {
		if !p.Warning || p.Code != "oneroster.manifest_version" && p.Code != "personal_code.missing" && p.Code != "roster.no_class" {
			t.Errorf("%+v", p)
		}
	}
	if mary := s.Students[0]; mary.GivenName != "Mary" || mary.Grade != "9" || len(mary.Enrolments) != 4 || mary.PersonalCode != "" {
		t.Errorf("%+v", mary)
	}
	if peter := s.Students[2]; peter.GivenName != "Peter Ivan" {
		t.Errorf("%+v", peter)
	}
	refused(t, folder(t, "edfi_1.0"), ErrManifest, "manifest.csv", 0, "")
}

// small is an archive with one pupil; cases change it.
func small() map[string]string {
	return map[string]string{
		"manifest.csv":         "propertyName,value\nmanifest.version,1.0\noneroster.version,1.1\nfile.academicSessions,bulk\nfile.orgs,bulk\nfile.classes,bulk\nfile.courses,absent\nfile.users,bulk\nfile.enrollments,bulk\n",
		"orgs.csv":             "sourcedId,status,dateLastModified,name,type,identifier,parentSourcedId\no1,,,Skola,school,,o2\no2,,,Novads,district,,\no3,,,Cita skola,school,,o2\n",
		"academicSessions.csv": "sourcedId,status,dateLastModified,title,type,startDate,endDate,parentSourcedId,schoolYear\ny,,,2025,schoolYear,2025-09-01,2026-08-31,,2026\nt,,,1,semester,2025-09-01,2025-12-19,y,2026\n",
		"classes.csv":          "sourcedId,status,dateLastModified,title,grades,courseSourcedId,classCode,classType,location,schoolSourcedId,termSourcedIds\nk,,,1.a,01,,,homeroom,,o1,t\nk3,,,1.a,01,,,homeroom,,o3,t\n",
		"users.csv":            "sourcedId,status,dateLastModified,enabledUser,orgSourcedIds,role,username,userIds,givenName,familyName,middleName,identifier,email,sms,phone,agentSourcedIds,grades\nu,,,true,o1,student,u,,Anna,Liepiņa,,,,,,,01\nu3,,,true,o3,student,u,,Zane,Kalna,,,,,,,01\n",
		"enrollments.csv":      "sourcedId,status,dateLastModified,classSourcedId,schoolSourcedId,userSourcedId,role,primary,beginDate,endDate\ne,,,k,o1,u,student,,,\ne3,,,k3,o3,u3,student,,,\n",
	}
}

func TestOtherSchoolsAreIgnored(t *testing.T) {
	trace.Covers(t, "R19")
	s := school(t, pack(t, small()), "o1")
	if len(s.Students) != 1 || len(s.Classes) != 1 || s.OtherSchools != 3 || s.Errors != 0 {
		t.Errorf("%+v", s)
	}
	a, err := Read(pack(t, small()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.School("o2"); !errors.Is(err, ErrNotSchool) {
		t.Error(err)
	}
	for _, id := range []string{"", "o9"} {
		if _, err := a.School(id); !errors.Is(err, ErrForeign) {
			t.Error(err)
		}
	}
}

func TestRefusedArchives(t *testing.T) {
	trace.Covers(t, "R14")
	for name, c := range map[string]struct {
		file, old, new string
		want           *domain.Error
		row            int
		column         string
	}{
		"status in a whole file":    {"users.csv", "u,,,true", "u,active,,true", ErrStatus, 2, "status"},
		"undated change":            {"manifest.csv", "file.users,bulk", "file.users,delta", ErrModified, 2, "status"},
		"named but missing":         {"users.csv", "", "", ErrMissing, 0, ""},
		"manifest of the future":    {"manifest.csv", "manifest.version,1.0", "manifest.version,2.0", ErrVersion, 2, "manifest.version"},
		"OneRoster 1.2":             {"manifest.csv", "oneroster.version,1.1", "oneroster.version,1.2", ErrVersion, 3, "oneroster.version"},
		"no version":                {"manifest.csv", "oneroster.version,1.1\n", "", ErrManifest, 0, "oneroster.version"},
		"twice in the manifest":     {"manifest.csv", "file.orgs", "file.users", ErrManifest, 8, "file.users"},
		"unknown mode":              {"manifest.csv", "file.users,bulk", "file.users,all", ErrManifest, 8, "file.users"},
		"needed but absent":         {"manifest.csv", "file.users,bulk", "file.users,absent", ErrMissing, 0, ""},
		"column missing":            {"users.csv", "familyName", "surname", ErrHeader, 1, "familyName"},
		"column twice":              {"users.csv", "sms", "EMAIL", ErrHeader, 1, "EMAIL"},
		"empty file":                {"orgs.csv", small()["orgs.csv"], "", ErrHeader, 1, "sourcedId"},
		"another encoding":          {"users.csv", "Liepiņa", "Liepi\xf2a", ErrCSV, 2, ""},
		"a stray quotation mark":    {"users.csv", "Anna", `An"na`, ErrCSV, 2, ""},
		"a value without end":       {"users.csv", "Anna", strings.Repeat("a", maxValue+1), ErrTooLarge, 2, "givenName"},
		"manifest is no manifest":   {"manifest.csv", "propertyName", "name", ErrHeader, 1, "propertyName"},
		"too many rows":             {"orgs.csv", "o3,,,Cita skola,school,,o2\n", manyOrgs(), ErrTooLarge, maxRows + 2, ""},
		"a change, dated and whole": {"", "", "", ErrDelta, 0, ""},
	} {
		files := small()
		switch {
		case name == "a change, dated and whole":
			files["manifest.csv"] = strings.ReplaceAll(files["manifest.csv"], "file.users,bulk", "file.users,delta")
			files["users.csv"] = strings.ReplaceAll(files["users.csv"], ",,,true", ",active,2025-09-01T00:00:00Z,true")
			c.file = "users.csv"
		case c.old == "":
			delete(files, c.file)
		default:
			changed := strings.Replace(files[c.file], c.old, c.new, 1)
			if changed == files[c.file] {
				t.Fatalf("%s changes nothing", name)
			}
			files[c.file] = changed
		}
		file := c.file
		switch name {
		case "undated change", "needed but absent":
			file = "users.csv"
		}
		t.Run(name, func(t *testing.T) { refused(t, pack(t, files), c.want, file, c.row, c.column) })
	}
}

func manyOrgs() string {
	var b strings.Builder
	for i := range maxRows {
		b.WriteString("o" + strconv.Itoa(i) + ",,,C,school,,\n")
	}
	return b.String()
}

func TestForgiving(t *testing.T) {
	trace.Covers(t, "R14")
	files := small()
	files["manifest.csv"] = strings.Replace(files["manifest.csv"], "manifest.version,1.0", "manifest.version,1", 1)
	files["users.csv"] = "\uFEFF" + strings.Replace(strings.ReplaceAll(files["users.csv"], "\n", "\r\n"), "givenName", " GIVENNAME", 1)
	files["orgs.csv"] = strings.ReplaceAll(files["orgs.csv"], "parentSourcedId", "parentSourcedId,metadata.city,colour")
	files["orgs.csv"] = strings.ReplaceAll(files["orgs.csv"], "o2\n", "o2,Rīga,red\n")
	files["readme.txt"] = "hello"
	s := school(t, pack(t, files), "o1")
	var codes []string
	for _, p := range s.Problems {
		codes = append(codes, p.Code+" "+p.Field)
	}
	want := "oneroster.fields |oneroster.manifest_version manifest.version|oneroster.column_unknown colour|personal_code.missing identifier"
	if got := strings.Join(codes, "|"); len(s.Students) != 1 || got != want {
		t.Errorf("%d students, %s", len(s.Students), got)
	}
}

// TestRows has one row wrong in each case. It is reported, the other rows are
// taken, and the pupil counts neither as right nor as missing.
func TestRows(t *testing.T) {
	trace.Covers(t, "R15")
	for name, c := range map[string]struct {
		file, old, new string
		row            int
		field, code    string
		damaged        bool // the pupil
		partial        bool // the enrolments
	}{
		"no name":                  {"users.csv", "Anna", " ", 2, "givenName", codeRequired, true, false},
		"a name with a line break": {"users.csv", "Anna", "\"An\nna\"", 2, "givenName", codeValue, true, false},
		"a name turned around":     {"users.csv", "Anna", "An\u202Ena", 2, "givenName", codeValue, true, false},
		"a long name":              {"users.csv", "Anna", strings.Repeat("ā", 101), 2, "givenName", codeValue, true, false},
		"half a personal code":     {"users.csv", "Liepiņa,,,", "Liepiņa,,320000-1,", 2, "identifier", "personal_code.invalid", true, false},
		"unknown school":           {"users.csv", "u,,,true,o1", "u,,,true,o9", 2, "orgSourcedIds", codeReference, true, false},
		"no school":                {"users.csv", "u,,,true,o1", "u,,,true,", 2, "orgSourcedIds", codeRequired, true, false},
		"no role":                  {"users.csv", "student", "", 2, "role", codeRequired, true, false},
		"a value too many":         {"users.csv", "Anna", "Anna,Marija", 2, "", codeFields, true, false},
		"a value too few":          {"users.csv", "Anna,", "", 2, "", codeFields, true, false},
		"the same pupil twice":     {"users.csv", "u3,", "u,", 3, "sourcedId", codeDuplicate, false, false},
		"unknown class":            {"enrollments.csv", "e,,,k,", "e,,,k9,", 2, "classSourcedId", codeReference, false, true},
		"unknown pupil":            {"enrollments.csv", "o1,u,", "o1,u9,", 2, "userSourcedId", codeReference, false, false},
		"not a day":                {"enrollments.csv", "u,student,,,", "u,student,,2025-02-30,", 2, "beginDate", codeValue, false, true},
		"ends before it begins":    {"enrollments.csv", "u,student,,,", "u,student,,2025-09-02,2025-09-01", 2, "endDate", codeValue, false, true},
		"a class of no year":       {"academicSessions.csv", "schoolYear,2025-09-01,", "schoolYear,2025-13-01,", 2, "startDate", codeValue, false, true},
		"a class of unknown kind":  {"classes.csv", "homeroom,,o1", "kitchen,,o1", 2, "classType", codeValue, false, true},
		"a class without title":    {"classes.csv", "1.a", "", 2, "title", codeRequired, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			files := small()
			files[c.file] = strings.Replace(files[c.file], c.old, c.new, 1)
			s := school(t, pack(t, files), "o1")
			if s.Errors == 0 {
				t.Fatal("no error")
			}
			if p := s.Problems[0]; p.File != c.file || p.Row != c.row || p.Field != c.field || p.Code != c.code || p.Warning {
				t.Errorf("%+v", p)
			}
			if c.damaged != (len(s.Damaged) == 1 && s.Damaged[0] == "u") || c.damaged != (len(s.Students) == 0) {
				t.Errorf("damaged %v, students %v", s.Damaged, s.Students)
			}
			if !c.damaged && s.Students[0].Partial != c.partial {
				t.Errorf("%+v", s.Students[0])
			}
		})
	}
}

func TestBombs(t *testing.T) {
	var one bytes.Buffer
	z := zip.NewWriter(&one)
	w, _ := z.Create("users.csv")
	for range 70 {
		w.Write(make([]byte, 1<<20))
	}
	z.Close()
	refused(t, one.Bytes(), ErrTooLarge, "users.csv", 0, "")

	// The same with a heading that says it is small.
	lying := bytes.Clone(one.Bytes())
	size := binary.LittleEndian.AppendUint32(nil, 70<<20)
	lying = bytes.ReplaceAll(lying, size, []byte{100, 0, 0, 0})
	if bytes.Equal(lying, one.Bytes()) {
		t.Fatal("nothing was changed")
	}
	if _, err := Read(lying); !errors.Is(err, ErrArchive) && !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}

	many := small()
	for i := range maxEntries {
		many[strings.Repeat("x", i+1)+".txt"] = ""
	}
	refused(t, pack(t, many), ErrTooLarge, "", 0, "")
	refused(t, make([]byte, MaxArchive+1), ErrTooLarge, "", 0, "")
	refused(t, []byte("PK\x03\x04"), ErrArchive, "", 0, "")
	refused(t, nil, ErrArchive, "", 0, "")
}

func TestEntries(t *testing.T) {
	for _, name := range []string{"../users.csv", "a/users.csv", `a\users.csv`, "/users.csv", "C:users.csv"} {
		files := small()
		files[name] = files["users.csv"]
		if _, err := Read(pack(t, files)); !errors.Is(err, ErrEntry) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var twice bytes.Buffer
	z := zip.NewWriter(&twice)
	for range 2 {
		if _, err := z.Create("users.csv"); err != nil {
			t.Fatal(err)
		}
	}
	z.Close()
	refused(t, twice.Bytes(), ErrEntry, "users.csv", 0, "")
}

// FuzzRead: whatever the bytes, there is no panic, and a refusal is for people.
func FuzzRead(f *testing.F) {
	f.Add(pack(f, small()))
	f.Add(folder(f, "edfi_1.1"))
	f.Add([]byte("PK\x05\x06"))
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := Read(data)
		check(t, a, err)
	})
}

// FuzzFiles lets the contents of the files be anything.
func FuzzFiles(f *testing.F) {
	s := small()
	f.Add(s["manifest.csv"], s["orgs.csv"], s["academicSessions.csv"], s["classes.csv"], s["users.csv"], s["enrollments.csv"])
	f.Fuzz(func(t *testing.T, manifest, orgs, sessions, classes, users, enrolments string) {
		a, err := Read(pack(t, map[string]string{
			"manifest.csv": manifest, "orgs.csv": orgs, "academicSessions.csv": sessions,
			"classes.csv": classes, "users.csv": users, "enrollments.csv": enrolments,
		}))
		check(t, a, err)
	})
}

func check(t *testing.T, a *Archive, err error) {
	t.Helper()
	var refusal *domain.Error
	if err != nil {
		if !errors.As(err, &refusal) {
			t.Errorf("not a refusal: %v", err)
		}
		return
	}
	s, err := a.School("o1")
	if err != nil {
		if !errors.As(err, &refusal) {
			t.Errorf("not a refusal: %v", err)
		}
		return
	}
	groups := make(map[string]bool)
	for _, g := range append(s.Classes, s.Courses...) {
		groups[g.SourceID] = true
	}
	for _, student := range s.Students {
		for _, e := range student.Enrolments {
			if !groups[e.Group] {
				t.Errorf("%v is in no group of the school", e)
			}
		}
	}
}

func folder(t testing.TB, name string) []byte {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", name, "*.csv"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s: %v", name, err)
	}
	files := make(map[string]string)
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Base(path)] = string(content)
	}
	return pack(t, files)
}

func pack(t testing.TB, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, content := range files {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func school(t *testing.T, archive []byte, id string) *School {
	t.Helper()
	a, err := Read(archive)
	if err != nil {
		t.Fatal(err)
	}
	s, err := a.School(id)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func refused(t *testing.T, archive []byte, want *domain.Error, file string, row int, column string) {
	t.Helper()
	_, err := Read(archive)
	var got *domain.Error
	if !errors.Is(err, want) || !errors.As(err, &got) {
		t.Fatalf("got %v, want %v", err, want)
	}
	if file == "" {
		return
	}
	if len(got.Details) != 1 || got.Details[0].File != file || got.Details[0].Row != row || got.Details[0].Column != column {
		t.Errorf("%+v, want %s row %d %s", got.Details, file, row, column)
	}
}

func expected(t *testing.T, day string, into any) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "roster_lv", day, "expected.json"))
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}
