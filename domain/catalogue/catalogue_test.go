package catalogue_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"zurnals/domain"
	"zurnals/domain/catalogue"
)

var update = flag.Bool("update", false, "write golden files that do not exist yet, and docs/events.md")

// TestStoredFormsStayReadable reads every form in which an event was ever
// stored. A golden file is named type.vN.json and is never edited: it stands
// for rows that are in somebody's log.
func TestStoredFormsStayReadable(t *testing.T) {
	expected := make(map[string]bool)
	for _, d := range catalogue.All.Definitions() {
		for v := 1; v <= d.Version; v++ {
			name := filepath.Join("testdata", fmt.Sprintf("%s.v%d.json", d.Type, v))
			expected[name] = true
			stored, err := os.ReadFile(name)
			if os.IsNotExist(err) && *update && v == d.Version {
				stored = append(plain(t, sample(t, d)), '\n')
				err = os.WriteFile(name, stored, 0o644)
			}
			if err != nil {
				t.Errorf("%v: run go test ./domain/catalogue -update", err)
				continue
			}
			e, err := catalogue.All.Decode(d.Type, v, stored)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if data := plain(t, e); v == d.Version && string(data) != strings.TrimSpace(string(stored)) {
				t.Errorf("%s: is now stored as\n%s\nold rows are lost: add an upcast", name, data)
			}
		}
	}
	files, err := filepath.Glob("testdata/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if !expected[name] {
			t.Errorf("%s is of an event that is not in the catalogue: it could no longer be read", name)
		}
	}
}

// plain returns what is stored of e, without sealing.
func plain(t *testing.T, e domain.Event) []byte {
	t.Helper()
	_, data, err := catalogue.All.Encode(e, uuid.Nil, func(_ uuid.UUID, _ domain.SubjectID, _, plain string) string { return plain })
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// personal are names of fields that are about people wherever they stand.
var personal = regexp.MustCompile(`"(given_name|family_name|personal_code|email|phone|remark|reason|username|address)":"([^"]*)"`)

// TestPersonalDataIsSealed seals a sample of every event: what is personal is
// no longer there, the event in hand is not touched, and nobody's data is
// sealed for nobody.
func TestPersonalDataIsSealed(t *testing.T) {
	for _, d := range catalogue.All.Definitions() {
		e := sample(t, d)
		before := plain(t, e)
		id := uuid.New()
		sealed := make(map[string]bool)
		subjects := make(map[domain.SubjectID]bool)
		_, data, err := catalogue.All.Encode(e, id, func(event uuid.UUID, subject domain.SubjectID, tag, plain string) string {
			if event != id || uuid.UUID(subject) == uuid.Nil || tag == "" {
				t.Errorf("%s: %q is sealed in event %s for subject %s under tag %q", d.Type, plain, event, uuid.UUID(subject), tag)
			}
			sealed[plain], subjects[subject] = true, true
			return "sealed " + tag
		})
		if err != nil {
			t.Errorf("%s: %v", d.Type, err)
			continue
		}
		if after := plain(t, e); !bytes.Equal(after, before) {
			t.Errorf("%s: sealing has changed the event in hand to\n%s", d.Type, after)
		}
		for text := range sealed {
			if quoted, _ := json.Marshal(text); bytes.Contains(data, quoted) {
				t.Errorf("%s: %s is sealed, but is still there in\n%s", d.Type, text, data)
			}
		}
		for _, found := range personal.FindAllStringSubmatch(string(data), -1) {
			if !strings.HasPrefix(found[2], "sealed ") {
				t.Errorf("%s: %s is personal, but is not in PersonalFields", d.Type, found[1])
			}
		}
		if known := catalogue.All.Subjects(e); len(known) != len(subjects) {
			t.Errorf("%s: holds data of %d people, but is sealed for %d", d.Type, len(known), len(subjects))
		}
	}
}

// sample returns an event with something in every field that is stored.
func sample(t *testing.T, d domain.Definition) domain.Event {
	t.Helper()
	zero, err := catalogue.All.Decode(d.Type, d.Version, []byte("{}"))
	if err != nil {
		t.Fatalf("%s: %v", d.Type, err)
	}
	value := reflect.New(reflect.TypeOf(zero)).Elem()
	fill(t, d.Type, value, "value")
	return value.Interface().(domain.Event)
}

var someTime = time.Date(2025, 9, 1, 5, 0, 0, 0, time.UTC)

func fill(t *testing.T, event string, v reflect.Value, name string) {
	t.Helper()
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(someTime))
		return
	case uuid.UUID:
		v.Set(reflect.ValueOf(uuid.NewSHA1(uuid.NameSpaceOID, []byte(event+"/"+name))))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("a sample of " + name)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(1)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, event, v.Elem(), name)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(t, event, v.Index(i), fmt.Sprintf("%s %d", name, i+1))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			field := v.Type().Field(i)
			tag, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			switch {
			case tag == "-" || !field.IsExported():
			case field.Anonymous && tag == "":
				fill(t, event, v.Field(i), name)
			case tag == "":
				t.Errorf("%s: field %s has no name in JSON", event, field.Name)
			case tag != strings.ToLower(tag):
				t.Errorf("%s: field %s is not in snake case", event, tag)
			default:
				fill(t, event, v.Field(i), strings.TrimPrefix(name+"."+tag, "value."))
			}
		}
	default:
		t.Errorf("%s: %s is of a kind that events do not have: %s", event, name, v.Type())
	}
}
