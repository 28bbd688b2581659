package httpapi

import (
	"context"
	"net/http"

	"zurnals/domain/access"
)

// installationRoutes are for those who work for the whole installation: its
// administrators, auditors and analysts (S-49).
func (a *API) installationRoutes() {
	const tag = "users"
	handle(a, route{
		id: "invite-installation-user", method: "POST", path: "/platform/users", tag: tag, permission: access.GivePlatformRole, status: http.StatusCreated, limit: limitMail,
		summary: "Have somebody work for the whole installation", about: inviteAbout,
	}, func(ctx context.Context, by access.Actor, in *inviteToInstallationIn) (*inviteOut, error) {
		return a.invite(ctx, by, access.Scope{}, nil, in.Body)
	})
	handle(a, route{
		id: "give-installation-role", method: "PUT", path: "/platform/users/{account}/roles/{role}", tag: tag, permission: access.GivePlatformRole,
		summary: "Give somebody who works anywhere a role in the whole installation",
	}, func(ctx context.Context, by access.Actor, in *installationRoleIn) (*assignmentOut, error) {
		return a.give(ctx, by, access.Scope{}, nil, in.Account, access.Role(in.Role))
	})
	handle(a, route{
		id: "take-installation-role", method: "DELETE", path: "/platform/users/{account}/roles/{role}", tag: tag, permission: access.GivePlatformRole, status: http.StatusNoContent,
		summary: "Take a role in the whole installation from somebody",
	}, func(ctx context.Context, by access.Actor, in *installationRoleIn) (*none, error) {
		return a.take(ctx, by, access.Scope{}, nil, in.Account, access.Role(in.Role))
	})
}

type (
	inviteToInstallationIn struct{ Body newUser }
	installationRoleIn     struct {
		Account string `path:"account" maxLength:"36"`
		Role    string `path:"role" maxLength:"50" doc:"platform_admin, auditor, analyst"`
	}
)
