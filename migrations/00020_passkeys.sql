-- Passkeys are credentials beside passwords: a row means nothing until an event
-- names its id. The public key is no secret; the counter tells a copied
-- authenticator.

-- +goose Up
ALTER TABLE web.credential ALTER COLUMN hash DROP NOT NULL; -- a passkey has none

CREATE TABLE web.passkey (
    id              uuid PRIMARY KEY REFERENCES web.credential ON DELETE CASCADE,
    key_id          bytea NOT NULL UNIQUE CHECK (length(key_id) BETWEEN 1 AND 1023), -- as the authenticator calls it
    account         uuid NOT NULL,
    public_key      bytea NOT NULL,
    sign_count      bigint NOT NULL,
    backup_eligible boolean NOT NULL,
    transports      text[] NOT NULL,
    used_at         timestamptz,
    suspended_at    timestamptz -- its counter went back: there is a copy
);
CREATE INDEX passkey_account ON web.passkey (account);

-- What an authenticator is asked to sign, once. Only hashes of the names.
CREATE TABLE web.passkey_challenge (
    hash       bytea PRIMARY KEY CHECK (length(hash) = 32),
    account    uuid NOT NULL, -- zero: to sign in
    session    uuid NOT NULL,
    data       bytea NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX passkey_challenge_expires_at ON web.passkey_challenge (expires_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON web.passkey, web.passkey_challenge TO zurnals_app;
