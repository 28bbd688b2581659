-- +goose Up

-- What follows from events: how far each reaction has come, and what it could
-- not do. The jobs themselves are in the schema jobs.
CREATE SCHEMA reaction;

CREATE TABLE reaction.offset (
  name     text        NOT NULL CONSTRAINT offset_pkey PRIMARY KEY,
  position bigint      NOT NULL CONSTRAINT offset_position CHECK (position >= 0), -- done up to here
  epoch    bigint      NOT NULL DEFAULT 1, -- raised by every reset: a window chosen before it is never committed after it
  moved_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 10);

-- Events that a reaction can never handle. They wait for the operator.
CREATE TABLE reaction.parked (
  name     text        NOT NULL CONSTRAINT parked_name REFERENCES reaction.offset,
  position bigint      NOT NULL,
  reason   text        NOT NULL,
  at       timestamptz NOT NULL,
  CONSTRAINT parked_pkey PRIMARY KEY (name, position)
);

-- Letters that were given up, by the event they tell of. No address, no name.
CREATE TABLE reaction.undelivered (
  event    uuid        NOT NULL CONSTRAINT undelivered_pkey PRIMARY KEY,
  position bigint      NOT NULL,
  stream   text        NOT NULL, -- whom it was for
  reason   text        NOT NULL,
  at       timestamptz NOT NULL
);
CREATE INDEX undelivered_stream ON reaction.undelivered (stream);

-- Letters that a server with --dev would have sent. Empty everywhere else.
CREATE TABLE reaction.dev_mail (
  id         bigint      GENERATED ALWAYS AS IDENTITY CONSTRAINT dev_mail_pkey PRIMARY KEY,
  message_id text        NOT NULL,
  at         timestamptz NOT NULL,
  recipient  text        NOT NULL,
  subject    text        NOT NULL,
  text       text        NOT NULL,
  html       text        NOT NULL
);

GRANT USAGE ON SCHEMA reaction TO zurnals_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA reaction TO zurnals_app;

-- +goose Down
DROP SCHEMA reaction CASCADE;
