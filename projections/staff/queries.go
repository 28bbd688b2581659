package staff

import (
	"context"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/projections"
)

// ErrNone is answered when there is no such person, or not there.
var ErrNone = access.ErrElsewhere

// reads are the projections that queries need: the names of classes and places
// are theirs.
var reads = []string{"staff", "students", "organisation"}

// A State says how far somebody has come with registering.
type State string

const (
	Invited     State = "invited"      // uzaicināts: a link was sent
	LinkExpired State = "link_expired" // the link no longer works
	Registered  State = "registered"   // has chosen a password
)

// A Member is one line of the list of users: exactly its columns (EMU-002),
// and how far the person has come.
type Member struct {
	Account       domain.AccountID `json:"id"`
	FamilyName    string           `json:"family_name"`
	GivenName     string           `json:"given_name"`
	Email         string           `json:"email"`
	LastSignIn    *time.Time       `json:"last_sign_in" doc:"null: never"`
	Administrator bool             `json:"administrator"`
	Management    bool             `json:"management"`
	Support       bool             `json:"support"`
	ClassTeacher  bool             `json:"class_teacher"`
	State         State            `json:"state" enum:"invited,link_expired,registered"`
	LinkExpires   *time.Time       `json:"link_expires_at,omitempty"`
	School        *domain.SchoolID `json:"school_id,omitempty" doc:"in a list of a municipality with its schools: where"`
	SchoolName    string           `json:"school,omitempty"`
}

// A Filter leaves out part of a list. The zero value leaves out nothing.
type Filter struct {
	Role    string // administrator, management, support, class_teacher; none: without role
	State   State
	Search  string // part of names or address, see projections.Searchable
	Schools bool   // of a municipality, also those who work at its schools
}

const memberColumns = `p.account, p.family_name, p.given_name, p.email, p.last_sign_in,
	s.administrator > 0, s.management > 0, s.support > 0, s.teacher > 0,
	CASE WHEN p.registered THEN 'registered' WHEN p.link_expires_at <= $2 THEN 'link_expired' ELSE 'invited' END AS state, p.link_expires_at`

func (m *Member) fields() []any {
	return []any{&m.Account, &m.FamilyName, &m.GivenName, &m.Email, optional{&m.LastSignIn},
		&m.Administrator, &m.Management, &m.Support, &m.ClassTeacher, &m.State, optional{&m.LinkExpires}}
}

// What the filters are in SQL. Each filter makes a statement of its own, which
// is planned for itself: an index serves one and not the other.
var (
	roleConditions = map[string]string{
		"administrator": "s.administrator > 0", "management": "s.management > 0", "support": "s.support > 0", "class_teacher": "s.teacher > 0",
		"none": "s.administrator + s.management + s.support + s.teacher + s.others = 0",
	}
	stateConditions = map[State]string{
		Registered: "p.registered", LinkExpired: "NOT p.registered AND p.link_expires_at <= $2",
		Invited: "NOT p.registered AND (p.link_expires_at > $2) IS NOT FALSE",
	}
)

// gram is how many characters of a text the index of names goes by: a shorter
// search is a filter on those in order, of whom many have it.
const gram = 3

const (
	personOrder = `p.family_name COLLATE "lv-x-icu", p.given_name COLLATE "lv-x-icu", p.account`
	memberOrder = " ORDER BY " + personOrder + ", s.place"
)

// A question is a statement that lists members, and its arguments.
type question struct {
	sql  string
	args []any
	anew bool // planned for these arguments each time: how many rows there are depends on them
}

// few is how many people a search finds at most for them to be sorted. Of more,
// a page of them soon comes by when all are gone through in order.
const few = 1_000

// findsFew says whether a search finds few people, wherever they work.
func findsFew(ctx context.Context, db *projections.Querier, pattern string) (bool, error) {
	var found int
	err := db.QueryRow(ctx, `SELECT count(*) FROM (SELECT FROM {staff}.person WHERE search LIKE $1 LIMIT $2) AS found`,
		pgx.QueryExecModeCacheDescribe, pattern, few+1).Scan(&found)
	return found <= few, err
}

