package eventstore

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// unavailable marks errors of a database that is gone, going, or overloaded.
// Mistakes in a statement, and the end of the caller's context, stay as they are.
func unavailable(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	var refused *pgconn.PgError
	if !errors.As(err, &refused) {
		return fmt.Errorf("%w: %w", ErrUnavailable, err) // the network, not the server
	}
	switch code := refused.Code; {
	case strings.HasPrefix(code, "08"), // connection
		strings.HasPrefix(code, "53"), // out of memory, disk, connections
		strings.HasPrefix(code, "57"), // shutting down, starting up, cancelled
		code == "25006",               // read only: a standby
		code == "40001", code == "40P01", code == "55P03":
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err
}

// noPartition tells whether an insert found no partition for its row.
func noPartition(err error) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && refused.Code == "23514" && refused.ConstraintName == ""
}
