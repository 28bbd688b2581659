-- How an append is decided and written. A file of its own, which gets a new number
-- when it changes, because that is more often than the tables do.
--
-- Arrays are read by their subscripts: unnest of many would keep each in a store
-- of its own, which costs more than the rows. Nothing is announced in here: the
-- program does that apart from the appends, and tells of many at once.

-- +goose Up
DROP FUNCTION IF EXISTS es.append, es.append_one; -- of an earlier form
DROP TYPE IF EXISTS es.standing;

-- +goose StatementBegin
-- append decides and writes a group of requests. Each comes out accepted or is
-- listed in rejected with why; a rejected request writes nothing and burns no
-- position. The caller groups only requests that do not touch each other.
--
-- Arrays are flat: r_ one row per request, w_ per write, e_ per event, g_ per
-- guard, c_ per claim, s_ per subject used, x_ per subject erased. *_req is the
-- number of the request and e_write that of the write, from 1; *_before is how
-- many events of the call come before. Requests, writes and events are in one
-- order. A claim with c_take is taken, c_from is then the stream that gives it
-- up in the same request; without c_take it is released.
CREATE FUNCTION es.append(
  p_at          timestamptz,
  r_command     uuid[], r_fingerprint bytea[], r_before int[], r_events int[],
  w_req         int[],  w_stream text[], w_expected int[], w_before int[], w_events int[],
  e_write       int[],  e_id uuid[], e_type text[], e_schema int[], e_meta bytea[], e_data bytea[],
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
  nr      int := cardinality(r_command);
  nw      int := cardinality(w_req);
  ne      int := cardinality(e_write);
  rows    tid[];  -- of each write, the row of its stream: it is updated without being looked up again
  known   bool;   -- some command is
  stale   bool;   -- some version is not the expected one
  fresh   int;    -- streams that are new
  skipped int[];  -- of each request, events of the call before it that are rejected; NULL when it is itself
  upto    bigint;
  due int; done int := 0; more int := 0;
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'es.append needs READ COMMITTED' USING ERRCODE = 'ES001';
  END IF;
  -- A statement of its own: those below have snapshots taken after the lock was
  -- given, and see all that was appended before.
  PERFORM FROM es.gate FOR UPDATE;
  -- Scalar and lateral subqueries on purpose, here and below: each is one index
  -- lookup, whatever the planner thinks of the size of the tables.
  SELECT h.position, greatest(h.recorded_at, p_at), r.known, w.versions, w.rows, w.stale, w.fresh
  INTO STRICT head, at, known, versions, rows, stale, fresh
  FROM es.head h,
    (SELECT bool_or((SELECT true FROM es.command c WHERE c.id = r_command[i])) AS known FROM generate_series(1, nr) i) r,
    (SELECT array_agg(coalesce(s.version, 0)) AS versions, array_agg(s.at) AS rows, count(*) FILTER (WHERE s.at IS NULL) AS fresh,
       bool_or(w_expected[i] >= 0 AND w_expected[i] <> coalesce(s.version, 0)) AS stale
     FROM generate_series(1, nw) i
     LEFT JOIN LATERAL (SELECT s.version, s.ctid AS at FROM es.stream s WHERE s.stream = w_stream[i] LIMIT 1) s ON true) w;
  rejected := '{}'; reason := '{}'; item := '{}'; actual := '{}'; holder := '{}';

  IF known THEN -- those older than seven days are as good as swept
    DELETE FROM es.command c WHERE c.id = ANY (r_command) AND c.at <= append.at - interval '7 days';
    SELECT array_agg(i), array_agg(1), array_agg(0), array_agg(0), array_agg(''::text) INTO rejected, reason, item, actual, holder
    FROM generate_series(1, nr) i WHERE (SELECT true FROM es.command c WHERE c.id = r_command[i]);
    IF rejected IS NULL THEN
      rejected := '{}'; reason := '{}'; item := '{}'; actual := '{}'; holder := '{}';
    END IF;
  END IF;

  IF stale THEN
    WITH bad AS (
      SELECT DISTINCT ON (w_req[i]) w_req[i] AS req, i AS n, versions[i] AS version FROM generate_series(1, nw) i
      WHERE w_expected[i] >= 0 AND w_expected[i] <> versions[i] AND w_req[i] <> ALL (rejected) ORDER BY w_req[i], i)
    SELECT rejected || array_agg(b.req), reason || array_agg(2), item || array_agg(b.n), actual || array_agg(b.version), holder || array_agg(''::text)
    INTO rejected, reason, item, actual, holder FROM bad b;
  END IF;

  IF cardinality(g_req) > 0 THEN
    WITH now AS (
      SELECT g_req[i] AS req, i AS n, g_version[i] AS expected,
        coalesce((SELECT s.version FROM es.stream s WHERE s.stream = g_stream[i]), 0) AS version
      FROM generate_series(1, cardinality(g_req)) i),
    bad AS (
      SELECT DISTINCT ON (g.req) g.req, g.n, g.version FROM now g
      WHERE g.version <> g.expected AND g.req <> ALL (rejected) ORDER BY g.req, g.n)
    SELECT rejected || array_agg(b.req), reason || array_agg(3), item || array_agg(b.n), actual || array_agg(b.version), holder || array_agg(''::text)
    INTO rejected, reason, item, actual, holder FROM bad b;
  END IF;

  IF cardinality(s_req) > 0 THEN
    WITH bad AS (
      SELECT DISTINCT ON (s_req[i]) s_req[i] AS req, i AS n FROM generate_series(1, cardinality(s_req)) i
      WHERE (SELECT k.wrapped IS NOT NULL FROM es.subject_key k WHERE k.subject = s_subject[i]) IS NOT TRUE AND s_req[i] <> ALL (rejected)
      ORDER BY s_req[i], i)
    SELECT rejected || array_agg(b.req), reason || array_agg(4), item || array_agg(b.n), actual || array_agg(0), holder || array_agg(''::text)
    INTO rejected, reason, item, actual, holder FROM bad b;
  END IF;

  IF cardinality(c_req) > 0 THEN
    WITH now AS (
      SELECT c_req[i] AS req, i AS n, c_stream[i] AS stream, c_from[i] AS gives_up,
        (SELECT k.stream FROM es.claim k WHERE k.kind = c_kind[i] AND k.hash = c_hash[i]) AS held_by
      FROM generate_series(1, cardinality(c_req)) i WHERE c_take[i]),
    bad AS (
      SELECT DISTINCT ON (c.req) c.req, c.n, c.held_by FROM now c
      WHERE c.held_by <> c.stream AND c.held_by <> c.gives_up AND c.req <> ALL (rejected) ORDER BY c.req, c.n)
    SELECT rejected || array_agg(b.req), reason || array_agg(5), item || array_agg(b.n), actual || array_agg(0), holder || array_agg(b.held_by)
    INTO rejected, reason, item, actual, holder FROM bad b;
  END IF;

  skipped := array_fill(0, ARRAY[nr]);
  upto := head + ne;
  due := nw;
  IF cardinality(rejected) > 0 THEN
    upto := head;
    FOR i IN 1 .. nr LOOP
      IF i = ANY (rejected) THEN
        skipped[i] := NULL;
      ELSE
        skipped[i] := head + r_before[i] - upto;
        upto := upto + r_events[i];
      END IF;
    END LOOP;
    SELECT count(*) INTO due FROM generate_series(1, nw) i WHERE skipped[w_req[i]] >= 0;
  END IF;

  -- Nobody else can have come in between: all who write here hold the gate.
  IF fresh < nw THEN
    UPDATE es.stream s SET version = versions[i] + w_events[i], last_position = head + w_before[i] + w_events[i] - skipped[w_req[i]]
    FROM generate_series(1, nw) i WHERE s.ctid = rows[i] AND skipped[w_req[i]] >= 0;
    GET DIAGNOSTICS done = ROW_COUNT;
  END IF;
  IF fresh > 0 THEN
    INSERT INTO es.stream (stream, version, first_position, last_position)
    SELECT w_stream[i], w_events[i], head + w_before[i] + 1 - skipped[w_req[i]], head + w_before[i] + w_events[i] - skipped[w_req[i]]
    FROM generate_series(1, nw) i WHERE rows[i] IS NULL AND skipped[w_req[i]] >= 0;
    GET DIAGNOSTICS more = ROW_COUNT;
  END IF;
  IF done + more <> due THEN
    RAISE EXCEPTION 'streams were changed by somebody who does not hold the gate' USING ERRCODE = 'ES004';
  END IF;

  INSERT INTO es.event (position, recorded_at, id, version, schema, stream, type, meta, data)
  SELECT head + i - skipped[w_req[w]], append.at, e_id[i], versions[w] + i - w_before[w], e_schema[i], w_stream[w], e_type[i], e_meta[i], e_data[i]
  FROM (SELECT i, e_write[i] AS w FROM generate_series(1, ne) i) e WHERE skipped[w_req[w]] >= 0;

  INSERT INTO es.command (id, at, first_position, last_position, fingerprint)
  SELECT r_command[i], append.at, CASE WHEN r_events[i] > 0 THEN head + r_before[i] + 1 - skipped[i] ELSE 0 END,
    CASE WHEN r_events[i] > 0 THEN head + r_before[i] + r_events[i] - skipped[i] ELSE 0 END, r_fingerprint[i]
  FROM generate_series(1, nr) i WHERE skipped[i] >= 0;

  IF cardinality(c_req) > 0 THEN
    DELETE FROM es.claim k USING generate_series(1, cardinality(c_req)) i
    WHERE NOT c_take[i] AND k.kind = c_kind[i] AND k.hash = c_hash[i] AND k.stream = c_stream[i] AND skipped[c_req[i]] >= 0;
    INSERT INTO es.claim AS k (kind, hash, stream)
    SELECT c_kind[i], c_hash[i], c_stream[i] FROM generate_series(1, cardinality(c_req)) i
    WHERE c_take[i] AND skipped[c_req[i]] >= 0
    ON CONFLICT ON CONSTRAINT claim_pkey DO UPDATE SET stream = excluded.stream WHERE k.stream <> excluded.stream;
  END IF;

  IF cardinality(x_req) > 0 THEN
    INSERT INTO es.subject_key (subject, wrapped, made_at, destroyed_at)
    SELECT DISTINCT x_subject[i], NULL::bytea, append.at, append.at FROM generate_series(1, cardinality(x_req)) i WHERE skipped[x_req[i]] >= 0
    ON CONFLICT ON CONSTRAINT subject_key_pkey DO UPDATE SET wrapped = NULL, destroyed_at = coalesce(subject_key.destroyed_at, excluded.destroyed_at);
  END IF;

  IF upto > head THEN
    INSERT INTO es.mark (position, recorded_at) VALUES (upto, append.at);
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
  INSERT INTO es.mark (position, recorded_at) VALUES (head + 1, append_one.at);
END $$;
-- +goose StatementEnd

REVOKE EXECUTE ON FUNCTION es.append, es.append_one FROM PUBLIC;
GRANT EXECUTE ON FUNCTION es.append, es.append_one TO zurnals_app;

-- +goose Down
DROP FUNCTION es.append, es.append_one;
