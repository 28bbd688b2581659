package projections_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"zurnals/domain"
	"zurnals/internal/pgtest"
	"zurnals/projections"
	"zurnals/projections/projectiontest"
)

// Postgres reads what is written as what is meant, in COPY and in an upsert.
func TestPostgresReadsColumnsAsMeant(t *testing.T) {
	riga := time.FixedZone("Riga", 3*60*60)
	rows := map[staffKey]staffRow{
		{domain.AccountID{UUID: uuid.UUID{1}}}: {Name: "Ķirsis, \"Jānis\"\n", Role: "", Day: "1918-11-18", Rank: -32768, Seen: -1,
			Born: time.Date(2024, 2, 29, 23, 59, 0, 0, riga), School: domain.SchoolID{UUID: uuid.UUID{5}}},
		{domain.AccountID{UUID: uuid.UUID{2}}}: {Day: "", Rank: 32767, Seen: 1 << 62, Link: uuid.UUID{0xff}},
	}
	p := staff
	p.Name = "columns"
	p.On = []projections.Handler[staffTables]{projections.On(func(t *staffTables, e left, _ projections.Meta) {
		t.Staff.Put(staffKey{e.Account}, rows[staffKey{e.Account}])
	})}
	want := []string{
		"(01000000-0000-0000-0000-000000000000,\"Ķirsis, \"\"Jānis\"\"\n\",\"\",05000000-0000-0000-0000-000000000000,1918-11-18,-32768,-1,2024-02-29,)",
		`(02000000-0000-0000-0000-000000000000,"","",,,32767,4611686018427387904,,ff000000-0000-0000-0000-000000000000)`,
	}
	pool := pgtest.New(t).App
	log := projectiontest.NewLog(projectiontest.Events(left{domain.AccountID{UUID: uuid.UUID{1}}}, left{domain.AccountID{UUID: uuid.UUID{2}}})...)
	e, err := projections.Open(pool, log, options, p)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, projectiontest.Dump(t, pool, "rm_columns_v3")["staff"]); diff != "" {
		t.Errorf("copied:\n%s", diff)
	}
	projectiontest.Rebuild(t, p, projectiontest.Events(left{domain.AccountID{UUID: uuid.UUID{1}}}, left{domain.AccountID{UUID: uuid.UUID{2}}})...)
}

// Whatever is put into columns comes out of them.
func FuzzColumns(f *testing.F) {
	f.Add("Anna", "2025-09-01", int16(1), int64(2), int64(0), true)
	f.Add("", "", int16(-1), int64(-1), int64(-1e15), false)
	tables, err := staff.Fold()
	if err != nil {
		f.Fatal(err)
	}
	marks, err := marks.Fold()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text, day string, short int16, long, micro int64, yes bool) {
		if _, err := time.Parse(time.DateOnly, day); err != nil {
			day = ""
		}
		k, r := staffKey{domain.AccountID{UUID: uuid.NewSHA1(uuid.Nil, []byte(text))}}, staffRow{Name: text, Role: day, Day: day, Rank: short, Seen: long}
		if k2, r2 := tables.Staff.Kept(k, r); k2 != k || r2 != r {
			t.Errorf("%v %v became %v %v", k, r, k2, r2)
		}
		m := mark{Status: text, Points: int32(long), Removed: yes, TakenAt: time.UnixMicro(micro % (1 << 50)).UTC()}
		if _, m2 := marks.Marks.Kept(markKey{}, m); m2 != m {
			t.Errorf("%v became %v", m, m2)
		}
	})
}
