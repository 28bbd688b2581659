-- What is sealed of an event is more than a hash: its summary says also which
-- column is another one, when one is.

-- +goose Up

-- The summaries of events, 68 bytes each: those from position "first" on. At
-- most 28, so that a row needs no TOAST.
CREATE TABLE proof.summary (
  first     bigint NOT NULL CONSTRAINT summary_pkey PRIMARY KEY CONSTRAINT summary_first CHECK (first > 0),
  summaries bytea  NOT NULL CONSTRAINT summary_summaries CHECK (length(summaries) % 68 = 0 AND length(summaries) BETWEEN 68 AND 1904)
);
ALTER TABLE proof.summary ALTER summaries SET STORAGE PLAIN;
GRANT SELECT, INSERT ON proof.summary TO zurnals_app;

-- The leaves of the tree are hashes of summaries now: it is made anew.
TRUNCATE proof.hash, proof.checkpoint;

-- +goose Down
DROP TABLE proof.summary;
TRUNCATE proof.hash, proof.checkpoint;
