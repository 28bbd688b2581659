-- +goose Up

-- The last letter to each person that the mail server took.
CREATE TABLE reaction.sent (
  stream   text        NOT NULL CONSTRAINT sent_pkey PRIMARY KEY, -- whom it was for
  position bigint      NOT NULL, -- of the event it tells of
  at       timestamptz NOT NULL
);
GRANT SELECT, INSERT, UPDATE, DELETE ON reaction.sent TO zurnals_app;

-- +goose Down
DROP TABLE reaction.sent;
