package identity_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"zurnals/domain"
	"zurnals/domain/identity"
	"zurnals/internal/trace"
)

var (
	correctCode = identity.CorrectPersonalCode{Account: anna, PersonalCode: "320000-12345", Reason: "Failā bija cita kods"}
	codeIs      = identity.PersonalCodeCorrected{
		Account: anna, OldCode: "16117519997", PersonalCode: "32000012345", Email: "Anna@skola.lv", Reason: "Failā bija cita kods",
	}
	unsigned = identity.ExternalLoginDisconnected{Account: anna, Provider: identity.Eparaksts, Issuer: eparaksts.Issuer, Subject: eparaksts.Subject}
)

// What rests on the wrong code ends with it.
func TestAPersonalCodeIsCorrected(t *testing.T) {
	trace.Covers(t, "EMU-097")
	given(invited).When(correctCode).Then(t, codeIs)
	given(invited, codeIs).When(correctCode).Then(t) // asked twice
	given(inUse...).When(correctCode).Then(t, codeIs, ended)
	given(inUse...).And(connected, signed).When(correctCode).Then(t, codeIs, unsigned, ended)
	given(inUse...).And(connected, signed, codeIs, unsigned, ended).When(connectSigned).ThenRefused(t, identity.ErrExternalOther)

	given().When(correctCode).ThenRefused(t, identity.ErrNoAccount)
	given(invited, withdrawn).When(correctCode).ThenRefused(t, identity.ErrNoAccount)
	bad := correctCode
	bad.PersonalCode = "161175-19998"
	given(invited).When(bad).ThenRefused(t, domain.ErrPersonalCode, "personal_code")
	bad.PersonalCode = " "
	given(invited).When(bad).ThenRefused(t, identity.ErrCodeMissing, "personal_code")
	bad.Reason = " "
	given(invited).When(bad).ThenRefused(t, domain.ErrFields, "personal_code", "reason")
	bad.PersonalCode = correctCode.PersonalCode
	given(invited).When(bad).ThenRefused(t, domain.ErrTextMissing, "reason")
}

// The right code is the account's alone, the wrong one is free again.
func TestACorrectedCodeMovesItsClaim(t *testing.T) {
	if d := cmp.Diff([]domain.Claim{identity.PersonalCodeClaim("32000012345")}, codeIs.Claims()); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]domain.Claim{identity.PersonalCodeClaim("16117519997")}, codeIs.Releases()); d != "" {
		t.Error(d)
	}
	first := codeIs
	first.OldCode = "" // an administrator whom the operator invited without a code
	if got := first.Releases(); got != nil {
		t.Errorf("releases %v", got)
	}
}
