-- +goose Up

-- People look for a part of a name. Indexes of read models find it by the
-- trigrams of the text; the extension comes with PostgreSQL.
CREATE SCHEMA trigram;
GRANT USAGE ON SCHEMA trigram TO zurnals_app;
CREATE EXTENSION pg_trgm SCHEMA trigram;

-- +goose Down
DROP EXTENSION pg_trgm;
DROP SCHEMA trigram;
