package commands

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/identity"
	"zurnals/eventstore"
)

// UserColumns are the headings of a file with users (EMU-015), in the order of
// the fields of a UserRow. The last ones, UserColumnsOptional, may be missing; a
// file for a municipality has no classes.
var UserColumns = []string{"Vārds *", "Uzvārds *", "Personas kods *", "E-pasta adrese *", "Lomas", "Audzināmā klase"}

// UserColumnsOptional is how many columns a file of a school may lack.
const UserColumnsOptional = 2

// userFields are the fields of a person, in the order of UserColumns.
var userFields = []string{"given_name", "family_name", "personal_code", "email", "roles", "classes"}

// UserRowsMax is how many users one file may have.
const UserRowsMax = 5_000

type (
	// ImportUsers has everybody in a file work at a school, or at a
	// municipality itself (“Lietotāju augšupielāde”).
	ImportUsers struct {
		Place       access.Scope
		File        string // SHA-256, in hex
		Rows        []UserRow
		DryRun      bool // only tell what would happen
		AcceptValid bool // take the good rows of a file that has bad ones too
	}

	// A UserRow is one row of the file, as it was read.
	UserRow struct {
		Row                                        int // of the file
		GivenName, FamilyName, PersonalCode, Email string
		Roles, Classes                             string          // words, with commas between them
		Wrong                                      []domain.Detail // cells that could not be read, by column
	}
)

// A RowProblem is what is wrong with one row, or only worth knowing.
type RowProblem = identity.RowProblem

// A UserImport is what came of ImportUsers.
type UserImport struct {
	ID domain.UserImportID // zero for a dry run
	identity.UserImport
}

// Refusals of a file, and of rows of it. What makes a row no mistake but is
// worth knowing has a code too.
var (
	ErrUserRows    = domain.Refuse(domain.Invalid, "user_import.rows", "rows of the file are wrong, so nothing was done")
	ErrNoUserRows  = domain.Refuse(domain.Invalid, "user_import.nothing", "no row of the file is valid")
	noteHere       = domain.Refuse(domain.Conflict, "user_import.already_here", "works here already")
	noteAttached   = domain.Refuse(domain.Conflict, "user_import.attached", "has an account, which is attached")
	noteOtherEmail = domain.Refuse(domain.Conflict, "user_import.email_unused", "has an account with another address")
)

// What one append takes: so many rows, or fewer of those with many roles.
const (
	chunkRows = 200
	rowEvents = eventstore.MaxEvents * 9 / 10
)

// chunk returns how many of the rows one append takes. A person is three events
// at most, and a role two.
func chunk(rows []userRow) int {
	events := 0
	for n, row := range rows {
		if events += 3 + 2*len(row.roles); n == chunkRows || events > rowEvents {
			return n
		}
	}
	return len(rows)
}

// importPatience is how long a loading may take, when the log is slow too.
const importPatience = 5 * time.Minute

// ImportUsers invites the people in a file, or attaches those who have an
// account. A file in which anything is wrong is refused as a whole, with every
// mistake by row and column, unless AcceptValid asks for the good rows.
//
// It is done in appends of some hundred rows. One that stops in the middle goes
// on when the request is sent again under its Idempotency-Key; without a key
// the same file can be sent again, and who is here already is skipped. If
// between check and append somebody else takes an address, that is told as a
// mistake of the row.
func (c *Commands) ImportUsers(ctx context.Context, by access.Actor, cmd ImportUsers) (UserImport, error) {
	place, err := c.workplace(ctx, cmd.Place)
	if err != nil {
		return UserImport{}, err
	}
	r := &userImport{c: c, by: by, need: access.At(access.ManageUsers, place), place: place, cmd: cmd,
		id: newID[domain.UserImportID](by, "user import")}
	state, err := look(ctx, c, by, r.need, identity.UserImports, r.id)
	if err != nil {
		return UserImport{}, err
	}
	if _, err := c.carriedOut(ctx, by); err != nil {
		return UserImport{}, err
	}
	if state.Completed() {
		return UserImport{r.id, state}, nil
	}
	if err := r.check(ctx); err != nil {
		return UserImport{}, err
	}
	if cmd.DryRun || !state.Started() {
		if preview, err := r.preview(ctx); cmd.DryRun || err != nil {
			return preview, err
		}
	}
	// Whoever asked may hang up: what is begun goes on to its end.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), importPatience)
	defer cancel()
	if err := r.start(ctx); err != nil {
		return UserImport{}, err
	}
	for done := state.Done; done < len(r.rows); {
		part := r.rows[done : done+chunk(r.rows[done:])]
		if err := r.take(ctx, done, part); err != nil {
			return UserImport{}, err
		}
		done += len(part)
	}
	return c.UserImport(ctx, by, place, r.id)
}

