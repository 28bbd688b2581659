// Package demo fills an empty log with a municipality that is made up (Latvian:
// paraugdati): schools, classes 1.a to 12.c, pupils, class teachers, and a
// school year of lessons with marks.
//
// It goes through the commands that everybody uses, with the rights that
// everybody needs, so what it makes is what people would have made: a class
// teacher follows the link of the invitation, opens the registers and saves the
// sheets. Only the day goes by faster.
package demo

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"zurnals/commands"
	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/identity"
	"zurnals/domain/organisation"
	"zurnals/domain/roster"
)

// A Clock is the one clock. It is turned on from day to day.
type Clock interface {
	Now() time.Time
	Advance(context.Context, time.Duration) error
}

// A Demo is a municipality being filled.
type Demo struct {
	Size
	Commands *commands.Commands
	Clock    Clock
	Password string // of all teachers

	Municipality domain.MunicipalityID
	schools      []*school
	counts       counts
	hashing      chan struct{} // one for each processor: passwords are slow on purpose, and more than a few at once are refused
}

type counts struct{ students, classes, registers, lessons, marks atomic.Int64 }

// Counts are how much there is by now.
type Counts struct{ Schools, Students, Classes, Registers, Lessons, Marks int64 }

// Counts returns how much there is by now. It may be called at any time.
func (d *Demo) Counts() Counts {
	return Counts{int64(d.Schools), d.counts.students.Load(), d.counts.classes.Load(), d.counts.registers.Load(), d.counts.lessons.Load(), d.counts.marks.Load()}
}

// Planned returns how much there will be in the end, the registers aside.
func (d *Demo) Planned() (Counts, error) {
	c := Counts{Schools: int64(d.Schools), Students: int64(d.Students)}
	calendar, err := ReadCalendar()
	if err != nil {
		return c, err
	}
	days := calendar.Days(d.Days)
	for _, s := range d.MakeUp() {
		for _, class := range s.Classes {
			c.Classes++
			c.Registers += int64(len(class.Subjects))
			for n, day := range days {
				if calendar.Has(class.Grade, day) {
					lessons := int64(len(class.Lessons(n)))
					c.Lessons += lessons
					c.Marks += lessons * int64(len(class.Pupils))
				}
			}
		}
	}
	return c, nil
}

// A school and a class are what was made up together with what it became.
type school struct {
	*School
	place   access.Scope
	classes []*class
}

type class struct {
	*Class
	place     access.Scope
	students  []domain.StudentID // in the order of Pupils
	teacher   domain.AccountID
	registers map[string]teaching // by subject
}

// teaching is a register and the role that it is kept in.
type teaching struct {
	register   domain.RegisterID
	instructor domain.AssignmentID
}

// workers is how many people are at work at once: their appends share commits.
const workers = 32

