package httpapi

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/internal/texts"
	"zurnals/projections/staff"
)

// exportUsers sends the list of users as a file: exactly its columns (EMU-002),
// and of a municipality with its schools also where.
func (a *API) exportUsers(ctx context.Context, by access.Actor, place access.Scope, err error, filter staff.Filter, search, format string) (*huma.StreamResponse, error) {
	if err != nil {
		return nil, err
	}
	if err := by.Allow(access.At(access.SeeUsers, place)); err != nil { // before a file is begun
		return nil, err
	}
	filter.Search = search
	q := asked(ctx)
	return a.tableFile(ctx, format, func(f *tableFile) error {
		title := texts.Of(q.language, "users.title")
		if err := f.begin(title, title); err != nil {
			return err
		}
		head := q.words("users.user", "users.email", "users.last_sign_in", "users.administrator", "users.management", "users.support", "users.class_teacher")
		if filter.Schools {
			head = append(head, texts.Of(q.language, "users.school"))
		}
		if err := f.table.Head(head); err != nil {
			return err
		}
		return staff.Walk(ctx, a.Views, by, place, filter, a.Now(), func(m staff.Member) error {
			row := []any{m.FamilyName + " " + m.GivenName, m.Email, lastSignIn(m.LastSignIn),
				q.flag(m.Administrator), q.flag(m.Management), q.flag(m.Support), q.flag(m.ClassTeacher)}
			if filter.Schools {
				row = append(row, m.SchoolName)
			}
			return f.table.Row(row)
		})
	})
}

// flag is a word for yes, and nothing for no.
func (q *request) flag(set bool) any {
	if !set {
		return nil
	}
	return texts.Of(q.language, "users.yes")
}

// lastSignIn tells when somebody was here last, as clocks in schools show it; a
// dash for never (EMU-018).
func lastSignIn(at *time.Time) string {
	if at == nil {
		return "–"
	}
	return at.In(domain.Riga).Format("2006-01-02 15:04")
}