// UserImport returns how far a loading is, and what came of it.
func (c *Commands) UserImport(ctx context.Context, by access.Actor, named access.Scope, id domain.UserImportID) (UserImport, error) {
	place, err := c.workplace(ctx, named)
	if err != nil {
		return UserImport{}, err
	}
	state, err := look(ctx, c, by, access.At(access.ManageUsers, place), identity.UserImports, id)
	if err == nil && !state.At(place.Municipality, place.School) {
		return UserImport{}, identity.ErrNoImport
	}
	return UserImport{id, state}, err
}

// workplace returns the school or the municipality that is named: what a file
// is for.
func (c *Commands) workplace(ctx context.Context, named access.Scope) (access.Scope, error) {
	place, err := c.resolve(ctx, named)
	if err == nil && (place != place.Workplace() || place.Municipality.IsZero()) {
		err = access.ErrElsewhere
	}
	return place, err
}

// A userImport is a loading at work.
type userImport struct {
	c     *Commands
	by    access.Actor
	need  access.Need
	place access.Scope
	cmd   ImportUsers
	id    domain.UserImportID
	rows  []userRow
}

// preview tells what would happen, and refuses the file if something is wrong
// with it that the request does not put up with.
func (r *userImport) preview(ctx context.Context) (UserImport, error) {
	report := UserImport{UserImport: identity.UserImport{Municipality: r.place.Municipality, School: r.place.School, File: r.cmd.File, Rows: len(r.rows)}}
	for part := range slices.Chunk(r.rows, chunkRows) {
		u := &unit{c: r.c, ctx: ctx, by: r.by, at: r.c.Now()} // nothing of it is appended
		taken, err := r.admit(u, part)
		if err != nil {
			return UserImport{}, err
		}
		report.UserImport = identity.UserImports.Evolve(report.UserImport, identity.UserRowsTaken{
			Rows: len(part), UserCounts: taken.UserCounts, Problems: taken.Problems,
		})
	}
	switch {
	case r.cmd.DryRun, report.Refused == 0, r.cmd.AcceptValid && report.Refused < report.Rows:
		return report, nil
	case r.cmd.AcceptValid:
		return UserImport{}, ErrNoUserRows.With(mistakes(report.Problems)...)
	}
	return UserImport{}, ErrUserRows.With(mistakes(report.Problems)...)
}

func mistakes(problems []identity.RowProblem) (all []domain.Detail) {
	for _, p := range problems {
		if !p.Notice {
			all = append(all, domain.Detail{Row: p.Row, Column: p.Column, Code: p.Code, What: p.What})
		}
	}
	return all
}

// start says in the log that the loading begins. It is the append that the
// Idempotency-Key stands for.
func (r *userImport) start(ctx context.Context) error {
	return r.c.do(ctx, r.by, r.need, func(u *unit) error {
		_, err := decide(u, identity.UserImports, r.id, identity.UserImportCommand(identity.StartUserImport{
			Import: r.id, Municipality: r.place.Municipality, School: r.place.School, File: r.cmd.File, Rows: len(r.rows),
		}))
		return err
	})
}

// take admits the people of some rows in one append. Which rows were taken is
// part of it, so that none is taken twice.
func (r *userImport) take(ctx context.Context, from int, rows []userRow) error {
	by := r.by
	by.Command, by.Fingerprint = uuid.Nil, nil
	for n := 1; ; n++ {
		err := r.c.do(ctx, by, r.need, func(u *unit) error {
			taken, err := r.admit(u, rows)
			if err != nil {
				return err
			}
			taken.Import, taken.Municipality, taken.School = r.id, r.place.Municipality, r.place.School
			taken.From, taken.Rows = from, len(rows)
			_, err = decide(u, identity.UserImports, r.id, identity.UserImportCommand(taken))
			return err
		})
		lost := taken(err, identity.EmailClaim("").Kind) || taken(err, identity.PersonalCodeClaim("").Kind)
		switch {
		case lost && n < attempts: // somebody was faster: ask again who holds what
		case lost:
			return ErrBusy
		default:
			return err
		}
	}
}

