// Package texts holds what people are told, by stable code, in Latvian and in
// English (Latvian: ziņojumi). Programs read the code; people read the text.
//
// Each context has a file of its own with a table of codes. A test finds every
// code that the program can refuse with and wants both texts for it.
package texts

import (
	"fmt"
	"strings"

	"golang.org/x/text/language"
)

// A Language is one that texts are written in.
type Language string

const (
	Latvian Language = "lv" // of those who name no other
	English Language = "en"
)

// A Text is the same sentence in both languages. A “%s” in it stands for the
// one thing that a text may name, such as the limit that was passed.
type Text struct{ LV, EN string }

// tables are all texts there are, one table for each file of this package.
var tables = []map[string]Text{core, fields, identity, organisation, attendance, reactions, rows, users, audit, proofs, account, exams, surveys}

var all = merge(tables)

func merge(tables []map[string]Text) map[string]Text {
	merged := make(map[string]Text)
	for _, table := range tables {
		for code, text := range table {
			if _, ok := merged[code]; ok {
				panic(fmt.Sprintf("code %q has two texts", code))
			}
			merged[code] = text
		}
	}
	return merged
}

// Of returns the text of a code, or "" if there is none.
func Of(l Language, code string) string { return in(l, all[code]) }

// Format returns the text of a code with what it names put in.
func Format(l Language, code, what string) string {
	if code == "field.type" {
		what = in(l, types[what])
	}
	return strings.Replace(Of(l, code), "%s", what, 1)
}

// IsType says whether field.type can name a type.
func IsType(what string) bool { _, ok := types[what]; return ok }

func in(l Language, t Text) string {
	if l == English {
		return t.EN
	}
	return t.LV
}

// Codes returns all codes with their texts.
func Codes() map[string]Text {
	codes := make(map[string]Text, len(all))
	for code, text := range all {
		codes[code] = text
	}
	return codes
}

var matcher = language.NewMatcher([]language.Tag{language.Latvian, language.English})

// Choose returns the language that an Accept-Language header prefers.
func Choose(accept string) Language {
	if accept == "" || len(accept) > 1000 {
		return Latvian
	}
	tags, _, err := language.ParseAcceptLanguage(accept)
	if err != nil {
		return Latvian
	}
	if _, i, confidence := matcher.Match(tags...); i == 1 && confidence > language.No {
		return English
	}
	return Latvian
}
