package demo

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strconv"
	"strings"

	"zurnals/commands"
	"zurnals/domain"
)

// A Size says how much is made up. The same size makes the same people, classes,
// lessons and marks each time; only the ids differ.
type Size struct {
	Schools  int
	Students int // in all schools together
	Days     int // of lessons, from the first of the school year on
	Seed     uint64
}

// Bounds of a demo.
const (
	maxSchools  = 500
	maxStudents = 500_000
	perSchool   = 5_000
	classMost   = 26 // pupils of one class
	grades      = 12
)

// Check says what is wrong with a size.
func (s Size) Check() error {
	switch {
	case s.Schools < 1 || s.Schools > maxSchools:
		return fmt.Errorf("-schools: %d is not from 1 to %d", s.Schools, maxSchools)
	case s.Students < grades*s.Schools || s.Students > min(maxStudents, perSchool*s.Schools):
		return fmt.Errorf("-students: %d is not from %d to %d, for %d schools", s.Students, grades*s.Schools, min(maxStudents, perSchool*s.Schools), s.Schools)
	case s.Days < 0:
		return fmt.Errorf("-days: %d is less than none", s.Days)
	}
	return nil
}

// A School that is made up.
type School struct {
	Name, Source string
	Admin        Person
	Classes      []*Class
}

// A Class that is made up.
type Class struct {
	Name     string // 6.a
	Grade    int
	Teacher  Person
	Email    string // of the teacher
	Subjects []string
	Pupils   []Pupil

	seed string
}

// A Pupil that is made up.
type Pupil struct {
	Person
	Source string // id in the roster
}

// MakeUp makes the schools up.
func (s Size) MakeUp() []*School {
	p := &people{rand.New(rand.NewPCG(s.Seed, 1)), make(map[string]bool)}
	all := make([]*School, s.Schools)
	for n := range all {
		school := &School{Name: places[n%len(places)] + " vidusskola", Source: fmt.Sprintf("skola-%03d", n+1), Admin: p.next()}
		if round := n / len(places); round > 0 {
			school.Name = fmt.Sprintf("%s %d. vidusskola", places[n%len(places)], round+1)
		}
		here := part(s.Students, s.Schools, n)
		for grade := 1; grade <= grades; grade++ {
			inGrade := part(here, grades, grade-1)
			parallel := (inGrade + classMost - 1) / classMost
			for k := range parallel {
				school.Classes = append(school.Classes, s.class(p, school, grade, k, part(inGrade, parallel, k)))
			}
		}
		all[n] = school
	}
	return all
}

// part returns how many of all fall to one of several.
func part(all, among, i int) int {
	n := all / among
	if i < all%among {
		n++
	}
	return n
}

func (s Size) class(p *people, school *School, grade, k, pupils int) *Class {
	c := &Class{Name: fmt.Sprintf("%d.%c", grade, 'a'+k), Grade: grade, Teacher: p.next(), Subjects: subjects(grade)}
	c.seed = fmt.Sprintf("%d/%s/%s", s.Seed, school.Source, c.Name)
	c.Email = fmt.Sprintf("%s.%s.%s@%s.zurnals.example", plain(c.Teacher.Given), plain(c.Teacher.Family), strings.ReplaceAll(c.Name, ".", ""), school.Source)
	for n := range pupils {
		c.Pupils = append(c.Pupils, Pupil{p.next(), fmt.Sprintf("%s-%s-%02d", school.Source, c.Name, n+1)})
	}
	return c
}

// subjects returns what a grade learns.
func subjects(grade int) []string {
	all := []string{"Latviešu valoda", "Matemātika", "Sports", "Angļu valoda", "Dabaszinības", "Mūzika", "Vizuālā māksla", "Dizains un tehnoloģijas"}
	switch {
	case grade >= 10:
		return append(all[:4:4], "Fizika", "Ķīmija", "Bioloģija", "Vēsture", "Ģeogrāfija", "Programmēšana")
	case grade >= 7:
		return append(all[:4:4], "Fizika", "Ķīmija", "Bioloģija", "Vēsture", "Ģeogrāfija", "Mūzika")
	case grade >= 4:
		return append(all, "Vēsture", "Datorika")
	}
	return all
}

// A Lesson is one of a day.
type Lesson struct {
	Subject     string
	From, Until string // 08:30
}

// perDay is how many lessons a grade has a day.
var perDay = [grades + 1]int{0, 4, 5, 5, 5, 6, 6, 6, 7, 7, 7, 7, 8}

// Lessons returns those of a day, which is the n-th of the school year: forty
// minutes each, with ten between them and twenty after the third.
func (c *Class) Lessons(n int) []Lesson {
	all := make([]Lesson, perDay[c.Grade])
	at := 8*60 + 30
	for i := range all {
		all[i] = Lesson{c.Subjects[(n*len(all)+i)%len(c.Subjects)], clock(at), clock(at + 40)}
		if at += 50; i == 2 {
			at += 10
		}
	}
	return all
}

func clock(minutes int) string { return fmt.Sprintf("%02d:%02d", minutes/60, minutes%60) }

// Marks returns the marks of a lesson: most pupils are present. Who is ill is
// so for some days, and then excused or not; who is late is so in the first
// lesson. Students are in the order of Pupils.
func (c *Class) Marks(n, lesson int, students []domain.StudentID) []commands.MarkEntry {
	marks := make([]commands.MarkEntry, len(students))
	for i, id := range students {
		marks[i] = commands.MarkEntry{Student: id, Status: "P"}
		day, week := c.chance("day", i, n), c.chance("ill", i, n/3)
		switch {
		case week < 0.04:
			if marks[i].Status = "E"; lesson == 0 && day < 0.3 {
				marks[i].Remark = "Ārsta zīme"
			}
		case day < 0.015:
			marks[i].Status = "A"
		case day > 0.975 && lesson == 0:
			marks[i].Status = "L"
		}
	}
	return marks
}

// chance returns a number from 0 to 1 that follows from what it is for.
func (c *Class) chance(what string, pupil, n int) float64 {
	h := fnv.New64a()
	for _, s := range []string{c.seed, what, strconv.Itoa(pupil), strconv.Itoa(n)} {
		_, _ = h.Write([]byte(s + "\x00")) // never fails
	}
	return rand.New(rand.NewPCG(h.Sum64(), 0)).Float64()
}
