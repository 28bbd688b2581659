-- The pupils. A name stands here alone and is joined, so that it goes in one place.
CREATE TABLE student (
  student     uuid NOT NULL,
  school      uuid NOT NULL,
  family_name text NOT NULL,
  given_name  text NOT NULL,
  search      text NOT NULL,   -- both names as they are searched
  code        text NOT NULL,   -- personal code, masked; empty for none
  grade       text NOT NULL
);

-- When a pupil is in a class: from from_day, and no longer on until_day.
CREATE TABLE enrolment (
  student   uuid NOT NULL,
  class     uuid NOT NULL,
  from_day  date NOT NULL,
  until_day date
);

CREATE TABLE course_enrolment (
  student   uuid NOT NULL,
  course    uuid NOT NULL,
  from_day  date NOT NULL,
  until_day date
);

CREATE TABLE class (
  class  uuid    NOT NULL,
  school uuid    NOT NULL,
  year   uuid    NOT NULL,
  name   text    NOT NULL,
  grade  integer NOT NULL,   -- 0 for none; sorts 2.a before 10.a
  search text    NOT NULL
);

CREATE TABLE school_year (
  year     uuid NOT NULL,
  school   uuid NOT NULL,
  name     text NOT NULL,
  from_day date NOT NULL,
  to_day   date NOT NULL
);

CREATE TABLE course (
  course uuid NOT NULL,
  school uuid NOT NULL,
  title  text NOT NULL
);

-- The synchronisation runs.
CREATE TABLE sync_run (
  run           uuid    NOT NULL,
  school        uuid    NOT NULL,
  state         text    NOT NULL,   -- running, completed, failed
  cause         text    NOT NULL,   -- of a failure: a code
  file          text    NOT NULL,   -- SHA-256
  actor_kind    text    NOT NULL,
  actor         uuid,
  position      bigint  NOT NULL,   -- of its first event: the order of runs
  started_at    timestamptz NOT NULL,
  ended_at      timestamptz,
  added         integer NOT NULL,
  class_changed integer NOT NULL,
  updated       integer NOT NULL,
  unchanged     integer NOT NULL,
  damaged       integer NOT NULL,
  active        integer NOT NULL,
  not_in_file   integer NOT NULL,
  grades        integer NOT NULL,
  absences      integer NOT NULL,
  classes       integer NOT NULL,
  courses       integer NOT NULL,
  other_schools integer NOT NULL,
  other_roles   integer NOT NULL,
  errors        integer NOT NULL,
  warnings      integer NOT NULL,
  problems      text    NOT NULL    -- JSON: file, row, field, code
);

-- Pupils that a completed run did not find in its file.
CREATE TABLE missing (
  run     uuid NOT NULL,
  student uuid NOT NULL
);

-- keys

ALTER TABLE student ADD PRIMARY KEY (student);
CREATE INDEX ON student (school, family_name COLLATE "lv-x-icu", given_name COLLATE "lv-x-icu", student);
ALTER TABLE enrolment ADD PRIMARY KEY (student, class, from_day);
CREATE INDEX ON enrolment (class, from_day);
ALTER TABLE course_enrolment ADD PRIMARY KEY (student, course, from_day);
CREATE INDEX ON course_enrolment (course);
ALTER TABLE class ADD PRIMARY KEY (class);
CREATE INDEX ON class (school, year);
ALTER TABLE school_year ADD PRIMARY KEY (year);
CREATE INDEX ON school_year (school);
ALTER TABLE course ADD PRIMARY KEY (course);
CREATE INDEX ON course (school);
ALTER TABLE sync_run ADD PRIMARY KEY (run);
CREATE INDEX ON sync_run (school, position);
ALTER TABLE missing ADD PRIMARY KEY (run, student);