// search returns the table of people that a search is of, and what of them it
// leaves out.
//
// A search in all schools of a municipality that finds few begins with them, in
// order, and goes on until the page is full. PostgreSQL supposes that those found
// are spread over the alphabet, which those of one name are not, and would often
// go through everybody: all who come before, or all who work there.
func (q *question) search(ctx context.Context, db *projections.Querier, f Filter) (people, condition string, err error) {
	const everybody = "{staff}.person AS p"
	wanted := projections.Searchable(f.Search)
	if wanted == "" {
		return everybody, "", nil
	}
	if utf8.RuneCountInString(wanted) < gram {
		return everybody, q.with(" AND position($%d in p.search) > 0", wanted), nil
	}
	pattern := projections.Page{Search: f.Search}.Pattern()
	if f.Schools { // the people of one place are few enough
		narrow, err := findsFew(ctx, db, pattern)
		if err != nil {
			return "", "", err
		}
		if narrow {
			return q.with("(SELECT * FROM {staff}.person AS p WHERE search LIKE $%d ORDER BY "+personOrder+" OFFSET 0) AS p", pattern), "", nil
		}
	}
	q.anew = true
	return everybody, q.with(" AND p.search LIKE $%d", pattern), nil
}

// ask returns the statement that lists who works at a place.
func ask(ctx context.Context, db *projections.Querier, place access.Scope, f Filter, at time.Time) (*question, error) {
	q := &question{args: []any{placeOf(place), at}}
	people, condition, err := q.search(ctx, db, f)
	if err != nil {
		return nil, err
	}
	columns, from, where := memberColumns, " FROM {staff}.staff AS s JOIN "+people+" USING (account)", " WHERE s.place = $1"
	if f.Schools {
		columns += ", o.school, coalesce(o.name, '')"
		from += " LEFT JOIN {organisation}.school AS o ON o.school = s.place"
		where = " WHERE s.municipality = $1"
	}
	q.sql = "SELECT " + columns + ", s.place" + from + where + condition
	if c, ok := roleConditions[f.Role]; ok {
		q.sql += " AND " + c
	}
	if c, ok := stateConditions[f.State]; ok {
		q.sql += " AND " + c
	}
	return q, nil
}

// with returns a part of the statement that has one argument.
func (q *question) with(part string, arg any) string {
	q.args = append(q.args, arg)
	return fmt.Sprintf(part, len(q.args))
}

// bound returns the arguments as pgx takes them. A statement that has no name is
// planned whenever it is sent; one with a name, after a few times, once for all.
func (q *question) bound() []any {
	if q.anew {
		return append([]any{pgx.QueryExecModeCacheDescribe}, q.args...)
	}
	return q.args
}

// reads returns what a list reads: the names of schools are another's.
func (f Filter) reads() []string {
	if f.Schools {
		return []string{"staff", "organisation"}
	}
	return reads[:1]
}

// A line is a member as it is read: where comes last.
type line struct {
	Member
	place uuid.UUID
}

func (l *line) fields(f Filter) []any {
	fields := l.Member.fields()
	if f.Schools {
		fields = append(fields, &l.School, &l.SchoolName)
	}
	return append(fields, &l.place)
}

// At returns who works at a school or a municipality, in the order of the
// Latvian alphabet, as it is at a moment. Somebody who works at two schools of
// a municipality has two lines.
func At(ctx context.Context, db *projections.DB, by access.Actor, place access.Scope, f Filter, at time.Time, page projections.Page) (all []Member, next string, err error) {
	after, more, err := page.After(4)
	for _, id := range after[min(2, len(after)):] {
		if more && err == nil {
			_, err = uuid.Parse(id)
		}
	}
	if err != nil {
		return nil, "", projections.ErrCursor.In("query.cursor")
	}
	f.Search = page.Search
	lines, err := projections.Query(ctx, db, by, access.At(access.SeeUsers, place), f.reads(), func(ctx context.Context, q *projections.Querier) ([]line, error) {
		ask, err := ask(ctx, q, place, f, at)
		if err != nil {
			return nil, err
		}
		if more {
			n := len(ask.args)
			ask.sql += fmt.Sprintf(` AND (`+personOrder+`, s.place) > ($%d, $%d, $%d::uuid, $%d::uuid)`, n+1, n+2, n+3, n+4)
			ask.args = append(ask.args, after[0], after[1], after[2], after[3])
		}
		ask.sql += memberOrder
		ask.sql += ask.with(" LIMIT $%d", page.Size()+1)
		rows, err := q.Query(ctx, ask.sql, ask.bound()...)
		return projections.Collect(rows, err, func(l *line) []any { return l.fields(f) })
	})
	lines, next = projections.Cut(page, lines, func(l line) []string {
		return []string{l.FamilyName, l.GivenName, l.Account.String(), l.place.String()}
	})
	all = make([]Member, len(lines))
	for i, l := range lines {
		all[i] = l.Member
	}
	return all, next, err
}

