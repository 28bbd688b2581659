-- How an append is decided and written. A migration of its own, because how it
-- is done changes more often than what the tables are.

-- +goose Up
DROP FUNCTION IF EXISTS es.append, es.append_one; -- of an earlier form of 00002

-- The version of a stream and where its row is.
CREATE TYPE es.standing AS (version int, at tid);

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
  rows tid[];     -- of each write, the row of its stream
  done int; more int;
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
  WHERE (SELECT true FROM es.command c WHERE c.id = r.id);
  IF cardinality(rejected) > 0 THEN -- those older than seven days are as good as swept
    DELETE FROM es.command c USING unnest(rejected) r(n)
    WHERE c.id = r_command[r.n] AND c.at <= append.at - interval '7 days';
    SELECT coalesce(array_agg(r.n), '{}') INTO rejected
    FROM unnest(rejected) r(n) WHERE (SELECT true FROM es.command c WHERE c.id = r_command[r.n]);
  END IF;
  reason := array_fill(1, ARRAY[cardinality(rejected)]);
  item := array_fill(0, ARRAY[cardinality(rejected)]);
  actual := item;
  holder := array_fill(''::text, ARRAY[cardinality(rejected)]);

  -- Where a row stands, too: it is updated there without being looked up again.
  SELECT array_agg(coalesce((s.it).version, 0)), array_agg((s.it).at) INTO versions, rows
  FROM (SELECT (SELECT (s.version, s.ctid)::es.standing FROM es.stream s WHERE s.stream = w.stream) AS it FROM unnest(w_stream) w(stream)) s;
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

  -- Nobody else can have come in between: all who write here hold the gate.
  UPDATE es.stream s SET version = w.version + w.events, last_position = base[w.req] + w.before + w.events
  FROM unnest(w_req, rows, versions, w_offset, w_events) w(req, at, version, before, events)
  WHERE s.ctid = w.at AND base[w.req] >= 0;
  GET DIAGNOSTICS done = ROW_COUNT;
  INSERT INTO es.stream (stream, version, first_position, last_position)
  SELECT w.stream, w.events, base[w.req] + w.before + 1, base[w.req] + w.before + w.events
  FROM unnest(w_req, w_stream, versions, w_offset, w_events) w(req, stream, version, before, events)
  WHERE w.version = 0 AND base[w.req] >= 0;
  GET DIAGNOSTICS more = ROW_COUNT;
  IF done + more <> (SELECT count(*) FROM unnest(w_req) w(req) WHERE base[w.req] >= 0) THEN
    RAISE EXCEPTION 'streams were changed by somebody who does not hold the gate' USING ERRCODE = 'ES004';
  END IF;

  INSERT INTO es.event (position, recorded_at, id, version, schema, stream, type, meta, data)
  SELECT base[e.req] + e.before + 1, append.at, e.id, versions[e.write] + e.version, e.schema, e.stream, e.type, e.meta, e.data
  FROM unnest(e_req, e_write, e_offset, e_stream, e_version, e_id, e_type, e_schema, e_meta, e_data)
    e(req, write, before, stream, version, id, type, schema, meta, data)
  WHERE base[e.req] >= 0;

  INSERT INTO es.command (id, at, first_position, last_position, fingerprint)
  SELECT r.id, append.at, CASE WHEN r.events > 0 THEN r.base + 1 ELSE 0 END, CASE WHEN r.events > 0 THEN r.base + r.events ELSE 0 END, r.fingerprint
  FROM unnest(r_command, r_fingerprint, r_events, base) r(id, fingerprint, events, base)
  WHERE r.base >= 0;

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
-- append_one is append for a single request with one event, no claims and no
-- erasure: the same checks in the same order, without the arrays, and all that
-- is written in one statement.
CREATE FUNCTION es.append_one(
  p_at timestamptz, p_command uuid, p_fingerprint bytea,
  p_stream text, p_expected int,
  e_id uuid, e_type text, e_schema int, e_meta bytea, e_data bytea,
  g_stream text[], g_version int[], s_subject uuid[],
  OUT head bigint, OUT at timestamptz, OUT version int,
  OUT reason int, OUT item int, OUT actual int
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  answered timestamptz; -- the command, before
  told     bool;
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'es.append needs READ COMMITTED' USING ERRCODE = 'ES001';
  END IF;
  PERFORM FROM es.gate FOR UPDATE;
  SELECT h.position, greatest(h.recorded_at, p_at),
    (SELECT c.at FROM es.command c WHERE c.id = p_command),
    coalesce((SELECT s.version FROM es.stream s WHERE s.stream = p_stream), 0)
  INTO STRICT head, at, answered, version FROM es.head h;

  reason := 0; item := 0; actual := 0;
  IF answered > at - interval '7 days' THEN
    reason := 1;
    RETURN;
  END IF;
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

  IF answered IS NOT NULL THEN -- older than seven days, not swept yet
    DELETE FROM es.command c WHERE c.id = p_command;
  END IF;
  WITH known AS (
    UPDATE es.stream s SET version = append_one.version + 1, last_position = head + 1
    WHERE s.stream = p_stream AND append_one.version > 0),
  new AS (
    INSERT INTO es.stream (stream, version, first_position, last_position)
    SELECT p_stream, 1, head + 1, head + 1 WHERE append_one.version = 0),
  event AS (
    INSERT INTO es.event (position, recorded_at, id, version, schema, stream, type, meta, data)
    VALUES (head + 1, append_one.at, e_id, append_one.version + 1, e_schema, p_stream, e_type, e_meta, e_data)),
  command AS (
    INSERT INTO es.command (id, at, first_position, last_position, fingerprint)
    VALUES (p_command, append_one.at, head + 1, head + 1, p_fingerprint))
  INSERT INTO es.mark (position, recorded_at) VALUES (head + 1, append_one.at)
  RETURNING pg_notify('es_head', mark.position::text) IS NULL INTO told;
END $$;
-- +goose StatementEnd

REVOKE EXECUTE ON FUNCTION es.append, es.append_one FROM PUBLIC;
GRANT EXECUTE ON FUNCTION es.append, es.append_one TO zurnals_app;

-- +goose Down
DROP FUNCTION es.append, es.append_one;
DROP TYPE es.standing;
