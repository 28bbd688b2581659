-- +goose Up

-- Read models are not made here: the program makes each in a schema of its
-- own, rm_<name>_v<version>, from the log. Here is what they have in common.
CREATE SCHEMA projection;

-- Epochs are from one sequence: counted in each row, those of two schemas
-- would be equal one day, and after a swap the old runner would not be fenced.
CREATE SEQUENCE projection.epoch;

CREATE TABLE projection.checkpoint (
  schema   text   NOT NULL CONSTRAINT checkpoint_pkey PRIMARY KEY,
  position bigint NOT NULL CONSTRAINT checkpoint_position CHECK (position >= 0),
  epoch    bigint NOT NULL, -- whose runner it is
  retired_at timestamptz    -- when another schema took its place
);

GRANT USAGE ON SCHEMA projection TO zurnals_app;
GRANT USAGE ON SEQUENCE projection.epoch TO zurnals_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON projection.checkpoint TO zurnals_app;

-- Views for analysts. The program makes them, so that they move to the new
-- tables in the transaction in which a rebuilt read model takes its place.
CREATE SCHEMA analytics;
GRANT USAGE, CREATE ON SCHEMA analytics TO zurnals_app;
GRANT USAGE ON SCHEMA analytics TO zurnals_analyst;

-- +goose Down
DROP SCHEMA analytics CASCADE;
DROP SCHEMA projection CASCADE;
