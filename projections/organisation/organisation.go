// Package organisation is the read model of what schools (skolas) there are,
// in which municipalities (pašvaldības).
package organisation

import (
	"context"
	_ "embed"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/organisation"
	"zurnals/projections"
)

//go:embed organisation.sql
var sql string

var schema, indexes, _ = strings.Cut(sql, "-- keys")

// Projection fills the tables.
var Projection = projections.Projection[Tables]{
	Name: "organisation", Version: 1, Schema: schema, Indexes: indexes, Tables: tables,
	On: []projections.Handler[Tables]{
		projections.On(func(t *Tables, e organisation.MunicipalityRegistered, m projections.Meta) {
			t.Municipalities.Put(municipalityKey{e.Municipality},
				municipalityRow{Name: e.Name, Search: projections.Searchable(e.Name), RegisteredAt: m.RecordedAt})
		}),
		projections.On(func(t *Tables, e organisation.SchoolRegistered, m projections.Meta) {
			t.Schools.Put(schoolKey{e.School}, schoolRow{
				Municipality: e.Municipality, Name: e.Name, Search: projections.Searchable(e.Name), Source: e.Source, RegisteredAt: m.RecordedAt,
			})
		}),
	},
}

// Tables are the tables of the projection.
type Tables struct {
	Municipalities *projections.Table[municipalityKey, municipalityRow]
	Schools        *projections.Table[schoolKey, schoolRow]
}

type (
	municipalityKey struct{ Municipality domain.MunicipalityID }
	municipalityRow struct {
		Name, Search string
		RegisteredAt time.Time
	}

	schoolKey struct{ School domain.SchoolID }
	schoolRow struct {
		Municipality         domain.MunicipalityID
		Name, Search, Source string
		RegisteredAt         time.Time
	}
)

func tables(s *projections.Set) *Tables {
	type cols = []projections.Column
	return &Tables{
		Municipalities: projections.NewTable(s, "municipality",
			func(k *municipalityKey) cols { return cols{projections.ColID("municipality", &k.Municipality)} },
			func(r *municipalityRow) cols {
				return cols{projections.ColText("name", &r.Name), projections.ColText("search", &r.Search), projections.ColTime("registered_at", &r.RegisteredAt)}
			}),
		Schools: projections.NewTable(s, "school",
			func(k *schoolKey) cols { return cols{projections.ColID("school", &k.School)} },
			func(r *schoolRow) cols {
				return cols{
					projections.ColID("municipality", &r.Municipality), projections.ColText("name", &r.Name), projections.ColText("search", &r.Search),
					projections.ColText("source", &r.Source), projections.ColTime("registered_at", &r.RegisteredAt),
				}
			}),
	}
}

// A Municipality is one as a list shows it.
type Municipality struct {
	ID   domain.MunicipalityID `json:"id"`
	Name string                `json:"name"`
}

// A School is one as a list shows it.
type School struct {
	ID           domain.SchoolID       `json:"id"`
	Name         string                `json:"name"`
	Municipality domain.MunicipalityID `json:"municipality_id"`
	Source       string                `json:"source_id,omitempty" doc:"what the roster calls it"`
}

// Municipalities returns those in a place: the whole installation, or one.
func Municipalities(ctx context.Context, db *projections.DB, by access.Actor, place access.Scope, page projections.Page) (all []Municipality, next string, err error) {
	after, more, err := page.After(2)
	if err == nil && more {
		_, err = domain.ParseID[domain.MunicipalityID](after[1])
	}
	if err != nil {
		return nil, "", projections.ErrCursor.In("query.cursor")
	}
	all, err = projections.Query(ctx, db, by, access.At(access.SeeMunicipality, place), []string{Projection.Name}, func(ctx context.Context, q *projections.Querier) ([]Municipality, error) {
		rows, err := q.Query(ctx, `SELECT municipality, name FROM {organisation}.municipality
			WHERE search LIKE $1 AND ($2::uuid IS NULL OR municipality = $2)
			  AND (NOT $3 OR (name COLLATE "lv-x-icu", municipality) > ($4, nullif($5, '')::uuid))
			ORDER BY name COLLATE "lv-x-icu", municipality LIMIT $6`,
			page.Pattern(), projections.Optional(place.Municipality), more, after[0], after[1], page.Size()+1)
		if err != nil {
			return nil, err
		}
		return pgx.CollectRows(rows, pgx.RowToStructByPos[Municipality])
	})
	all, next = projections.Cut(page, all, func(m Municipality) []string { return []string{m.Name, m.ID.String()} })
	return all, next, err
}

// Schools returns the schools of a municipality.
func Schools(ctx context.Context, db *projections.DB, by access.Actor, place access.Scope, page projections.Page) (all []School, next string, err error) {
	after, more, err := page.After(2)
	if err == nil && more {
		_, err = domain.ParseID[domain.SchoolID](after[1])
	}
	if err != nil {
		return nil, "", projections.ErrCursor.In("query.cursor")
	}
	all, err = projections.Query(ctx, db, by, access.At(access.SeeMunicipality, place), []string{Projection.Name}, func(ctx context.Context, q *projections.Querier) ([]School, error) {
		rows, err := q.Query(ctx, `SELECT school, name, municipality, source FROM {organisation}.school
			WHERE municipality = $1 AND search LIKE $2
			  AND (NOT $3 OR (name COLLATE "lv-x-icu", school) > ($4, nullif($5, '')::uuid))
			ORDER BY name COLLATE "lv-x-icu", school LIMIT $6`,
			place.Municipality, page.Pattern(), more, after[0], after[1], page.Size()+1)
		if err != nil {
			return nil, err
		}
		return pgx.CollectRows(rows, pgx.RowToStructByPos[School])
	})
	all, next = projections.Cut(page, all, func(s School) []string { return []string{s.Name, s.ID.String()} })
	return all, next, err
}
