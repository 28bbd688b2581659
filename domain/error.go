package domain

// A Kind says what sort of refusal an Error is; HTTP statuses follow from it.
type Kind uint8

const (
	Invalid         Kind = iota + 1 // the request makes no sense as it stands
	Unauthenticated                 // who asks is not known
	Forbidden                       // the person may not do this
	NotFound                        // there is no such thing, or none this person may see
	Conflict                        // what has happened since rules this out
	Gone                            // it was possible once and no longer is
	Stale                           // somebody else has changed it since it was read
	Locked                          // it may no longer be changed
	TooLarge                        // more than is taken at once
	TooMany                         // asked too often: try again later
	Unavailable                     // not now, for a reason of ours: try again later
)

// An Error is a refusal meant for the person who asked. Every other error is
// ours: it is logged, and the person is told only that something went wrong.
type Error struct {
	Kind    Kind
	Code    string // stable, "context.reason": for programs and for translation
	Text    string // English, for developers
	Details []Detail
}

// A Detail says which part of the request an Error is about: a field of the
// body, or a row and column of a file.
type Detail struct {
	Field  string // path in the body, such as "email" or "marks[3].status"
	File   string // in an archive
	Row    int    // of a file, as a person counts: the heading is row 1
	Column string // heading of the column
	Code   string
	What   string // the one thing that texts of the code name, such as the version it has now
	Text   string // English
}

func (e *Error) Error() string {
	if len(e.Details) > 0 && e.Details[0].Text != "" {
		return e.Text + ": " + e.Details[0].Text
	}
	return e.Text
}

// Is makes errors.Is compare codes, so that a refusal with details is still
// the refusal it was made from.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// With returns the same refusal with details.
func (e *Error) With(details ...Detail) *Error {
	return &Error{Kind: e.Kind, Code: e.Code, Text: e.Text, Details: details}
}

// In returns the same refusal about one field of the request.
func (e *Error) In(field string) *Error {
	return e.With(Detail{Field: field, Code: e.Code, Text: e.Text})
}

// Refuse returns a refusal to be kept in a package variable and compared with
// errors.Is.
func Refuse(kind Kind, code, text string) *Error {
	return &Error{Kind: kind, Code: code, Text: text}
}
