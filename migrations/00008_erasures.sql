-- Who was erased since a time: for the ledger that is kept outside the database.

-- +goose Up
CREATE INDEX subject_key_destroyed_at ON es.subject_key (destroyed_at) WHERE destroyed_at IS NOT NULL;

-- +goose Down
DROP INDEX es.subject_key_destroyed_at;
