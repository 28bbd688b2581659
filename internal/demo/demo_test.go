package demo

import (
	"bytes"
	"slices"
	"testing"

	"zurnals/domain"
	"zurnals/domain/organisation"
	"zurnals/internal/oneroster"
)

func TestTheSchoolYearHasItsBreaks(t *testing.T) {
	c, err := ReadCalendar()
	if err != nil {
		t.Fatal(err)
	}
	days := c.Days(1000)
	upto := func(grade int) (n int) {
		for _, d := range days {
			if c.Has(grade, d) {
				n++
			}
		}
		return n
	}
	// The calendar itself says 74 in the first semester and 96 in the second;
	// grades 9 and 12 stay for another two and three weeks.
	if got := upto(1); got != 74+96 {
		t.Errorf("%d days", got)
	}
	if nine, twelve := upto(9), upto(12); nine != 74+96+10 || twelve != 74+96+15 {
		t.Errorf("grade 9: %d, grade 12: %d", nine, twelve)
	}
	for day, school := range map[domain.Date]bool{
		"2025-08-29": false, "2025-09-01": true, "2025-09-06": false,
		"2025-10-17": true, "2025-10-20": false, "2025-10-24": false, "2025-10-27": true,
		"2025-11-17": true, "2025-11-18": false, "2025-12-19": true, "2025-12-22": false, "2026-01-02": false, "2026-01-05": true,
		"2026-05-29": true, "2026-06-19": true, "2026-06-22": false,
	} {
		if slices.Contains(days, day) != school {
			t.Errorf("%s: %v", day, !school)
		}
	}
	if got := c.Days(3); !slices.Equal(got, days[:3]) || len(c.Days(0)) != 0 {
		t.Errorf("%v", got)
	}
}

func TestTheSameSeedMakesTheSameMunicipality(t *testing.T) {
	size := Size{Schools: 2, Students: 700, Days: 5, Seed: 7}
	rosters := func(s Size) (all [][]byte) {
		for _, school := range s.MakeUp() {
			file, err := school.Roster()
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, file)
		}
		return all
	}
	first, second := rosters(size), rosters(size)
	if !slices.EqualFunc(first, second, bytes.Equal) {
		t.Error("the same seed makes other people")
	}
	size.Seed++
	if slices.EqualFunc(first, rosters(size), bytes.Equal) {
		t.Error("another seed makes the same people")
	}
	class := size.MakeUp()[0].Classes[3]
	students := make([]domain.StudentID, len(class.Pupils))
	for i := range students {
		students[i] = domain.NewID[domain.StudentID]()
	}
	if !slices.Equal(class.Marks(3, 0, students), class.Marks(3, 0, students)) {
		t.Error("a lesson has other marks each time")
	}
}

func TestWhoIsMadeUpCouldBe(t *testing.T) {
	size := Size{Schools: 23, Students: 23 * 320, Seed: 1}
	codes, names, pupils := make(map[string]bool), make(map[string]bool), 0
	person := func(p Person) {
		if _, err := domain.ParsePersonalCode(p.Code); err != nil || codes[p.Code] {
			t.Fatalf("%s: %v, twice: %v", p.Code, err, codes[p.Code])
		}
		codes[p.Code] = true
	}
	for _, s := range size.MakeUp() {
		if names[s.Name] || s.Classes[0].Name != "1.a" || s.Classes[len(s.Classes)-1].Grade != 12 {
			t.Errorf("%s: there twice, or classes %s to %s", s.Name, s.Classes[0].Name, s.Classes[len(s.Classes)-1].Name)
		}
		names[s.Name] = true
		file, err := s.Roster()
		if err != nil {
			t.Fatal(err)
		}
		archive, err := oneroster.Read(file)
		if err != nil {
			t.Fatal(err)
		}
		read, err := archive.School(s.Source)
		if err != nil || read.Errors+read.Warnings > 0 || len(read.Classes) != len(s.Classes) {
			t.Fatalf("%s: %v %+v", s.Name, err, read.Problems)
		}
		for _, c := range s.Classes {
			if _, grade, err := organisation.ParseClassName(c.Name); err != nil || grade != c.Grade || len(c.Pupils) > classMost {
				t.Errorf("%s: %d pupils, %v", c.Name, len(c.Pupils), err)
			}
			person(c.Teacher)
			for _, p := range c.Pupils {
				person(p.Person)
			}
			pupils += len(c.Pupils)
		}
		person(s.Admin)
	}
	if pupils != size.Students {
		t.Errorf("%d pupils of %d", pupils, size.Students)
	}
}

func TestMostPupilsArePresent(t *testing.T) {
	class := Size{Schools: 1, Students: 312, Seed: 3}.MakeUp()[0].Classes[5]
	students := make([]domain.StudentID, len(class.Pupils))
	for i := range students {
		students[i] = domain.NewID[domain.StudentID]()
	}
	by, all := make(map[string]int), 0
	for n := range 170 {
		lessons := class.Lessons(n)
		if len(lessons) != 6 || lessons[0].From != "08:30" || lessons[2].Until != "10:50" || lessons[3].From != "11:10" {
			t.Fatalf("%+v", lessons)
		}
		for i := range lessons {
			for _, m := range class.Marks(n, i, students) {
				by[m.Status]++
				all++
			}
		}
	}
	for status, between := range map[string][2]float64{"P": {0.90, 0.97}, "E": {0.02, 0.06}, "A": {0.005, 0.03}, "L": {0.001, 0.01}} {
		if share := float64(by[status]) / float64(all); share < between[0] || share > between[1] {
			t.Errorf("%s: %.3f", status, share)
		}
	}
}

func TestASizeHasBounds(t *testing.T) {
	for _, c := range []struct {
		size Size
		ok   bool
	}{
		{Size{Schools: 1, Students: 12}, true},
		{Size{Schools: 1, Students: 11}, false},
		{Size{Schools: 1, Students: 5000}, true},
		{Size{Schools: 1, Students: 5001}, false},
		{Size{Schools: 0, Students: 12}, false},
		{Size{Schools: 500, Students: 500_000}, true},
		{Size{Schools: 501, Students: 500_000}, false},
		{Size{Schools: 500, Students: 500_001}, false},
		{Size{Schools: 1, Students: 12, Days: -1}, false},
	} {
		if err := c.size.Check(); (err == nil) != c.ok {
			t.Errorf("%+v: %v", c.size, err)
		}
	}
}
