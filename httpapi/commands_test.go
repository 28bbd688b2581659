package httpapi

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"zurnals/commands"
	"zurnals/domain/access"
	"zurnals/domain/catalogue"
	"zurnals/eventstore"
)

// A request sent again under its key is answered as it was the first time, and
// nothing more happens. Another one under the same key is refused.
func TestARepeatedRequestIsCarriedOutOnce(t *testing.T) {
	type in struct {
		Body struct {
			Name string `json:"name" maxLength:"100"`
		}
	}
	w := newWorld(t, func(a *API) {
		handle(a, route{id: "register", method: "POST", path: "/towns", summary: "Register", permission: access.ManageMunicipality, status: 201},
			func(ctx context.Context, by access.Actor, in *in) (*made, error) {
				id, err := a.Commands.RegisterMunicipality(ctx, by, commands.RegisterMunicipality{Name: in.Body.Name})
				if err != nil {
					return nil, err
				}
				return madeAt("/municipalities", id), nil
			})
	})
	keys := eventstore.NewMemoryKeys()
	log := eventstore.NewMemory(w.api.Now, keys)
	w.api.Commands = &commands.Commands{Log: log, Keys: keys, Catalogue: catalogue.All, Now: w.api.Now}
	token := "Authorization: Bearer " + w.signIn(access.Assignment{Role: access.PlatformAdmin})
	head := func() int64 {
		t.Helper()
		head, err := log.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return head
	}
	send := func(name, key string) answer {
		t.Helper()
		return w.send("POST", "/api/v1/towns", fmt.Sprintf(`{"name":%q}`, name), token, "Idempotency-Key: "+key)
	}

	first := send("Ogre", "key-00001")
	if first.Code != 201 || first.Header().Get("Zurnals-Position") != "1" || !strings.HasPrefix(first.Header().Get("Location"), "/api/v1/municipalities/") {
		t.Fatalf("%d %s %v", first.Code, first.Body, first.Header())
	}
	again := send("Ogre", "key-00001")
	if again.Code != 201 || again.Body.String() != first.Body.String() || again.Header().Get("Zurnals-Position") != "1" || again.Header().Get("Zurnals-Repeated") != "true" {
		t.Errorf("%d %s %v", again.Code, again.Body, again.Header())
	}
	send("Bauska", "key-00001").wants(t, 422, "idempotency.reused")
	send("Ogre", "key-00002").wants(t, 409, "organisation.municipality_exists", "name")
	if got := head(); got != 1 {
		t.Errorf("%d events; want 1", got)
	}
	if a := send("Bauska", "key-00003"); a.Code != 201 || a.Header().Get("Zurnals-Position") != "2" {
		t.Errorf("%d %s %v", a.Code, a.Body, a.Header())
	}
}
