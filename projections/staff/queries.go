package staff

import (
	"context"
	"errors"
	"time"

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
}

// A Filter leaves out part of a list. The zero value leaves out nothing.
type Filter struct {
	Role  string // administrator, management, support, class_teacher; none: without role
	State State
}

const memberColumns = `p.account, p.family_name, p.given_name, p.email, p.last_sign_in,
	s.administrator > 0, s.management > 0, s.support > 0, s.teacher > 0,
	CASE WHEN p.registered THEN 'registered' WHEN p.link_expires_at <= $2 THEN 'link_expired' ELSE 'invited' END AS state, p.link_expires_at`

func (m *Member) fields() []any {
	return []any{&m.Account, &m.FamilyName, &m.GivenName, &m.Email, optional{&m.LastSignIn},
		&m.Administrator, &m.Management, &m.Support, &m.ClassTeacher, &m.State, optional{&m.LinkExpires}}
}

// At returns who works at a school or a municipality, in the order of the
// Latvian alphabet, as it is at a moment.
func At(ctx context.Context, db *projections.DB, by access.Actor, place access.Scope, f Filter, at time.Time, page projections.Page) (all []Member, next string, err error) {
	after, more, err := page.After(3)
	if err == nil && more {
		_, err = domain.ParseID[domain.AccountID](after[2])
	}
	if err != nil {
		return nil, "", projections.ErrCursor.In("query.cursor")
	}
	all, err = projections.Query(ctx, db, by, access.At(access.SeeUsers, place), reads[:1], func(ctx context.Context, q *projections.Querier) ([]Member, error) {
		rows, err := q.Query(ctx, `SELECT * FROM (SELECT `+memberColumns+` FROM {staff}.staff AS s JOIN {staff}.person AS p USING (account)
			WHERE s.place = $1 AND p.search LIKE $3
			  AND ($4 = '' OR $4 = 'administrator' AND s.administrator > 0 OR $4 = 'management' AND s.management > 0
			    OR $4 = 'support' AND s.support > 0 OR $4 = 'class_teacher' AND s.teacher > 0
			    OR $4 = 'none' AND s.administrator + s.management + s.support + s.teacher + s.others = 0)) AS m
			WHERE ($5 = '' OR m.state = $5)
			  AND (NOT $6 OR (m.family_name COLLATE "lv-x-icu", m.given_name COLLATE "lv-x-icu", m.account) > ($7, $8, nullif($9, '')::uuid))
			ORDER BY m.family_name COLLATE "lv-x-icu", m.given_name COLLATE "lv-x-icu", m.account LIMIT $10`,
			placeOf(place), at, page.Pattern(), f.Role, f.State, more, after[0], after[1], after[2], page.Size()+1)
		return projections.Collect(rows, err, (*Member).fields)
	})
	all, next = projections.Cut(page, all, func(m Member) []string {
		return []string{m.FamilyName, m.GivenName, m.Account.String()}
	})
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
			return u, orNone(err)
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
		return p, orNone(err)
	})
}

// Overseers returns the accounts that look after a municipality: its
// administrators, and those of the platform. It is for jobs.
func Overseers(ctx context.Context, db *projections.DB, by access.Actor, municipality domain.MunicipalityID) ([]domain.AccountID, error) {
	need := access.At(access.ManageUsers, access.Scope{Municipality: municipality})
	return projections.Query(ctx, db, by, need, reads[:1], func(ctx context.Context, q *projections.Querier) ([]domain.AccountID, error) {
		rows, err := q.Query(ctx, `SELECT DISTINCT account FROM {staff}.role
			WHERE role = $1 AND municipality = $2 OR role = $3 ORDER BY account LIMIT 200`,
			string(access.MunicipalityAdmin), municipality, string(access.PlatformAdmin))
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

func orNone(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return ErrNone
	}
	return err
}
