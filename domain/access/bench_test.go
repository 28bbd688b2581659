package access_test

import (
	"testing"

	"zurnals/domain"
	"zurnals/domain/access"
)

// BenchmarkAllow asks what every request asks: whether a role may do a thing at
// a place.
func BenchmarkAllow(b *testing.B) {
	town, school := domain.NewID[domain.MunicipalityID](), domain.NewID[domain.SchoolID]()
	class := domain.NewID[domain.ClassID]()
	for _, c := range []struct {
		name string
		role access.Role
		held access.Scope
	}{
		{"class teacher", access.ClassTeacher, access.Scope{Municipality: town, School: school, Class: class}},
		{"school administrator", access.SchoolAdmin, access.Scope{Municipality: town, School: school}},
		{"platform administrator", access.PlatformAdmin, access.Scope{}},
	} {
		b.Run(c.name, func(b *testing.B) {
			by := access.Actor{Kind: domain.ActorAccount, Active: access.Assignment{Role: c.role, Scope: c.held}}
			need := access.At(access.SeeStudents, access.Scope{Municipality: town, School: school, Class: class})
			for b.Loop() {
				if err := by.Allow(need); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
