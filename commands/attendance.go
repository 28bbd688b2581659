package commands

import (
	"context"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/attendance"
	"zurnals/domain/learner"
	"zurnals/domain/roster"
)

// RegisterScope returns the place that an attendance register is.
func (c *Commands) RegisterScope(ctx context.Context, id domain.RegisterID) (access.Scope, error) {
	return c.place(ctx, attendance.Registers.Stream(id), func(e domain.Event) (access.Scope, error) {
		opened, ok := e.(attendance.RegisterOpened)
		if !ok {
			return access.Scope{}, access.ErrElsewhere
		}
		return access.Scope{Municipality: opened.Municipality, School: opened.School, Class: opened.Class, Register: id}, nil
	})
}

// LessonScope returns the place that a lesson is: the register it belongs to.
func (c *Commands) LessonScope(ctx context.Context, id domain.LessonID) (access.Scope, error) {
	return c.place(ctx, attendance.Lessons.Stream(id), func(e domain.Event) (access.Scope, error) {
		scheduled, ok := e.(attendance.LessonScheduled)
		if !ok {
			return access.Scope{}, access.ErrElsewhere
		}
		return c.RegisterScope(ctx, scheduled.Register)
	})
}

// The parts of the commands below that are as the domain has them.
type (
	RegisterDescription = attendance.Description
	GradeType           = attendance.GradeType
	AttendanceStatus    = attendance.Status
	AttendancePoints    = attendance.Points
	AttendanceLimit     = attendance.Limit
	SelfRecording       = attendance.SelfRecording
	MarkEntry           = attendance.MarkEntry
)

type (
	// OpenRegister opens an attendance register for a class.
	OpenRegister struct {
		School domain.SchoolID
		Class  domain.ClassID
		RegisterDescription
	}

	// ChangeRegister changes what is said of a register; nil stays as it is.
	ChangeRegister struct {
		Register     domain.RegisterID
		Version      int // it was read at, 0 for any
		Name         *string
		Description  *string
		GradeType    *string
		GradeMaximum *int
		From, Until  *domain.Date
	}

	// ChangeStatuses makes a new version of a register's status set.
	ChangeStatuses struct {
		Register domain.RegisterID
		Version  int // that it becomes
		Statuses []AttendanceStatus
	}

	// ScheduleLesson plans a lesson of a register.
	ScheduleLesson struct {
		Register      domain.RegisterID
		Audience      string // empty: all
		Date          domain.Date
		From, Until   string // as the clock on the wall shows; Until may be empty
		Description   string
		SelfRecording *SelfRecording
	}

	// TakeMarks saves the sheet of a lesson.
	TakeMarks struct {
		Lesson  domain.LessonID
		Version int // of the lesson that the instructor saw, 0 for any
		Marks   []MarkEntry
	}
)

// OpenRegister opens a register for a class. Who opens it becomes its
// instructor, in the same append.
func (c *Commands) OpenRegister(ctx context.Context, by access.Actor, cmd OpenRegister) (domain.RegisterID, error) {
	scope, err := c.ClassScope(ctx, cmd.Class)
	if err != nil {
		return domain.RegisterID{}, err
	}
	if scope.School != cmd.School {
		return domain.RegisterID{}, access.ErrElsewhere
	}
	id := newID[domain.RegisterID](by, "register")
	return id, c.do(ctx, by, access.At(access.OpenRegister, scope), func(u *unit) error {
		if err := inYear(u); err != nil {
			return err
		}
		_, err := decide(u, attendance.Registers, id, attendance.RegisterCommand(attendance.OpenRegister{
			Register: id, Municipality: scope.Municipality, School: scope.School, Class: scope.Class,
			Description: cmd.RegisterDescription,
		}))
		if err != nil {
			return err
		}
		place := scope
		place.Register = id
		_, err = decide(u, access.Assignments, u.by.Account(), access.AssignmentCommand(access.GiveRole{
			Account: u.by.Account(), Assignment: newID[domain.AssignmentID](by, "instructor"),
			Role: access.Instructor, Scope: place, By: u.by.Account(),
		}))
		return err
	})
}

// ChangeRegister changes what is said of a register.
func (c *Commands) ChangeRegister(ctx context.Context, by access.Actor, cmd ChangeRegister) error {
	scope, err := c.RegisterScope(ctx, cmd.Register)
	if err != nil {
		return err
	}
	return c.do(ctx, by, access.At(access.ManageRegister, scope), func(u *unit) error {
		register, err := peek(u, attendance.Registers, cmd.Register)
		if err != nil {
			return err
		}
		d := register.Described
		set(&d.Name, cmd.Name)
		set(&d.Description, cmd.Description)
		set((*string)(&d.GradeType), cmd.GradeType)
		set(&d.GradeMaximum, cmd.GradeMaximum)
		set(&d.From, cmd.From)
		set(&d.Until, cmd.Until)
		_, err = decide(u, attendance.Registers, cmd.Register, attendance.RegisterCommand(attendance.ChangeRegister{
			Register: cmd.Register, Version: cmd.Version, Description: d,
		}))
		return err
	})
}

// set sets a field, if there is anything to set it to.
func set[V any](field, to *V) {
	if to != nil {
		*field = *to
	}
}

// ChangeStatuses makes a new version of a register's status set. Marks made
// before keep theirs.
func (c *Commands) ChangeStatuses(ctx context.Context, by access.Actor, cmd ChangeStatuses) error {
	scope, err := c.RegisterScope(ctx, cmd.Register)
	if err != nil {
		return err
	}
	return c.do(ctx, by, access.At(access.ManageRegister, scope), func(u *unit) error {
		_, err := decide(u, attendance.Registers, cmd.Register, attendance.RegisterCommand(attendance.ChangeStatuses{
			Register: cmd.Register, Version: cmd.Version, Statuses: cmd.Statuses,
		}))
		return err
	})
}

