-- +goose Up

-- What became of the events that a reaction had put aside, by whose decision.
-- A row here is for good: the application adds them and can change none.
CREATE TABLE reaction.settled (
  name       text        NOT NULL CONSTRAINT settled_name REFERENCES reaction.offset,
  position   bigint      NOT NULL,
  how        text        NOT NULL CONSTRAINT settled_how CHECK (how IN ('replayed', 'skipped')),
  reason     text        NOT NULL, -- why it was skipped; empty for a replay
  fault      text        NOT NULL, -- why it had been put aside, and when
  parked_at  timestamptz NOT NULL,
  actor_kind text        NOT NULL, -- who decided
  actor      uuid,
  at         timestamptz NOT NULL,
  CONSTRAINT settled_pkey PRIMARY KEY (name, position), -- an event is put aside once
  CONSTRAINT settled_reason CHECK ((how = 'skipped') = (reason <> ''))
);
GRANT SELECT, INSERT ON reaction.settled TO zurnals_app;

-- +goose Down
DROP TABLE reaction.settled;
