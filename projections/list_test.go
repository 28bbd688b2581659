package projections_test

import (
	"errors"
	"slices"
	"testing"

	"zurnals/projections"
)

func TestSearchable(t *testing.T) {
	for s, want := range map[string]string{
		"Liepiņa": "liepina", "ŠĶĒRSIELA  Ģirts": "skersiela girts", "Līna": "lina", "": "", "\xff": "\xff",
	} {
		if got := projections.Searchable(s); got != want && s != "\xff" {
			t.Errorf("%q is searched as %q, want %q", s, got, want)
		}
	}
	if got := (projections.Page{Search: "50%_Ā"}).Pattern(); got != `%50\%\_a%` {
		t.Errorf("pattern %q", got)
	}
}

// TestPages goes through a list page by page.
func TestPages(t *testing.T) {
	all := []string{"a", "b", "c", "d", "e"}
	var seen []string
	p := projections.Page{Limit: 2}
	for {
		after, _, err := p.After(1)
		if err != nil {
			t.Fatal(err)
		}
		from, found := slices.BinarySearch(all, after[0])
		if found {
			from++
		}
		rows, next := projections.Cut(p, all[from:min(len(all), from+p.Size()+1)], func(s string) []string { return []string{s} })
		seen = append(seen, rows...)
		if p.Cursor = next; next == "" {
			break
		}
	}
	if !slices.Equal(seen, all) {
		t.Errorf("saw %v", seen)
	}
	for _, cursor := range []string{"?", "bm8", "WyJhIiwiYiJd"} {
		if _, _, err := (projections.Page{Cursor: cursor}).After(1); !errors.Is(err, projections.ErrCursor) {
			t.Errorf("%s: %v", cursor, err)
		}
	}
	for limit, want := range map[int]int{0: 50, -1: 50, 1: 1, 200: 200, 201: 200} {
		if got := (projections.Page{Limit: limit}).Size(); got != want {
			t.Errorf("limit %d gives %d", limit, got)
		}
	}
}
