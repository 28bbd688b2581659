-- The log. zurnals_app reads it and appends through es.append, which has a
-- migration of its own; it cannot change or delete what is there.

-- +goose Up
CREATE SCHEMA es;
GRANT USAGE ON SCHEMA es TO zurnals_app;

-- Whoever appends locks this one row first, and holds it until commit: so
-- positions have no gaps, and a position is visible only when all before it are.
CREATE TABLE es.gate (
  one bool NOT NULL DEFAULT true CONSTRAINT gate_pkey PRIMARY KEY CONSTRAINT gate_one_row CHECK (one)
);
INSERT INTO es.gate DEFAULT VALUES;

-- Where each commit left the log; the newest is its head, the others are swept.
-- One row updated by every commit would be simpler, but while a backup holds a
-- snapshot its dead versions cannot go, and each append would wade through all
-- of them. The head is also what shows that the last events were taken out.
CREATE TABLE es.mark (
  position    bigint      NOT NULL CONSTRAINT mark_pkey PRIMARY KEY,
  recorded_at timestamptz NOT NULL
);
INSERT INTO es.mark (position, recorded_at) VALUES (0, 'epoch');
CREATE VIEW es.head AS SELECT m.position, m.recorded_at FROM es.mark m ORDER BY m.position DESC LIMIT 1;

-- Where each stream stands. Checked and set under the lock of the head, it is
-- what keeps versions exact.
CREATE TABLE es.stream (
  stream         text COLLATE "C" NOT NULL CONSTRAINT stream_pkey PRIMARY KEY,
  version        int    NOT NULL,
  first_position bigint NOT NULL,
  last_position  bigint NOT NULL
) WITH (fillfactor = 80);

-- meta and data are JSON kept as bytes: what is proven is the exact bytes.
CREATE TABLE es.event (
  position    bigint      NOT NULL CONSTRAINT event_pkey PRIMARY KEY,
  recorded_at timestamptz NOT NULL,
  id          uuid        NOT NULL,
  version     int         NOT NULL,
  schema      int         NOT NULL,
  stream      text COLLATE "C" NOT NULL,
  type        text COLLATE "C" NOT NULL,
  meta        bytea       NOT NULL,
  data        bytea       NOT NULL
) PARTITION BY RANGE (position);

-- How the log is cut: rows per partition, and the position where the next starts.
CREATE TABLE es.layout (
  one            bool   NOT NULL DEFAULT true CONSTRAINT layout_pkey PRIMARY KEY CONSTRAINT layout_one_row CHECK (one),
  partition_size bigint NOT NULL CONSTRAINT layout_size CHECK (partition_size > 0),
  next_position  bigint NOT NULL
);
INSERT INTO es.layout (partition_size, next_position) VALUES (1000000, 1);

-- What was answered to each command, for seven days. The streams and versions
-- are in the log itself.
CREATE TABLE es.command (
  id             uuid        NOT NULL CONSTRAINT command_pkey PRIMARY KEY,
  at             timestamptz NOT NULL,
  first_position bigint      NOT NULL,  -- 0: no events
  last_position  bigint      NOT NULL,
  fingerprint    bytea       NOT NULL
);
CREATE INDEX command_at ON es.command USING brin (at); -- what is swept is old, and the old stand together

-- Names that one stream may hold; only a keyed hash of the name.
CREATE TABLE es.claim (
  kind   text COLLATE "C" NOT NULL,
  hash   bytea NOT NULL,
  stream text COLLATE "C" NOT NULL,
  CONSTRAINT claim_pkey PRIMARY KEY (kind, hash)
);

-- The data key of each person, wrapped by the master key. Erased: no key, but
-- the row stays, so that none is made again.
CREATE TABLE es.subject_key (
  subject      uuid  NOT NULL CONSTRAINT subject_key_pkey PRIMARY KEY,
  wrapped      bytea,
  made_at      timestamptz NOT NULL,
  destroyed_at timestamptz,
  CONSTRAINT subject_key_destroyed CHECK ((wrapped IS NULL) = (destroyed_at IS NOT NULL))
);

