-- What the web server keeps that is neither the log nor built from it.

-- +goose Up
CREATE SCHEMA web;
GRANT USAGE ON SCHEMA web TO zurnals_app;

-- Who is signed in where. What ends the sessions of somebody for good is an
-- event that raises their generation; deleting rows only tidies up.
CREATE TABLE web.session (
    id         uuid PRIMARY KEY,
    token_hash bytea NOT NULL UNIQUE CHECK (length(token_hash) = 32),
    realm      text NOT NULL CHECK (realm IN ('staff', 'learner', 'citizen')),
    subject    uuid NOT NULL,
    generation integer NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    last_seen  timestamptz NOT NULL,
    user_agent text NOT NULL,
    address    bytea
);
CREATE INDEX session_subject ON web.session (realm, subject);

-- Passwords. A row means nothing until an event names its id.
CREATE TABLE web.credential (
    id         uuid PRIMARY KEY,
    hash       text NOT NULL,
    created_at timestamptz NOT NULL
);

-- Refusals, kept for a year. The same within one minute is one row.
CREATE TABLE web.security_log (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    minute       timestamptz NOT NULL,
    digest       bytea NOT NULL,
    kind         text NOT NULL,
    route        text NOT NULL,
    actor_kind   text NOT NULL,
    actor_id     uuid,
    role         text NOT NULL,
    municipality uuid,
    school       uuid,
    objects      uuid[],
    address      bytea,
    request      text NOT NULL,
    at           timestamptz NOT NULL,
    last_at      timestamptz NOT NULL,
    count        integer NOT NULL DEFAULT 1,
    UNIQUE (minute, digest)
);
CREATE INDEX security_log_school ON web.security_log (school, id);
CREATE INDEX security_log_actor ON web.security_log (actor_id, id);

-- How far the clock of a development server is ahead of the machine's.
CREATE TABLE web.dev_clock (
    one      boolean PRIMARY KEY DEFAULT true CHECK (one),
    ahead_us bigint NOT NULL
);

GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA web TO zurnals_app;