// Walk hands the same to f, all of them, one by one.
func Walk(ctx context.Context, db *projections.DB, by access.Actor, place access.Scope, filter Filter, at time.Time, f func(Member) error) error {
	// What f has been given cannot be taken back, should a replica break off.
	_, err := projections.Query(projections.OnPrimary(ctx), db, by, access.At(access.SeeUsers, place), filter.reads(), func(ctx context.Context, q *projections.Querier) (none struct{}, err error) {
		ask, err := ask(ctx, q, place, filter, at)
		if err != nil {
			return none, err
		}
		rows, err := q.Query(ctx, ask.sql+memberOrder, ask.bound()...)
		if err != nil {
			return none, err
		}
		var l line
		_, err = pgx.ForEachRow(rows, l.fields(filter), func() error { return f(l.Member) })
		return none, err
	})
	return err
}

// An Import is a file that users were loaded from, or are being loaded from.
type Import struct {
	ID          domain.UserImportID `json:"id"`
	File        string              `json:"file_sha256"`
	StartedAt   time.Time           `json:"started_at"`
	Rows        int                 `json:"rows"`
	Done        int                 `json:"rows_done"`
	Invited     int                 `json:"invited"`
	Attached    int                 `json:"attached"`
	AlreadyHere int                 `json:"already_here"`
	Refused     int                 `json:"refused"`
}

func (i *Import) fields() []any {
	return []any{&i.ID, &i.File, utc{&i.StartedAt}, &i.Rows, &i.Done, &i.Invited, &i.Attached, &i.AlreadyHere, &i.Refused}
}

// Imports returns the files that users of a place were loaded from, the newest
// first, with how far each is.
func Imports(ctx context.Context, db *projections.DB, by access.Actor, place access.Scope, page projections.Page) (all []Import, next string, err error) {
	after, more, err := page.After(2)
	var before time.Time
	var last uuid.UUID
	if more && err == nil {
		before, err = time.Parse(time.RFC3339Nano, after[0])
		if err == nil {
			last, err = uuid.Parse(after[1])
		}
	}
	if err != nil {
		return nil, "", projections.ErrCursor.In("query.cursor")
	}
	all, err = projections.Query(ctx, db, by, access.At(access.ManageUsers, place), reads[:1], func(ctx context.Context, q *projections.Querier) ([]Import, error) {
		ask := question{sql: `SELECT import, file, started_at, rows, done, invited, attached, already_here, refused FROM {staff}.user_import WHERE place = $1`, args: []any{placeOf(place)}}
		if more {
			ask.sql += " AND started_at <= $2 AND (started_at < $2 OR import > $3)"
			ask.args = append(ask.args, before, last)
		}
		ask.sql += " ORDER BY started_at DESC, import"
		ask.sql += ask.with(" LIMIT $%d", page.Size()+1)
		rows, err := q.Query(ctx, ask.sql, ask.args...)
		return projections.Collect(rows, err, (*Import).fields)
	})
	all, next = projections.Cut(page, all, func(i Import) []string { return []string{i.StartedAt.Format(time.RFC3339Nano), i.ID.String()} })
	return all, next, err
}

// A Role is a role that somebody holds, with the names of where.
type Role struct {
	ID           domain.AssignmentID    `json:"id"`
	Role         access.Role            `json:"role"`
	Municipality *domain.MunicipalityID `json:"municipality_id,omitempty"`
	School       *domain.SchoolID       `json:"school_id,omitempty"`
	Class        *domain.ClassID        `json:"class_id,omitempty"`
	Register     *domain.RegisterID     `json:"register_id,omitempty"`
	Place        string                 `json:"place,omitempty" doc:"name of the school or the municipality"`
	ClassName    string                 `json:"class,omitempty" doc:"as in 6.a — 2025-2026"`
	Since        time.Time              `json:"since"`
	SelfGiven    bool                   `json:"self_given,omitempty" doc:"the person gave it to himself"`
}

func (r *Role) fields() []any {
	return []any{&r.ID, &r.Role, &r.Municipality, &r.School, &r.Class, &r.Register, &r.Place, &r.ClassName, utc{&r.Since}, &r.SelfGiven}
}

const roleQuery = `SELECT r.assignment, r.role, r.municipality, r.school, r.class, r.register,
	  coalesce(s.name, m.name, ''), coalesce(c.name || ' — ' || y.name, ''), r.since, r.own_grant
	FROM {staff}.role AS r
	LEFT JOIN {organisation}.school AS s ON s.school = r.school
	LEFT JOIN {organisation}.municipality AS m ON m.municipality = r.municipality
	LEFT JOIN {students}.class AS c ON c.class = r.class
	LEFT JOIN {students}.school_year AS y ON y.year = c.year
	WHERE r.account = $1 AND ($2::uuid IS NULL OR r.place = $2)
	ORDER BY r.role, s.name COLLATE "lv-x-icu", y.from_day DESC, c.grade, c.name COLLATE "lv-x-icu", r.assignment`