-- Secrets of the program, by purpose, wrapped by the master key.
CREATE TABLE es.system_key (
  purpose text  NOT NULL CONSTRAINT system_key_pkey PRIMARY KEY,
  wrapped bytea NOT NULL
);

-- Which master key wraps them, and a value only that key opens.
CREATE TABLE es.master (
  one   bool  NOT NULL DEFAULT true CONSTRAINT master_pkey PRIMARY KEY CONSTRAINT master_one_row CHECK (one),
  id    text  NOT NULL,
  proof bytea NOT NULL
);

GRANT SELECT ON es.head, es.mark, es.stream, es.event, es.layout, es.command, es.claim, es.subject_key, es.system_key, es.master TO zurnals_app;

-- +goose StatementBegin
-- prepare_partitions makes sure that the next p_ahead positions have a
-- partition. Each is made apart and attached with a CHECK: that does not stop
-- those who append, as CREATE TABLE … PARTITION OF would.
CREATE FUNCTION es.prepare_partitions(p_ahead bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  cut  es.layout;
  goal bigint;
  upto bigint;
  name text;
BEGIN
  SELECT * INTO STRICT cut FROM es.layout FOR UPDATE;
  SELECT head.position + least(p_ahead, 4 * cut.partition_size) INTO STRICT goal FROM es.head;
  WHILE cut.next_position <= goal LOOP
    name := 'event_' || cut.next_position;
    upto := cut.next_position + cut.partition_size;
    EXECUTE format('CREATE TABLE es.%1$I (LIKE es.event, CONSTRAINT cut CHECK (position >= %2$s AND position < %3$s))',
      name, cut.next_position, upto);
    EXECUTE format('ALTER TABLE es.%1$I ADD CONSTRAINT %2$I PRIMARY KEY (position)', name, name || '_pkey');
    EXECUTE format('CREATE UNIQUE INDEX %2$I ON es.%1$I (stream, version)', name, name || '_stream');
    EXECUTE format('ALTER TABLE es.event ATTACH PARTITION es.%1$I FOR VALUES FROM (%2$s) TO (%3$s)',
      name, cut.next_position, upto);
    EXECUTE format('ALTER TABLE es.%1$I DROP CONSTRAINT cut', name);
    cut.next_position := upto;
  END LOOP;
  UPDATE es.layout SET next_position = cut.next_position WHERE layout.next_position <> cut.next_position;
  RETURN cut.next_position;
END $$;
-- +goose StatementEnd
SELECT es.prepare_partitions(1500000);

-- +goose StatementBegin
-- position_at finds the last position recorded at or before a time. Times rise
-- with positions, so it halves the log until it is there.
CREATE FUNCTION es.position_at(p_at timestamptz) RETURNS bigint
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  low  bigint := 0;  -- recorded at or before p_at
  high bigint;       -- after it
  mid  bigint;
BEGIN
  SELECT h.position + 1 INTO STRICT high FROM es.head h;
  WHILE high - low > 1 LOOP
    mid := (low + high) / 2;
    IF (SELECT e.recorded_at <= p_at FROM es.event e WHERE e.position = mid) THEN
      low := mid;
    ELSE
      high := mid;
    END IF;
  END LOOP;
  RETURN low;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
-- sweep forgets up to p_limit commands that were answered before a time, and
-- says how many it forgot. It keeps seven days whatever it is told.
CREATE FUNCTION es.sweep(p_before timestamptz, p_limit int) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  WITH old AS (
    SELECT c.id FROM es.command c
    WHERE c.at <= least(p_before, (SELECT h.recorded_at FROM es.head h) - interval '7 days')
    LIMIT p_limit FOR UPDATE SKIP LOCKED),
  gone AS (DELETE FROM es.command c USING old WHERE c.id = old.id RETURNING 1)
  SELECT count(*) FROM gone
$$;
-- +goose StatementEnd

-- +goose StatementBegin
-- sweep_marks leaves only the newest mark.
CREATE FUNCTION es.sweep_marks() RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  DELETE FROM es.mark m WHERE m.position < (SELECT h.position FROM es.head h)
$$;
-- +goose StatementEnd

-- +goose StatementBegin
-- ensure_keys makes the keys of those subjects that have no row and returns the
-- keys of all; NULL where destroyed. Subjects come in order, so that two calls
-- cannot wait for each other.
CREATE FUNCTION es.ensure_keys(p_master text, p_at timestamptz, p_subject uuid[], p_wrapped bytea[])
RETURNS TABLE (subject uuid, wrapped bytea)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM FROM es.master m WHERE m.id = p_master FOR SHARE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'master key % is not the one of this database', p_master USING ERRCODE = 'ES002';
  END IF;
  INSERT INTO es.subject_key AS k (subject, wrapped, made_at)
  SELECT n.subject, n.wrapped, p_at FROM unnest(p_subject, p_wrapped) n(subject, wrapped)
  ON CONFLICT ON CONSTRAINT subject_key_pkey DO NOTHING;
  RETURN QUERY SELECT k.subject, k.wrapped FROM es.subject_key k WHERE k.subject = ANY (p_subject);
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
-- ensure_secret keeps a secret unless there is one for this purpose already,
-- and returns the one that is kept.
CREATE FUNCTION es.ensure_secret(p_master text, p_purpose text, p_wrapped bytea) RETURNS bytea
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM FROM es.master m WHERE m.id = p_master FOR SHARE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'master key % is not the one of this database', p_master USING ERRCODE = 'ES002';
  END IF;
  INSERT INTO es.system_key AS k (purpose, wrapped) VALUES (p_purpose, p_wrapped) ON CONFLICT ON CONSTRAINT system_key_pkey DO NOTHING;
  RETURN (SELECT k.wrapped FROM es.system_key k WHERE k.purpose = p_purpose);
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
-- register_master makes a master key the one of this database if there is none
-- and nothing is wrapped yet. It returns the one that is registered, or nothing
-- when wrapped keys are there without a master.
CREATE FUNCTION es.register_master(p_id text, p_proof bytea) RETURNS TABLE (id text, proof bytea)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  LOCK TABLE es.master IN SHARE ROW EXCLUSIVE MODE;
  INSERT INTO es.master AS m (id, proof) SELECT p_id, p_proof
  WHERE NOT EXISTS (SELECT FROM es.master) AND NOT EXISTS (SELECT FROM es.subject_key k WHERE k.wrapped IS NOT NULL) AND NOT EXISTS (SELECT FROM es.system_key);
  RETURN QUERY SELECT m.id, m.proof FROM es.master m;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
-- rewrap replaces every wrapped key at once when the master key is rotated. It
-- refuses when a key was made or destroyed since they were read.
CREATE FUNCTION es.rewrap(p_old text, p_id text, p_proof bytea, p_subject uuid[], p_key bytea[], p_purpose text[], p_secret bytea[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM FROM es.gate FOR UPDATE;  -- no erasure now
  UPDATE es.master m SET id = p_id, proof = p_proof WHERE m.id = p_old;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'master key % is not the one of this database', p_old USING ERRCODE = 'ES002';
  END IF;
  IF (SELECT count(*) FROM es.subject_key k WHERE k.wrapped IS NOT NULL) <> cardinality(p_subject)
     OR (SELECT count(*) FROM es.system_key) <> cardinality(p_purpose) THEN
    RAISE EXCEPTION 'keys changed while they were wrapped anew' USING ERRCODE = 'ES003';
  END IF;
  UPDATE es.subject_key k SET wrapped = n.wrapped FROM unnest(p_subject, p_key) n(subject, wrapped) WHERE k.subject = n.subject AND k.wrapped IS NOT NULL;
  UPDATE es.system_key k SET wrapped = n.wrapped FROM unnest(p_purpose, p_secret) n(purpose, wrapped) WHERE k.purpose = n.purpose;
END $$;
-- +goose StatementEnd

REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA es FROM PUBLIC;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA es TO zurnals_app;

-- +goose Down
DROP SCHEMA es CASCADE;
