package projections

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"unicode"

	"github.com/jackc/pgx/v5"
	"golang.org/x/text/runes"
	"golang.org/x/text/transform"
	"golang.org/x/text/unicode/norm"

	"zurnals/domain"
)

// Most rows on one page of a list, and how many where nobody says.
const (
	pageDefault = 50
	pageMost    = 200
)

// ErrCursor refuses a cursor that no page has given.
var ErrCursor = domain.Refuse(domain.Invalid, "list.cursor", "not a cursor of this list")

// A Page asks for one page of a list.
type Page struct {
	Limit  int    // how many rows; zero for the usual number
	Cursor string // of the page before; empty for the first
	Search string // only what contains this, see Searchable
}

// Size returns how many rows the page has at most. A query asks for one more,
// which tells Cut whether there is a next page.
func (p Page) Size() int {
	if p.Limit <= 0 {
		return pageDefault
	}
	return min(p.Limit, pageMost)
}

// After returns the sort key, of n parts, of the last row of the page before.
// For the first page it is n empty strings, and ok is false.
func (p Page) After(n int) (key []string, ok bool, err error) {
	if p.Cursor == "" {
		return make([]string, n), false, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(p.Cursor)
	if err != nil || json.Unmarshal(raw, &key) != nil || len(key) != n || strings.ContainsRune(strings.Join(key, ""), 0) {
		return nil, false, ErrCursor.In("query.cursor")
	}
	return key, true, nil
}

// Pattern returns what Search means for LIKE on a searchable column.
func (p Page) Pattern() string {
	escape := strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)
	return "%" + escape.Replace(Searchable(p.Search)) + "%"
}

// Cut takes the row too many off a page and returns the cursor of the next
// page, or "" if this is the last. Key returns the sort key of a row.
func Cut[R any](p Page, rows []R, key func(R) []string) ([]R, string) {
	if len(rows) <= p.Size() {
		return rows, ""
	}
	rows = rows[:p.Size()]
	raw, err := json.Marshal(key(rows[len(rows)-1]))
	if err != nil {
		panic(err) // strings can always be written
	}
	return rows, base64.RawURLEncoding.EncodeToString(raw)
}

// Searchable returns s in the form in which it is searched: without case and
// diacritics, so that "liepina" finds Liepiņa. Handlers fill a column with it.
func Searchable(s string) string {
	strip := transform.Chain(norm.NFD, runes.Remove(runes.In(unicode.Mn)), norm.NFC)
	plain, _, err := transform.String(strip, s)
	if err != nil {
		plain = s
	}
	return strings.ToLower(strings.Join(strings.Fields(plain), " "))
}

// Collect reads the rows of a query into values; fields returns where the columns of
// one go. There are none rather than nil.
func Collect[R any](rows pgx.Rows, err error, fields func(*R) []any) ([]R, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := []R{}
	for rows.Next() {
		var r R
		if err := rows.Scan(fields(&r)...); err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, rows.Err()
}

// Optional returns nil, which is NULL, for an id that is not there: a condition of
// a query that may be left out.
func Optional[ID interface{ IsZero() bool }](id ID) *ID {
	if id.IsZero() {
		return nil
	}
	return &id
}

// Fewest is how many people there must be behind a figure that is not about
// single ones (S-16, S-56).
const Fewest = 5

// OrNone returns the error of a query for one row: none if there is no such row.
func OrNone(err, none error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return none
	}
	return err
}
