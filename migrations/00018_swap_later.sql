-- +goose Up

-- Tables that were built and wait to be swapped in: they were never in use, and
-- are nothing to go back to.
ALTER TABLE projection.checkpoint ADD COLUMN unused boolean NOT NULL DEFAULT false;

-- An event may be put aside again after it was settled, by hand: each time is
-- settled in a row of its own.
ALTER TABLE reaction.settled DROP CONSTRAINT settled_pkey;
ALTER TABLE reaction.settled ADD COLUMN id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT settled_pkey PRIMARY KEY;
CREATE INDEX settled_name_at ON reaction.settled (name, at);

-- +goose Down
DROP INDEX reaction.settled_name_at;
ALTER TABLE reaction.settled DROP COLUMN id;
ALTER TABLE reaction.settled ADD CONSTRAINT settled_pkey PRIMARY KEY (name, position);
ALTER TABLE projection.checkpoint DROP COLUMN unused;