// admit admits the people of some rows within a unit, and tells what became of
// them. It asks the log three things, however many rows there are.
func (r *userImport) admit(u *unit, rows []userRow) (identity.TakeUserRows, error) {
	var done identity.TakeUserRows
	persons, addressees, err := r.holders(u.ctx, rows)
	if err != nil {
		return done, err
	}
	accounts := make([]domain.AccountID, len(rows))
	var streams []string
	for i, row := range rows {
		if accounts[i] = persons[identity.PersonalCodeClaim(row.person.PersonalCode).Value]; accounts[i].IsZero() {
			accounts[i] = domain.NewID[domain.AccountID]()
		}
		streams = append(streams, identity.Accounts.Stream(accounts[i]), accessStream(accounts[i]))
	}
	if err := u.read(streams...); err != nil {
		return done, err
	}
	for i, row := range rows {
		if len(row.problems) > 0 {
			done.Refused++
			done.Problems = append(done.Problems, row.problems...)
			continue
		}
		person := persons[identity.PersonalCodeClaim(row.person.PersonalCode).Value]
		addressee := addressees[identity.EmailClaim(row.person.Email).Value]
		admitted, err := r.admitRow(u, row, accounts[i], person, addressee)
		note := func(code, column string, notice bool) {
			done.Problems = append(done.Problems, identity.RowProblem{Row: row.row, Column: column, Code: code, Notice: notice})
		}
		switch {
		case errors.Is(err, ErrEmailTaken):
			done.Refused++
			note(ErrEmailTaken.Code, UserColumns[3], false)
		case errors.Is(err, access.ErrManyRoles):
			done.Refused++
			note(access.ErrManyRoles.Code, UserColumns[4], false)
		case err != nil:
			return done, err
		case admitted.How == Invited:
			done.Invited++
		case admitted.How == AlreadyHere:
			done.AlreadyHere++
			note(noteHere.Code, "", true)
		default:
			done.Attached++
			note(noteAttached.Code, "", true)
		}
		if err == nil && !person.IsZero() && addressee != person {
			note(noteOtherEmail.Code, UserColumns[3], true)
		}
	}
	return done, nil
}

// admitRow admits one person. That the account can hold the roles too is seen
// first: what a row has added to the unit cannot be taken back.
func (r *userImport) admitRow(u *unit, row userRow, account, person, addressee domain.AccountID) (Admitted, error) {
	if !person.IsZero() {
		held, err := load(u, access.Assignments, person)
		if err != nil {
			return Admitted{}, err
		}
		if !held.WorksAt(r.place) && len(held.Held())+len(row.roles) > access.HeldMax {
			return Admitted{}, access.ErrManyRoles
		}
	}
	return admitAs(u, r.place, row.person, row.roles, account, domain.NewID[domain.InvitationID](), person, addressee)
}

// holders returns which accounts have the personal codes and the addresses of
// rows.
func (r *userImport) holders(ctx context.Context, rows []userRow) (persons, addressees map[string]domain.AccountID, err error) {
	var codes, emails []string
	for _, row := range rows {
		if len(row.problems) == 0 {
			codes = append(codes, identity.PersonalCodeClaim(row.person.PersonalCode).Value)
			emails = append(emails, identity.EmailClaim(row.person.Email).Value)
		}
	}
	if persons, err = r.c.accountsHolding(ctx, identity.PersonalCodeClaim("").Kind, codes); err != nil {
		return nil, nil, err
	}
	addressees, err = r.c.accountsHolding(ctx, identity.EmailClaim("").Kind, emails)
	return persons, addressees, err
}

// accountsHolding returns the accounts that hold claims of a kind, by value.
func (c *Commands) accountsHolding(ctx context.Context, kind string, values []string) (map[string]domain.AccountID, error) {
	streams, err := c.Log.Holders(ctx, kind, values)
	if err != nil {
		return nil, refusal(err)
	}
	accounts := make(map[string]domain.AccountID, len(streams))
	for value, stream := range streams {
		if accounts[value], err = accountOf(kind, stream); err != nil {
			return nil, err
		}
	}
	return accounts, nil
}
