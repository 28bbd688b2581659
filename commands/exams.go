package commands

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/attendance"
	"zurnals/domain/exams"
	"zurnals/domain/roster"
)

// ExamColumns are the headings of a file with results of exams, in the order of
// the fields of an ExamRow.
var ExamColumns = []string{"Personas kods *", "Eksāmens *", "Datums *", "Rezultāts, % *"}

// ExamRowsMax is how many results one file may have: one append takes them all.
const ExamRowsMax = 900

type (
	// RecordExamResults records the results that a file has of pupils of a school.
	RecordExamResults struct {
		School      domain.SchoolID
		Rows        []ExamRow
		DryRun      bool // only tell what would happen
		AcceptValid bool // take the good rows of a file that has bad ones too
	}

	// An ExamRow is one row of the file, as it was read.
	ExamRow struct {
		Row                               int // of the file
		PersonalCode, Exam, Date, Percent string
		Wrong                             []domain.Detail // cells that could not be read, by column
	}

	// ExamResults are what came of RecordExamResults.
	ExamResults struct {
		Rows, Recorded, Known, Refused int
		Problems                       []RowProblem
	}
)

// Refusals of a file with results, and of rows of it.
var (
	ErrExamRows     = domain.Refuse(domain.Invalid, "exams.rows", "rows of the file are wrong, so nothing was done")
	ErrNoExamRows   = domain.Refuse(domain.Invalid, "exams.nothing", "no row of the file has a valid result")
	errExamTwice    = domain.Refuse(domain.Conflict, "exams.twice", "an earlier row has this result")
	errManyStudents = domain.Refuse(domain.Conflict, "exams.many_students", "several students of the school have this personal code")
)

// RecordExamResults records results. A file in which anything is wrong is refused
// as a whole, with every mistake by row and column, unless AcceptValid asks for
// the good rows. A result that is known already is nothing new; another
// percentage of the same pupil, exam and day corrects it.
func (c *Commands) RecordExamResults(ctx context.Context, by access.Actor, cmd RecordExamResults) (ExamResults, error) {
	place, err := c.SchoolScope(ctx, cmd.School)
	if err != nil {
		return ExamResults{}, err
	}
	need := access.At(access.RecordExamResults, place)
	if err := by.Allow(need); err != nil {
		return ExamResults{}, err
	}
	pupils, err := c.pupilsByCode(&unit{c: c, ctx: ctx, by: by, at: c.Now()}, cmd.School)
	if err != nil {
		return ExamResults{}, err
	}
	rows := checkedExamRows(cmd.Rows, pupils, attendance.Day(c.Now()))
	done := ExamResults{Rows: len(rows)}
	for _, row := range rows {
		if done.Problems = append(done.Problems, row.problems...); len(row.problems) > 0 {
			done.Refused++
		}
	}
	switch {
	case cmd.DryRun, done.Refused == 0, cmd.AcceptValid && done.Refused < done.Rows:
	case cmd.AcceptValid:
		return ExamResults{}, ErrNoExamRows.With(mistakes(done.Problems)...)
	default:
		return ExamResults{}, ErrExamRows.With(mistakes(done.Problems)...)
	}
	rows = slices.DeleteFunc(rows, func(r examRow) bool { return len(r.problems) > 0 })
	record := func(u *unit) error {
		done.Recorded, done.Known = 0, 0
		ids := make([]domain.ExamResultID, len(rows))
		for i, row := range rows {
			ids[i] = row.result.Result
		}
		if err := readAll(u, exams.Results, ids); err != nil {
			return err
		}
		for _, row := range rows {
			row.result.School = cmd.School
			happened, err := decide(u, exams.Results, row.result.Result, exams.ResultCommand(row.result))
			if err != nil {
				return err
			}
			done.Recorded += len(happened)
			done.Known += 1 - len(happened)
		}
		return nil
	}
	err = record(&unit{c: c, ctx: ctx, by: by, at: c.Now()}) // nothing of it is appended
	if err == nil && !cmd.DryRun {
		err = c.do(ctx, by, need, record)
	}
	return done, err
}

// pupilsByCode returns the pupils of a school by their personal codes: the only
// thing that whoever runs the exams knows them by. It is no key (S-35), so there
// is nothing to ask but the pupils themselves.
func (c *Commands) pupilsByCode(u *unit, school domain.SchoolID) (map[domain.PersonalCode][]domain.StudentID, error) {
	state, err := peek(u, roster.Rosters, school)
	if err != nil {
		return nil, err
	}
	pupils := make(map[domain.PersonalCode][]domain.StudentID)
	for part := range slices.Chunk(state.Students(), chunkStudents) {
		if err := readAll(u, roster.Students, part); err != nil {
			return nil, err
		}
		for _, id := range part {
			pupil, err := peek(u, roster.Students, id)
			if err != nil {
				return nil, err
			}
			if code := pupil.Code(); code != "" {
				pupils[code] = append(pupils[code], id)
			}
		}
	}
	return pupils, nil
}

// An examRow is a row that was checked by itself and against the others.
type examRow struct {
	result   exams.RecordResult
	problems []RowProblem // none: it can be taken
}

// checkedExamRows parses all rows, finds the pupils, and finds rows that say the
// same thing twice.
func checkedExamRows(rows []ExamRow, pupils map[domain.PersonalCode][]domain.StudentID, today domain.Date) []examRow {
	checked, seen := make([]examRow, len(rows)), make(map[domain.ExamResultID]int)
	for i, row := range rows {
		r := &checked[i]
		wrong := func(column int, err error) {
			var refused *domain.Error
			name := ExamColumns[column]
			known := slices.ContainsFunc(r.problems, func(p RowProblem) bool { return p.Column == name })
			if errors.As(err, &refused) && !known {
				r.problems = append(r.problems, RowProblem{Row: row.Row, Column: name, Code: refused.Code})
			}
		}
		for _, d := range row.Wrong {
			r.problems = append(r.problems, RowProblem{Row: row.Row, Column: d.Column, Code: d.Code})
		}
		code, err := domain.ParsePersonalCode(strings.TrimSpace(row.PersonalCode))
		switch found := pupils[code]; {
		case err != nil:
			wrong(0, err)
		case len(found) == 0:
			wrong(0, exams.ErrNoOne)
		case len(found) > 1:
			wrong(0, errManyStudents)
		default:
			r.result.Student = found[0]
		}
		if r.result.Exam, err = domain.Line(row.Exam, exams.ExamMax); err != nil {
			wrong(1, err)
		}
		r.result.Date, err = domain.ParseDate(strings.TrimSpace(row.Date))
		switch {
		case err != nil:
			wrong(2, err)
		case r.result.Date > today:
			wrong(2, exams.ErrFuture)
		}
		if r.result.Percent, err = exams.ParsePercent(row.Percent); err != nil {
			wrong(3, err)
		}
		if len(r.problems) > 0 {
			continue
		}
		r.result.Result = exams.ResultOf(r.result.Student, r.result.Exam, r.result.Date)
		if first, ok := seen[r.result.Result]; ok {
			r.problems = append(r.problems, RowProblem{Row: row.Row, Code: errExamTwice.Code, What: strconv.Itoa(first)})
			continue
		}
		seen[r.result.Result] = row.Row
	}
	return checked
}