// Found makes the municipality, its schools with their rosters, administrators
// who have not followed their invitation yet, and class teachers with registers.
func (d *Demo) Found(ctx context.Context) error {
	by := access.System("demo")
	var err error
	d.Municipality, err = d.Commands.RegisterMunicipality(ctx, by, commands.RegisterMunicipality{Name: "Iedomu novada pašvaldība"})
	if err != nil {
		return err
	}
	for _, made := range d.MakeUp() {
		s := &school{School: made, place: access.Scope{Municipality: d.Municipality}}
		if s.place.School, err = d.Commands.RegisterSchool(ctx, by, commands.RegisterSchool{Municipality: d.Municipality, Name: s.Name, Source: s.Source}); err != nil {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
		if _, err := d.Commands.InviteUser(ctx, by, commands.InviteUser{
			Place: s.place, GivenName: s.Admin.Given, FamilyName: s.Admin.Family, PersonalCode: s.Admin.Code,
			Email: "administrators@" + s.Source + ".zurnals.example", Roles: []commands.NewRole{{Role: access.SchoolAdmin}},
		}); err != nil {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
		d.schools = append(d.schools, s)
	}
	from, err := d.Commands.Log.Head(ctx)
	if err != nil {
		return err
	}
	if err := d.each(ctx, 4, func(ctx context.Context, s *school) error { return d.load(ctx, s) }); err != nil {
		return err
	}
	if err := d.find(ctx, from); err != nil {
		return err
	}
	d.hashing = make(chan struct{}, runtime.GOMAXPROCS(0))
	return d.eachClass(ctx, workers, d.settle)
}

// load loads the roster of a school.
func (d *Demo) load(ctx context.Context, s *school) error {
	file, err := s.Roster()
	if err != nil {
		return err
	}
	loaded, err := d.Commands.LoadRoster(ctx, access.System("demo"), commands.LoadRoster{School: s.place.School, File: file})
	if err == nil && loaded.Report.Errors > 0 {
		err = fmt.Errorf("%d errors in the roster", loaded.Report.Errors)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", s.Name, err)
	}
	return nil
}

// find asks the log which ids the classes and the pupils got.
func (d *Demo) find(ctx context.Context, after int64) error {
	bySchool := make(map[domain.SchoolID]*school)
	for _, s := range d.schools {
		bySchool[s.place.School] = s
	}
	for stored, err := range d.Commands.Log.ReadAll(ctx, after, 0) {
		if err != nil {
			return err
		}
		if stored.Type != (organisation.ClassCreated{}).EventType() {
			continue
		}
		e, err := d.Commands.Catalogue.Decode(stored.Type, stored.Schema, stored.Data) // nothing in it is sealed
		if err != nil {
			return err
		}
		if e, ok := e.(organisation.ClassCreated); ok {
			bySchool[e.School].found(e)
		}
	}
	for _, s := range d.schools {
		if len(s.classes) != len(s.Classes) {
			return fmt.Errorf("%s: %d classes of %d", s.Name, len(s.classes), len(s.Classes))
		}
		for _, c := range s.classes {
			if err := d.pupils(ctx, c); err != nil {
				return fmt.Errorf("%s, %s: %w", s.Name, c.Name, err)
			}
		}
	}
	return nil
}

// found notes the class that was made of one that was made up.
func (s *school) found(e organisation.ClassCreated) {
	for _, made := range s.Classes {
		if made.Name == e.Name {
			c := &class{Class: made, place: s.place, registers: make(map[string]teaching)}
			c.place.Class = e.Class
			s.classes = append(s.classes, c)
		}
	}
}

// pupils asks who holds the claims to the ids that the roster gives to pupils.
func (d *Demo) pupils(ctx context.Context, c *class) error {
	values := make([]string, len(c.Pupils))
	for i, p := range c.Pupils {
		values[i] = roster.SourceClaim(c.place.School, p.Source).Value
	}
	holders, err := d.Commands.Log.Holders(ctx, roster.ClaimSource, values)
	if err != nil {
		return err
	}
	for _, v := range values {
		id, err := domain.ParseID[domain.StudentID](strings.TrimPrefix(holders[v], roster.Students.Category+"-"))
		if err != nil {
			return fmt.Errorf("a pupil is missing: %w", err)
		}
		c.students = append(c.students, id)
	}
	d.counts.students.Add(int64(len(values)))
	return nil
}

// settle has the class teacher invited, who registers and opens the registers.
func (d *Demo) settle(ctx context.Context, c *class) error {
	admitted, err := d.Commands.InviteUser(ctx, access.System("demo"), commands.InviteUser{
		Place:     access.Scope{Municipality: c.place.Municipality, School: c.place.School},
		GivenName: c.Teacher.Given, FamilyName: c.Teacher.Family, PersonalCode: c.Teacher.Code, Email: c.Email,
		Roles: []commands.NewRole{{Role: access.ClassTeacher, Class: c.place.Class}},
	})
	if err != nil {
		return err
	}
	c.teacher = admitted.Account
	invitation, err := d.invitation(ctx, c.teacher)
	if err != nil {
		return err
	}
	d.hashing <- struct{}{}
	_, err = d.Commands.ConfirmRegistration(ctx, access.Actor{Kind: domain.ActorToken, Request: "demo"}, commands.ConfirmRegistration{
		Token: d.Commands.Links.Registration(c.teacher, invitation), Password: d.Password,
	})
	<-d.hashing
	if err != nil {
		return err
	}
	d.counts.classes.Add(1)
	held, err := d.Commands.Held(ctx, c.teacher)
	if err != nil {
		return err
	}
	if len(held) != 1 {
		return fmt.Errorf("the class teacher holds %d roles", len(held))
	}
	teacher := held[0].ID
	for _, subject := range c.Subjects {
		by, err := d.Commands.Who(ctx, c.teacher, 0, teacher)
		if err != nil {
			return err
		}
		id, err := d.Commands.OpenRegister(ctx, by, commands.OpenRegister{
			School: c.place.School, Class: c.place.Class,
			RegisterDescription: commands.RegisterDescription{Name: c.Name + " " + subject, From: "2025-09-01", Until: "2026-08-31"},
		})
		if err != nil {
			return err
		}
		c.registers[subject] = teaching{register: id}
		d.counts.registers.Add(1)
	}
	if held, err = d.Commands.Held(ctx, c.teacher); err != nil {
		return err
	}
	for subject, t := range c.registers {
		for _, a := range held {
			if a.Scope.Register == t.register {
				t.instructor = a.ID
			}
		}
		c.registers[subject] = t
	}
	return nil
}

var errNotInvited = errors.New("nobody was invited")

// invitation returns the one that was mailed.
func (d *Demo) invitation(ctx context.Context, account domain.AccountID) (domain.InvitationID, error) {
	for stored, err := range d.Commands.Log.ReadStream(ctx, identity.Accounts.Stream(account), 1) {
		if err != nil {
			return domain.InvitationID{}, err
		}
		e, err := d.Commands.Catalogue.Decode(stored.Type, stored.Schema, stored.Data)
		if err != nil {
			return domain.InvitationID{}, err
		}
		if e, ok := e.(identity.UserInvited); ok {
			return e.Invitation, nil
		}
	}
	return domain.InvitationID{}, errNotInvited
}

// Place returns a class to show: the one of that name in the first school, or
// else the first.
func (d *Demo) Place(name string) access.Scope {
	s := d.schools[0]
	for _, c := range s.classes {
		if c.Name == name {
			return c.place
		}
	}
	return s.classes[0].place
}

// each does something in every school, some of them at once.
func (d *Demo) each(ctx context.Context, atOnce int, f func(context.Context, *school) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for _, s := range d.schools {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return f(ctx, s)
		})
	}
	return group.Wait()
}

// eachClass does something in every class, some of them at once.
func (d *Demo) eachClass(ctx context.Context, atOnce int, f func(context.Context, *class) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for _, s := range d.schools {
		for _, c := range s.classes {
			group.Go(func() error {
				if err := ctx.Err(); err != nil {
					return err
				}
				if err := f(ctx, c); err != nil {
					return fmt.Errorf("%s, %s: %w", s.Name, c.Name, err)
				}
				return nil
			})
		}
	}
	return group.Wait()
}
