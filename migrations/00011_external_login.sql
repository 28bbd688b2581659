-- Sign-ins at other services that have been begun. What connects a service for
-- good is an event; these rows live for ten minutes.

-- +goose Up
CREATE TABLE web.external_flow (
    state_hash   bytea PRIMARY KEY CHECK (length(state_hash) = 32),
    browser_hash bytea NOT NULL CHECK (length(browser_hash) = 32),
    provider     text NOT NULL,
    account      uuid NOT NULL, -- zero: nobody was signed in
    session      uuid NOT NULL,
    expires_at   timestamptz NOT NULL
);
CREATE INDEX external_flow_expires_at ON web.external_flow (expires_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON web.external_flow TO zurnals_app;
