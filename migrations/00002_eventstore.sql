-- The log. zurnals_app reads it and appends through es.append; it cannot change
-- or delete what is there.

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
CREATE INDEX command_at ON es.command (at);

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
-- append decides and writes a group of requests. Each comes out accepted or is
-- listed in rejected with why; a rejected request writes nothing and burns no
-- position. The caller groups only requests that do not touch each other.
--
-- Arrays are flat: r_ one row per request, w_ per write, e_ per event, g_ per
-- guard, c_ per claim, s_ per subject used, x_ per subject erased. *_req is the
-- number of the request, from 1; e_write that of the write in the whole call.
-- A claim with c_take is taken, c_from is then the stream that gives it up in
-- the same request; without c_take it is released.
CREATE FUNCTION es.append(
  p_at          timestamptz,
  r_command     uuid[], r_fingerprint bytea[], r_events int[],
  w_req         int[],  w_stream text[], w_expected int[], w_offset int[], w_events int[],
  e_req         int[],  e_write int[], e_offset int[], e_stream text[], e_version int[],
  e_id          uuid[], e_type text[], e_schema int[], e_meta bytea[], e_data bytea[],
  g_req         int[],  g_stream text[], g_version int[],
  c_req         int[],  c_kind text[], c_hash bytea[], c_stream text[], c_take bool[], c_from text[],
  s_req         int[],  s_subject uuid[],
  x_req         int[],  x_subject uuid[],
  OUT head      bigint,       -- before
  OUT at        timestamptz,
  OUT versions  int[],        -- of each write, before
  OUT rejected  int[],        -- request
  OUT reason    int[],        -- 1 known command, 2 version, 3 guard, 4 subject, 5 claim
  OUT item      int[],        -- which write, guard, subject or claim of the call
  OUT actual    int[],        -- version found
  OUT holder    text[]        -- stream that holds the claim
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  base bigint[];  -- position before the first event of each request, -1 when rejected
  upto bigint;
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'es.append needs READ COMMITTED' USING ERRCODE = 'ES001';
  END IF;
  -- A statement of its own: those below have snapshots taken after the lock was
  -- given, and see all that was appended before.
  PERFORM FROM es.gate FOR UPDATE;
  SELECT h.position, greatest(h.recorded_at, p_at) INTO STRICT head, at FROM es.head h;

  -- Scalar subqueries on purpose, here and below: each is one index lookup,
  -- whatever the planner thinks of the size of the tables.
  SELECT coalesce(array_agg(r.n::int), '{}') INTO rejected
  FROM unnest(r_command) WITH ORDINALITY r(id, n)
  WHERE (SELECT c.at > append.at - interval '7 days' FROM es.command c WHERE c.id = r.id);
  reason := array_fill(1, ARRAY[cardinality(rejected)]);
  item := array_fill(0, ARRAY[cardinality(rejected)]);
  actual := item;
  holder := array_fill(''::text, ARRAY[cardinality(rejected)]);

  versions := ARRAY(SELECT coalesce((SELECT s.version FROM es.stream s WHERE s.stream = w.stream), 0) FROM unnest(w_stream) w(stream));
  IF EXISTS (SELECT FROM unnest(w_expected, versions) w(expected, version) WHERE w.expected >= 0 AND w.expected <> w.version) THEN
    WITH bad AS (
      SELECT DISTINCT ON (w.req) w.req, w.n::int, w.version
      FROM unnest(w_req, w_expected, versions) WITH ORDINALITY w(req, expected, version, n)
      WHERE w.expected >= 0 AND w.expected <> w.version AND w.req <> ALL (rejected)
      ORDER BY w.req, w.n)
    SELECT rejected || array_agg(b.req), reason || array_agg(2), item || array_agg(b.n), actual || array_agg(b.version), holder || array_agg(''::text)
    INTO rejected, reason, item, actual, holder FROM bad b;
  END IF;

  IF cardinality(g_req) > 0 THEN
    WITH now AS (
      SELECT g.req, g.n::int, g.version AS expected, coalesce((SELECT s.version FROM es.stream s WHERE s.stream = g.stream), 0) AS version
      FROM unnest(g_req, g_stream, g_version) WITH ORDINALITY g(req, stream, version, n)),
    bad AS (
      SELECT DISTINCT ON (g.req) g.req, g.n, g.version FROM now g
      WHERE g.version <> g.expected AND g.req <> ALL (rejected) ORDER BY g.req, g.n)
    SELECT rejected || array_agg(b.req), reason || array_agg(3), item || array_agg(b.n), actual || array_agg(b.version), holder || array_agg(''::text)
    INTO rejected, reason, item, actual, holder FROM bad b;
  END IF;

  IF cardinality(s_req) > 0 THEN
    WITH bad AS (
      SELECT DISTINCT ON (s.req) s.req, s.n::int
      FROM unnest(s_req, s_subject) WITH ORDINALITY s(req, subject, n)
      WHERE (SELECT k.wrapped IS NOT NULL FROM es.subject_key k WHERE k.subject = s.subject) IS NOT TRUE AND s.req <> ALL (rejected)
      ORDER BY s.req, s.n)
    SELECT rejected || array_agg(b.req), reason || array_agg(4), item || array_agg(b.n), actual || array_agg(0), holder || array_agg(''::text)
    INTO rejected, reason, item, actual, holder FROM bad b;
  END IF;

  IF cardinality(c_req) > 0 THEN
    WITH now AS (
      SELECT c.req, c.n::int, c.stream, c.from_stream, (SELECT k.stream FROM es.claim k WHERE k.kind = c.kind AND k.hash = c.hash) AS held_by
      FROM unnest(c_req, c_kind, c_hash, c_stream, c_take, c_from) WITH ORDINALITY c(req, kind, hash, stream, take, from_stream, n)
      WHERE c.take),
    bad AS (
      SELECT DISTINCT ON (c.req) c.req, c.n, c.held_by FROM now c
      WHERE c.held_by <> c.stream AND c.held_by <> c.from_stream AND c.req <> ALL (rejected) ORDER BY c.req, c.n)
    SELECT rejected || array_agg(b.req), reason || array_agg(5), item || array_agg(b.n), actual || array_agg(0), holder || array_agg(b.held_by)
    INTO rejected, reason, item, actual, holder FROM bad b;
  END IF;

  upto := head;
  FOR i IN 1 .. cardinality(r_events) LOOP
    IF i = ANY (rejected) THEN
      base[i] := -1;
    ELSE
      base[i] := upto;
      upto := upto + r_events[i];
    END IF;
  END LOOP;

  INSERT INTO es.stream AS s (stream, version, first_position, last_position)
  SELECT w.stream, w.version + w.events, base[w.req] + w.before + 1, base[w.req] + w.before + w.events
  FROM unnest(w_req, w_stream, versions, w_offset, w_events) w(req, stream, version, before, events)
  WHERE base[w.req] >= 0
  ON CONFLICT ON CONSTRAINT stream_pkey DO UPDATE SET version = excluded.version, last_position = excluded.last_position;

  INSERT INTO es.event (position, recorded_at, id, version, schema, stream, type, meta, data)
  SELECT base[e.req] + e.before + 1, append.at, e.id, versions[e.write] + e.version, e.schema, e.stream, e.type, e.meta, e.data
  FROM unnest(e_req, e_write, e_offset, e_stream, e_version, e_id, e_type, e_schema, e_meta, e_data)
    e(req, write, before, stream, version, id, type, schema, meta, data)
  WHERE base[e.req] >= 0;

  INSERT INTO es.command (id, at, first_position, last_position, fingerprint)
  SELECT r.id, append.at, CASE WHEN r.events > 0 THEN r.base + 1 ELSE 0 END, CASE WHEN r.events > 0 THEN r.base + r.events ELSE 0 END, r.fingerprint
  FROM unnest(r_command, r_fingerprint, r_events, base) r(id, fingerprint, events, base)
  WHERE r.base >= 0
  ON CONFLICT ON CONSTRAINT command_pkey DO UPDATE  -- older than seven days, not swept yet
    SET at = excluded.at, first_position = excluded.first_position, last_position = excluded.last_position, fingerprint = excluded.fingerprint;

  IF cardinality(c_req) > 0 THEN
    DELETE FROM es.claim k USING unnest(c_req, c_kind, c_hash, c_stream, c_take) c(req, kind, hash, stream, take)
    WHERE NOT c.take AND k.kind = c.kind AND k.hash = c.hash AND k.stream = c.stream AND base[c.req] >= 0;
    INSERT INTO es.claim AS k (kind, hash, stream)
    SELECT c.kind, c.hash, c.stream FROM unnest(c_req, c_kind, c_hash, c_stream, c_take) c(req, kind, hash, stream, take)
    WHERE c.take AND base[c.req] >= 0
    ON CONFLICT ON CONSTRAINT claim_pkey DO UPDATE SET stream = excluded.stream WHERE k.stream <> excluded.stream;
  END IF;

  IF cardinality(x_req) > 0 THEN
    INSERT INTO es.subject_key (subject, wrapped, made_at, destroyed_at)
    SELECT DISTINCT x.subject, NULL::bytea, append.at, append.at FROM unnest(x_req, x_subject) x(req, subject) WHERE base[x.req] >= 0
    ON CONFLICT ON CONSTRAINT subject_key_pkey DO UPDATE SET wrapped = NULL, destroyed_at = coalesce(subject_key.destroyed_at, excluded.destroyed_at);
  END IF;

  IF upto > head THEN
    INSERT INTO es.mark (position, recorded_at) VALUES (upto, append.at);
    PERFORM pg_notify('es_head', upto::text);
  END IF;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
-- append_one is append for a single request with one write, no claims and no
-- erasure: the same checks in the same order, without the arrays.
CREATE FUNCTION es.append_one(
  p_at timestamptz, p_command uuid, p_fingerprint bytea,
  p_stream text, p_expected int,
  e_id uuid[], e_type text[], e_schema int[], e_meta bytea[], e_data bytea[],
  g_stream text[], g_version int[], s_subject uuid[],
  OUT head bigint, OUT at timestamptz, OUT version int,
  OUT reason int, OUT item int, OUT actual int
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  n int := cardinality(e_id);
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'es.append needs READ COMMITTED' USING ERRCODE = 'ES001';
  END IF;
  PERFORM FROM es.gate FOR UPDATE;
  SELECT h.position, greatest(h.recorded_at, p_at) INTO STRICT head, at FROM es.head h;

  reason := 0; item := 0; actual := 0;
  IF (SELECT c.at > append_one.at - interval '7 days' FROM es.command c WHERE c.id = p_command) THEN
    reason := 1;
    RETURN;
  END IF;
  version := coalesce((SELECT s.version FROM es.stream s WHERE s.stream = p_stream), 0);
  IF p_expected >= 0 AND p_expected <> version THEN
    reason := 2; item := 1; actual := version;
    RETURN;
  END IF;
  FOR i IN 1 .. cardinality(g_stream) LOOP
    actual := coalesce((SELECT s.version FROM es.stream s WHERE s.stream = g_stream[i]), 0);
    IF actual <> g_version[i] THEN
      reason := 3; item := i;
      RETURN;
    END IF;
  END LOOP;
  FOR i IN 1 .. cardinality(s_subject) LOOP
    IF (SELECT k.wrapped IS NOT NULL FROM es.subject_key k WHERE k.subject = s_subject[i]) IS NOT TRUE THEN
      reason := 4; item := i;
      RETURN;
    END IF;
  END LOOP;

  IF version = 0 THEN
    INSERT INTO es.stream (stream, version, first_position, last_position) VALUES (p_stream, n, head + 1, head + n);
  ELSE
    UPDATE es.stream s SET version = append_one.version + n, last_position = head + n WHERE s.stream = p_stream;
  END IF;
  IF n = 1 THEN
    INSERT INTO es.event (position, recorded_at, id, version, schema, stream, type, meta, data)
    VALUES (head + 1, at, e_id[1], version + 1, e_schema[1], p_stream, e_type[1], e_meta[1], e_data[1]);
  ELSE
    INSERT INTO es.event (position, recorded_at, id, version, schema, stream, type, meta, data)
    SELECT head + e.i, append_one.at, e.id, append_one.version + e.i, e.schema, p_stream, e.type, e.meta, e.data
    FROM unnest(e_id, e_type, e_schema, e_meta, e_data) WITH ORDINALITY e(id, type, schema, meta, data, i);
  END IF;
  INSERT INTO es.command (id, at, first_position, last_position, fingerprint)
  VALUES (p_command, append_one.at, head + 1, head + n, p_fingerprint)
  ON CONFLICT ON CONSTRAINT command_pkey DO UPDATE
    SET at = excluded.at, first_position = excluded.first_position, last_position = excluded.last_position, fingerprint = excluded.fingerprint;
  INSERT INTO es.mark (position, recorded_at) VALUES (head + n, at);
  PERFORM pg_notify('es_head', (head + n)::text);
END $$;
-- +goose StatementEnd

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
    ORDER BY c.at LIMIT p_limit FOR UPDATE SKIP LOCKED),
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
