package identity

import (
	"fmt"
	"slices"

	"zurnals/domain"
)

// Refusals of loading users.
var (
	ErrNoImport   = domain.Refuse(domain.NotFound, "user_import.none", "there is no such upload of users")
	ErrImportOver = domain.Refuse(domain.Conflict, "user_import.over", "the upload is over")
)

// A UserImportCommand asks a loading of users from a spreadsheet
// (“Lietotāju augšupielāde”) for something.
//
//sumtype:decl
type UserImportCommand interface{ userImportCommand() }

type (
	// StartUserImport begins to load users of a school, or of a municipality
	// itself. The file, named by its SHA-256, was checked before: what was
	// refused as a whole is never started.
	StartUserImport struct {
		Import       domain.UserImportID
		Municipality domain.MunicipalityID
		School       domain.SchoolID
		File         string
		Rows         int
	}

	// TakeUserRows says what became of the next rows, in the append that has
	// these users in it. From is how many rows were taken before.
	TakeUserRows struct {
		Import       domain.UserImportID
		Municipality domain.MunicipalityID
		School       domain.SchoolID
		From         int
		Rows         int
		UserCounts
		Problems []RowProblem
	}
)

func (StartUserImport) userImportCommand() {}
func (TakeUserRows) userImportCommand()    {}

// UserCounts count rows by what became of them.
type UserCounts struct {
	Invited     int `json:"invited,omitempty"`
	Attached    int `json:"attached,omitempty"`
	AlreadyHere int `json:"already_here,omitempty"`
	Refused     int `json:"refused,omitempty"`
}

// A RowProblem is what is wrong with one row, or only worth knowing. It says
// where, never what stands there.
type RowProblem struct {
	Row    int    `json:"row"`
	Column string `json:"column,omitempty"`
	Code   string `json:"code"`
	What   string `json:"what,omitempty"` // number of another row
	Notice bool   `json:"notice,omitempty"`
}

// A UserImport is what decisions and reports need to know of a loading.
type UserImport struct {
	Municipality domain.MunicipalityID
	School       domain.SchoolID // zero: of the municipality itself
	File         string
	Rows         int // of the file
	Done         int // taken so far
	UserCounts
	Problems []RowProblem
}

// Started says whether there is such a loading.
func (i UserImport) Started() bool { return !i.Municipality.IsZero() }

// At says whether the loading is one of a place.
func (i UserImport) At(municipality domain.MunicipalityID, school domain.SchoolID) bool {
	return i.Started() && i.Municipality == municipality && i.School == school
}

// Completed says whether all rows were taken.
func (i UserImport) Completed() bool { return i.Started() && i.Done == i.Rows }

// UserImports decides for loadings, one to a stream.
var UserImports = domain.Decider[UserImport, UserImportCommand, UserImportEvent]{
	Category: "user_import",
	Decide:   UserImport.decide,
	Evolve:   UserImport.evolve,
}

func (i UserImport) decide(cmd UserImportCommand) ([]UserImportEvent, error) {
	switch cmd := cmd.(type) {
	case StartUserImport:
		switch {
		case !i.Started():
			return []UserImportEvent{UserImportStarted(cmd)}, nil
		case !i.At(cmd.Municipality, cmd.School):
			return nil, ErrNoImport
		case i.File != cmd.File:
			return nil, ErrImportOver
		}
		return nil, nil
	case TakeUserRows:
		switch {
		case !i.At(cmd.Municipality, cmd.School):
			return nil, ErrNoImport
		case cmd.From != i.Done || cmd.Rows < 1 || cmd.From+cmd.Rows > i.Rows: // another request takes them
			return nil, ErrImportOver
		}
		return []UserImportEvent{UserRowsTaken{
			Import: cmd.Import, School: cmd.School, Rows: cmd.Rows, UserCounts: cmd.UserCounts, Problems: cmd.Problems,
		}}, nil
	}
	return nil, fmt.Errorf("identity: no decision on %T", cmd)
}

func (i UserImport) evolve(e UserImportEvent) UserImport {
	switch e := e.(type) {
	case UserImportStarted:
		i.Municipality, i.School, i.File, i.Rows = e.Municipality, e.School, e.File, e.Rows
	case UserRowsTaken:
		i.Done += e.Rows
		i.Invited += e.Invited
		i.Attached += e.Attached
		i.AlreadyHere += e.AlreadyHere
		i.Refused += e.Refused
		i.Problems = slices.Concat(i.Problems, e.Problems)
	}
	return i
}

// A UserImportEvent is something that has happened to a loading.
//
//sumtype:decl
type UserImportEvent interface {
	domain.Event
	userImport()
}

type (
	// UserImportStarted begins to load the users of a file, which is named by
	// its SHA-256. Rows are those that hold something.
	UserImportStarted struct {
		Import       domain.UserImportID   `json:"user_import_id"`
		Municipality domain.MunicipalityID `json:"municipality_id"`
		School       domain.SchoolID       `json:"school_id"`
		File         string                `json:"file_sha256"`
		Rows         int                   `json:"rows"`
	}

	// UserRowsTaken says what became of the next rows. With the last of them
	// the loading is complete.
	UserRowsTaken struct {
		Import domain.UserImportID `json:"user_import_id"`
		School domain.SchoolID     `json:"school_id"`
		Rows   int                 `json:"rows"`
		UserCounts
		Problems []RowProblem `json:"problems,omitempty"`
	}
)

func (UserImportStarted) EventType() string { return "identity.user_import_started" }
func (UserRowsTaken) EventType() string     { return "identity.user_rows_taken" }

func (UserImportStarted) userImport() {}
func (UserRowsTaken) userImport()     {}
