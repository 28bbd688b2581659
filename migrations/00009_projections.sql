-- +goose Up

-- Processes that keep read models up to date. Each tells five times a second
-- that it is there; one that was not heard of for a second has lost its share
-- to the others. That only divides the work: what makes it right is the epoch.
CREATE TABLE projection.node (
  id      uuid        NOT NULL CONSTRAINT node_pkey PRIMARY KEY,
  seen    timestamptz NOT NULL, -- by the clock of the database
  schemas text[]      NOT NULL  -- that it can keep
);

ALTER TABLE projection.checkpoint
  ADD COLUMN holder    uuid,                      -- the node whose epoch it is
  ADD COLUMN paused_at timestamptz,               -- an operator wants it to stand still
  ADD COLUMN resumed   bigint NOT NULL DEFAULT 0, -- how often an operator said to try again
  ADD COLUMN problem   text;                      -- why it stopped

-- Streams that a read model has put aside, each from its first event that could
-- not be handled. The rest of the log goes on without them.
CREATE TABLE projection.parked (
  schema    text        NOT NULL,
  stream    text        NOT NULL,
  position  bigint      NOT NULL, -- of that event
  version   int         NOT NULL,
  type      text        NOT NULL,
  problem   text        NOT NULL,
  parked_at timestamptz NOT NULL,
  CONSTRAINT parked_pkey PRIMARY KEY (schema, stream)
);

-- How far what is being built is, for those who ask from another process.
CREATE TABLE projection.build (
  name    text        NOT NULL CONSTRAINT build_pkey PRIMARY KEY,
  phase   text        NOT NULL,
  done    bigint      NOT NULL,
  total   bigint      NOT NULL,
  started timestamptz NOT NULL,
  seen    timestamptz NOT NULL -- by the clock of the database
);

GRANT SELECT, INSERT, UPDATE, DELETE ON projection.node, projection.parked, projection.build TO zurnals_app;

-- +goose Down
DROP TABLE projection.build;
DROP TABLE projection.parked;
ALTER TABLE projection.checkpoint DROP COLUMN holder, DROP COLUMN paused_at, DROP COLUMN resumed, DROP COLUMN problem;
DROP TABLE projection.node;
