-- The proof of the log: a Merkle tree over it, and what was signed of it. Both
-- only grow. Nothing else depends on them.

-- +goose Up
CREATE SCHEMA proof;
GRANT USAGE ON SCHEMA proof TO zurnals_app;

-- The hashes of the tree, 32 bytes each, in the order in which events complete
-- them: that of an event, then of every subtree that ends with it. A row holds
-- those from number "first" on. At most 60, so that a row needs no TOAST and
-- one hash is one look-up.
CREATE TABLE proof.hash (
  first  bigint NOT NULL CONSTRAINT hash_pkey PRIMARY KEY CONSTRAINT hash_first CHECK (first >= 0),
  hashes bytea  NOT NULL CONSTRAINT hash_hashes CHECK (length(hashes) % 32 = 0 AND length(hashes) BETWEEN 32 AND 1920)
);
ALTER TABLE proof.hash ALTER hashes SET STORAGE PLAIN;

-- What was signed: the note as the auditors have it, and what it says.
CREATE TABLE proof.checkpoint (
  size bigint      NOT NULL CONSTRAINT checkpoint_pkey PRIMARY KEY CONSTRAINT checkpoint_size CHECK (size > 0),
  at   timestamptz NOT NULL,
  note text        NOT NULL
);

GRANT SELECT, INSERT ON proof.hash, proof.checkpoint TO zurnals_app;

-- +goose Down
DROP SCHEMA proof CASCADE;