// A User is what the user information box shows of somebody.
type User struct {
	Member
	Code    string    `json:"personal_code" doc:"masked"`
	Edition int       `json:"-"` // counts the changes of name and address
	Since   time.Time `json:"since" doc:"works here"`
	Roles   []Role    `json:"roles" doc:"held here"`
}

// One returns somebody who works at a school or a municipality.
func One(ctx context.Context, db *projections.DB, by access.Actor, place access.Scope, account domain.AccountID, at time.Time) (User, error) {
	return projections.Query(ctx, db, by, access.At(access.SeeUsers, place), reads, func(ctx context.Context, q *projections.Querier) (u User, err error) {
		err = q.QueryRow(ctx, `SELECT `+memberColumns+`, p.code, p.edition, s.since FROM {staff}.staff AS s JOIN {staff}.person AS p USING (account)
			WHERE s.place = $1 AND p.account = $3`, placeOf(place), at, account).Scan(append(u.fields(), &u.Code, &u.Edition, utc{&u.Since})...)
		if err != nil {
			return u, projections.OrNone(err, ErrNone)
		}
		workplace := placeOf(place)
		u.Roles, err = roles(ctx, q, account, &workplace)
		return u, err
	})
}

// A Profile is what somebody sees of the own account (Mans profils).
type Profile struct {
	Account    domain.AccountID `json:"id"`
	GivenName  string           `json:"given_name"`
	FamilyName string           `json:"family_name"`
	Email      string           `json:"email"`
	Code       string           `json:"personal_code" doc:"masked"`
	LastSignIn *time.Time       `json:"last_sign_in"`
	Edition    int              `json:"-"` // counts the changes of name and address
}

// Own returns the profile of who asks. It needs no role (EMU-048).
func Own(ctx context.Context, db *projections.DB, by access.Actor) (Profile, error) {
	return projections.Query(ctx, db, by, access.Own(access.OwnAccount, by.ID), reads[:1], func(ctx context.Context, q *projections.Querier) (p Profile, err error) {
		err = q.QueryRow(ctx, `SELECT account, given_name, family_name, email, code, last_sign_in, edition FROM {staff}.person WHERE account = $1`, by.ID).
			Scan(&p.Account, &p.GivenName, &p.FamilyName, &p.Email, &p.Code, optional{&p.LastSignIn}, &p.Edition)
		return p, projections.OrNone(err, ErrNone)
	})
}

// Overseers returns the accounts that look after a municipality: its
// administrators, and those of the platform. It is for jobs.
func Overseers(ctx context.Context, db *projections.DB, by access.Actor, municipality domain.MunicipalityID) ([]domain.AccountID, error) {
	need := access.At(access.ManageUsers, access.Scope{Municipality: municipality})
	return projections.Query(ctx, db, by, need, reads[:1], func(ctx context.Context, q *projections.Querier) ([]domain.AccountID, error) {
		rows, err := q.Query(ctx, `SELECT DISTINCT account FROM {staff}.role
			WHERE role = '`+string(access.MunicipalityAdmin)+`' AND municipality = $1 OR role = '`+string(access.PlatformAdmin)+`' ORDER BY account LIMIT 200`, municipality)
		return projections.Collect(rows, err, func(id *domain.AccountID) []any { return []any{id} })
	})
}

// OwnRoles returns the roles of who asks, to choose one.
func OwnRoles(ctx context.Context, db *projections.DB, by access.Actor) ([]Role, error) {
	return projections.Query(ctx, db, by, access.Own(access.OwnAccount, by.ID), reads, func(ctx context.Context, q *projections.Querier) ([]Role, error) {
		return roles(ctx, q, domain.AccountID{UUID: by.ID}, nil)
	})
}

func roles(ctx context.Context, q *projections.Querier, account domain.AccountID, place *uuid.UUID) ([]Role, error) {
	rows, err := q.Query(ctx, roleQuery, account, place)
	return projections.Collect(rows, err, (*Role).fields)
}

// A utc is a moment as it is read into t, in UTC whatever zone the machine is in.
type utc struct{ t *time.Time }

func (u utc) ScanTimestamptz(v pgtype.Timestamptz) error {
	*u.t = v.Time.UTC()
	return nil
}

// An optional is a utc that may be missing.
type optional struct{ t **time.Time }

func (o optional) ScanTimestamptz(v pgtype.Timestamptz) error {
	*o.t = nil
	if v.Valid {
		at := v.Time.UTC()
		*o.t = &at
	}
	return nil
}
