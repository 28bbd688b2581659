package commands

import (
	"context"
	"fmt"
	"strings"

	"zurnals/domain"
	"zurnals/domain/identity"
	"zurnals/domain/learner"
)

// SweepCredentials throws away what was kept outside the log and is named by no
// event: for an append that came to nothing, or whose former credential could
// not be deleted.
func (c *Commands) SweepCredentials(ctx context.Context) error {
	return c.Credentials.Sweep(ctx, c.namedCredentials)
}

// namedCredentials returns all credentials that the events of some streams name
// now: only these count. It opens nothing: ids are not sealed.
func (c *Commands) namedCredentials(ctx context.Context, streams []string) (named []domain.CredentialID, err error) {
	stored, err := c.Log.ReadStreams(ctx, streams...)
	if err != nil {
		return nil, refusal(err)
	}
	for _, stream := range streams {
		history, err := c.decodeSealed(stored[stream])
		if err != nil {
			return nil, err
		}
		switch category, _, _ := strings.Cut(stream, "-"); category {
		case identity.Accounts.Category:
			account, err := fold(identity.Accounts, stream, history)
			if err != nil {
				return nil, err
			}
			named = append(named, account.Credentials()...)
		case learner.Accounts.Category:
			account, err := fold(learner.Accounts, stream, history)
			if err != nil {
				return nil, err
			}
			named = append(named, account.Credential)
		default:
			return nil, fmt.Errorf("the stream %s names no credentials", stream)
		}
	}
	return named, nil
}