// ScheduleLesson plans a lesson.
func (c *Commands) ScheduleLesson(ctx context.Context, by access.Actor, cmd ScheduleLesson) (domain.LessonID, error) {
	scope, err := c.RegisterScope(ctx, cmd.Register)
	if err != nil {
		return domain.LessonID{}, err
	}
	id := newID[domain.LessonID](by, "lesson")
	return id, c.do(ctx, by, access.At(access.ManageRegister, scope), func(u *unit) error {
		_, err := decide(u, attendance.Lessons, id, attendance.LessonCommand(attendance.ScheduleLesson{
			Lesson: id, Register: cmd.Register, School: scope.School, Class: scope.Class,
			Audience: attendance.Audience(cmd.Audience), Date: cmd.Date, From: cmd.From, Until: cmd.Until,
			Description: cmd.Description, SelfRecording: cmd.SelfRecording,
		}))
		return err
	})
}

// TakeMarks saves the sheet of a lesson, all of it or nothing. Who belongs to
// the lesson is told by the pupils' own streams, read in one query with those
// of the lesson and the register: read models lag behind, and this must not.
func (c *Commands) TakeMarks(ctx context.Context, by access.Actor, cmd TakeMarks) error {
	scope, err := c.LessonScope(ctx, cmd.Lesson)
	if err != nil {
		return err
	}
	end, err := c.lessons.take(ctx, attendance.Lessons.Stream(cmd.Lesson))
	if err != nil {
		return err
	}
	defer end()
	return c.do(ctx, by, access.At(access.TakeAttendance, scope), func(u *unit) error {
		if len(cmd.Marks) > attendance.MaxMarks {
			return attendance.ErrMarks.In("marks")
		}
		streams := []string{attendance.Lessons.Stream(cmd.Lesson), attendance.Registers.Stream(scope.Register)}
		for _, m := range cmd.Marks {
			streams = append(streams, roster.Students.Stream(m.Student))
		}
		if err := u.read(streams...); err != nil {
			return err
		}
		lesson, err := peek(u, attendance.Lessons, cmd.Lesson)
		if err != nil {
			return err
		}
		// Neither is guarded: a mark that comes just before the pupil leaves the
		// class, or the statuses change, is as good as one that comes just after.
		register, err := peek(u, attendance.Registers, scope.Register)
		if err != nil {
			return err
		}
		var members []domain.StudentID
		for _, m := range cmd.Marks {
			student, err := peek(u, roster.Students, m.Student)
			if err != nil {
				return err
			}
			if student.School == scope.School && student.In(lesson.Class, lesson.Date) {
				members = append(members, m.Student)
			}
		}
		_, err = decide(u, attendance.Lessons, cmd.Lesson, attendance.LessonCommand(attendance.TakeMarks{
			Lesson: cmd.Lesson, Register: scope.Register, Version: cmd.Version,
			Marks: cmd.Marks, Members: members, Statuses: register.Statuses,
		}))
		return err
	})
}

// SelfRecord is a pupil recording that they are in a lesson, by its password or
// by its QR code.
type SelfRecord struct {
	Lesson   domain.LessonID // zero when Code is given, which names it
	Password string
	Code     string
	Status   string // empty: the best there is
	Student  domain.StudentID
	Address  string // network address it comes from
}

// SelfRecord records the attendance of the pupil who asks. A wrong password or
// code is refused and counted; nothing of it comes into the log.
func (c *Commands) SelfRecord(ctx context.Context, by access.Actor, cmd SelfRecord) (domain.LessonID, error) {
	id, method := cmd.Lesson, attendance.Password
	if cmd.Code != "" {
		var ok bool
		if id, ok = lessonOf(cmd.Code); !ok {
			return id, ErrLessonSecret
		}
		method = attendance.QR
	}
	scope, err := c.LessonScope(ctx, id)
	if err != nil {
		return id, err
	}
	if scope.School != by.School {
		return id, access.ErrElsewhere
	}
	end, err := c.lessons.take(ctx, attendance.Lessons.Stream(id))
	if err != nil {
		return id, err
	}
	defer end()
	return id, c.do(ctx, by, access.At(access.SelfRecord, scope), func(u *unit) error {
		account, err := load(u, learner.Accounts, by.Learner())
		if err != nil {
			return err
		}
		if !cmd.Student.IsZero() && cmd.Student != account.Student {
			return ErrNotYou
		}
		err = u.read(attendance.Lessons.Stream(id), attendance.Registers.Stream(scope.Register), roster.Students.Stream(account.Student))
		if err != nil {
			return err
		}
		lesson, err := peek(u, attendance.Lessons, id)
		if err != nil {
			return err
		}
		if err := c.checkSecret(u, lesson, method, cmd); err != nil {
			return err
		}
		register, err := peek(u, attendance.Registers, scope.Register)
		if err != nil {
			return err
		}
		student, err := load(u, roster.Students, account.Student)
		if err != nil {
			return err
		}
		_, err = decide(u, attendance.Lessons, id, attendance.LessonCommand(attendance.SelfRecord{
			Lesson: id, Student: account.Student, Member: student.In(lesson.Class, lesson.Date), Method: method,
			Status: cmd.Status, Statuses: register.Statuses, Address: cmd.Address, At: u.at,
		}))
		return err
	})
}

// ErrNotYou refuses a pupil who records somebody else (A55).
var ErrNotYou = domain.Refuse(domain.Forbidden, "attendance.not_you", "you can record only your own attendance").In("student")
