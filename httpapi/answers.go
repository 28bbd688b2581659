package httpapi

import (
	"fmt"

	"zurnals/projections"
)

// none is the input or output of a route that has none.
type none struct{}

// made is answered when a thing has been made: where it is, and its id.
type made struct {
	Location string `header:"Location"`
	Body     struct {
		ID string `json:"id" format:"uuid"`
	}
}

// madeAt returns the answer for a thing made at a path below the prefix that
// ends in its id.
func madeAt(path string, id fmt.Stringer) *made {
	m := &made{Location: prefix + path + "/" + id.String()}
	m.Body.ID = id.String()
	return m
}

// A PageOnly asks for one page of a list that cannot be searched. It is embedded
// in the input of a route, and exported because huma looks at no other embedded
// structs.
type PageOnly struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"how many at most"`
	Cursor string `query:"cursor" maxLength:"1000" doc:"next of the page before"`
}

// A Page asks for one page of a list.
type Page struct {
	PageOnly
	Query string `query:"q" maxLength:"100" doc:"only those whose name contains this; case and diacritics do not matter"`
}

func (p PageOnly) asked() projections.Page {
	return projections.Page{Limit: p.Limit, Cursor: p.Cursor}
}

func (p Page) asked() projections.Page {
	page := p.PageOnly.asked()
	page.Search = p.Query
	return page
}

// A list is one page of an answer. The items are never null.
type list[T any] struct {
	Body struct {
		Items []T    `json:"items" nullable:"false"`
		Next  string `json:"next,omitempty" doc:"cursor of the next page; absent on the last"`
	}
}

// listOf returns a page made of items.
func listOf[T any](items []T, next string) *list[T] {
	l := new(list[T])
	l.Body.Items, l.Body.Next = items, next
	if items == nil {
		l.Body.Items = []T{}
	}
	return l
}
