// Package audit finds in the log what has happened to the marks of a pupil
// (audits). It says only where to look: what happened is told by the log. A
// mark that was taken back is in no list of marks, and is found here.
package audit

import (
	"context"
	_ "embed"
	"strings"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/attendance"
	"zurnals/projections"
)

//go:embed audit.sql
var sql string

var schema, indexes, _ = strings.Cut(sql, "-- keys")

// Projection fills the table.
var Projection = projections.Projection[Tables]{
	Name: "audit", Version: 1, Schema: schema, Indexes: indexes, Tables: tables,
	On: []projections.Handler[Tables]{
		projections.On(marksTaken),
		projections.On(selfRecorded),
	},
}

// Tables are the tables of the projection.
type Tables struct {
	Marks *projections.Table[markKey, markRow]
}

type (
	markKey struct {
		Student  domain.StudentID
		Position int64
	}
	markRow struct {
		Lesson domain.LessonID
		School domain.SchoolID
	}
)

func tables(s *projections.Set) *Tables {
	return &Tables{Marks: projections.NewTable(s, "mark_event",
		func(k *markKey) []projections.Column {
			return []projections.Column{projections.ColID("student", &k.Student), projections.ColLong("position", &k.Position)}
		},
		func(r *markRow) []projections.Column {
			return []projections.Column{projections.ColID("lesson", &r.Lesson), projections.ColID("school", &r.School)}
		})}
}

func marksTaken(t *Tables, e attendance.MarksTaken, m projections.Meta) {
	for _, mark := range e.Marks {
		t.Marks.Put(markKey{mark.Student, m.Position}, markRow{e.Lesson, e.School})
	}
}

func selfRecorded(t *Tables, e attendance.SelfRecorded, m projections.Meta) {
	t.Marks.Put(markKey{e.Student, m.Position}, markRow{e.Lesson, e.School})
}

// A Mark is where in the log something has happened to a mark.
type Mark struct {
	Lesson   domain.LessonID
	Position int64
}

// MarksOf returns where something has happened to the marks of a pupil of a
// school, with after < position <= upto, in the order of the log.
func MarksOf(ctx context.Context, db *projections.DB, by access.Actor, school access.Scope, student domain.StudentID, after, upto int64, limit int) ([]Mark, error) {
	return projections.Query(ctx, db, by, access.At(access.ReadHistory, school), []string{Projection.Name}, func(ctx context.Context, q *projections.Querier) ([]Mark, error) {
		rows, err := q.Query(ctx, `SELECT lesson, position FROM {audit}.mark_event
			WHERE student = $1 AND school = $2 AND position > $3 AND position <= $4 ORDER BY position LIMIT $5`,
			student, school.School, after, upto, limit)
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		var all []Mark
		for rows.Next() {
			var m Mark
			if err := rows.Scan(&m.Lesson, &m.Position); err != nil {
				return nil, err
			}
			all = append(all, m)
		}
		return all, rows.Err()
	})
}
