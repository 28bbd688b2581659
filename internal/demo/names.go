package demo

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// The names are common ones, put together by chance: nobody is meant.
var (
	girls = strings.Fields(`Anna Sofija Emīlija Marta Elizabete Alise Katrīna Paula Estere Amēlija Šarlote Līva Elza Adele Patrīcija
		Ieva Laura Kristīne Līga Zane Agnese Dārta Rūta Undīne Madara Žanete Ņina Ģertrūde Ķērsta Čarlote Ūla Jūlija Viktorija Evelīna Annija`)
	boys = strings.Fields(`Roberts Gustavs Olivers Markuss Jēkabs Kārlis Teodors Ralfs Kristaps Mārtiņš Jānis Pēteris Artūrs Emīls Ādams
		Edgars Rihards Toms Niks Dāvis Krišjānis Ēriks Žanis Ģirts Ķirils Uldis Valdis Ņikita Aleksandrs Maksims Daniels Leo Herberts Hugo Žoržs`)
	// Families have a form for men and one for women.
	families = strings.Fields(`Bērziņš/Bērziņa Kalniņš/Kalniņa Ozoliņš/Ozoliņa Jansons/Jansone Ozols/Ozola Liepiņš/Liepiņa Krūmiņš/Krūmiņa
		Balodis/Balode Eglītis/Eglīte Zariņš/Zariņa Pētersons/Pētersone Vītols/Vītola Kļaviņš/Kļaviņa Kārkliņš/Kārkliņa Vanags/Vanaga
		Šteinbergs/Šteinberga Āboliņš/Āboliņa Ūdris/Ūdre Žagars/Žagare Čakstiņš/Čakstiņa Ģēģeris/Ģēģere Ķēniņš/Ķēniņa Ņikitins/Ņikitina
		Šmits/Šmite Dūmiņš/Dūmiņa Grīnbergs/Grīnberga Lācis/Lāce Vilks/Vilka Siliņš/Siliņa Rozītis/Rozīte Puriņš/Puriņa Strazdiņš/Strazdiņa
		Celmiņš/Celmiņa Mežulis/Mežule Auziņš/Auziņa Ērglis/Ērgle Īvāns/Īvāne Žīgurs/Žīgure Ceriņš/Ceriņa Dzenis/Dzene Sprūdžs/Sprūdža`)
	places = strings.Fields(`Ābeļciema Bērzgala Ceriņkalna Dzilnas Egļupes Gāršas Ievkalna Jāņkalna Ķiršu Liepsalas Mežmalas Niedrāju
		Ozolkalna Priežmalas Rasas Saulgriežu Šalkas Upeskalna Vītolu Zīļukalna Žubīšu Ēnavas`)
)

// A Person of the demo.
type Person struct{ Given, Family, Code string }

// people makes people up. The same chance makes the same people.
type people struct {
	chance *rand.Rand
	codes  map[string]bool
}

func (p *people) next() Person {
	family := strings.Split(families[p.chance.IntN(len(families))], "/")
	if p.chance.IntN(2) == 0 {
		return Person{girls[p.chance.IntN(len(girls))], family[1], p.code()}
	}
	return Person{boys[p.chance.IntN(len(boys))], family[0], p.code()}
}

// code returns a personal code of the new form, which says nothing about its
// bearer, and which nobody of the demo has yet.
func (p *people) code() string {
	for {
		code := fmt.Sprintf("3%d%04d-%05d", 2+p.chance.IntN(8), p.chance.IntN(10_000), p.chance.IntN(100_000))
		if !p.codes[code] {
			p.codes[code] = true
			return code
		}
	}
}

// plain writes a name as it stands in an address.
func plain(name string) string {
	return strings.ToLower(strings.NewReplacer(
		"ā", "a", "č", "c", "ē", "e", "ģ", "g", "ī", "i", "ķ", "k", "ļ", "l", "ņ", "n", "š", "s", "ū", "u", "ž", "z",
		"Ā", "a", "Č", "c", "Ē", "e", "Ģ", "g", "Ī", "i", "Ķ", "k", "Ļ", "l", "Ņ", "n", "Š", "s", "Ū", "u", "Ž", "z",
	).Replace(name))
}
