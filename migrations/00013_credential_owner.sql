-- Passwords that no event names are swept. The owner is the stream whose events
-- tell; it is empty for those that were kept before, which stay.

-- +goose Up
ALTER TABLE web.credential
    ADD COLUMN owner     text NOT NULL DEFAULT '',
    ADD COLUMN looked_at timestamptz; -- when it was last looked up in the log; never: null
CREATE INDEX credential_looked_at ON web.credential (looked_at NULLS FIRST, created_at);
