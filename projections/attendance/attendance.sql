-- The attendance registers: one row a class and subject.
CREATE TABLE register (
  register      uuid    NOT NULL,
  school        uuid    NOT NULL,
  class         uuid    NOT NULL,
  name          text    NOT NULL,
  search        text    NOT NULL,   -- name as it is searched
  description   text    NOT NULL,
  grade_type    text    NOT NULL,   -- points, none
  grade_maximum integer NOT NULL,
  from_day      date,               -- lessons outside the period are hidden
  until_day     date,
  set_version   integer NOT NULL,   -- of the status set now
  set_maximum   integer NOT NULL,   -- most points of a lesson in it, hundredths
  version       integer NOT NULL,
  opened_at     timestamptz NOT NULL
);

-- The statuses of all versions of all status sets.
CREATE TABLE status (
  register    uuid     NOT NULL,
  set_version integer  NOT NULL,
  place       integer  NOT NULL,   -- in the set
  acronym     text     NOT NULL,
  description text     NOT NULL,
  points      integer  NOT NULL,   -- hundredths
  self_limit  integer  NOT NULL    -- minutes; -1 always, 0 never
);

-- The lessons, with how many have a mark in them.
CREATE TABLE lesson (
  lesson        uuid    NOT NULL,
  register      uuid    NOT NULL,
  school        uuid    NOT NULL,
  class         uuid    NOT NULL,
  day           date    NOT NULL,
  from_time     text    NOT NULL,   -- 08:30, on the wall
  until_time    text    NOT NULL,
  starts_at     timestamptz NOT NULL,
  ends_at       timestamptz,
  opens_at      timestamptz,        -- for self-recording, if pupils may
  closes_at     timestamptz,
  description   text    NOT NULL,
  by_password   boolean NOT NULL,
  by_code       boolean NOT NULL,
  own_updates   boolean NOT NULL,
  auto_status   boolean NOT NULL,
  early_open    integer NOT NULL,
  late_after    integer NOT NULL,
  version       integer NOT NULL,
  marked        integer NOT NULL,   -- pupils with a status
  self_recorded integer NOT NULL    -- of them by themselves
);

-- The marks there are now. Names are in the projection students, and only there.
CREATE TABLE mark (
  lesson      uuid    NOT NULL,
  student     uuid    NOT NULL,
  register    uuid    NOT NULL,
  status      text    NOT NULL,   -- empty: a remark only
  set_version integer NOT NULL,
  points      integer NOT NULL,   -- hundredths
  maximum     integer NOT NULL,
  remark      text    NOT NULL,
  method      text    NOT NULL,   -- manual, password, qr
  changed_at  timestamptz NOT NULL
);

-- keys

ALTER TABLE register ADD PRIMARY KEY (register);
CREATE INDEX ON register (school, name COLLATE "lv-x-icu", register);
CREATE INDEX ON register (class, name COLLATE "lv-x-icu", register);
ALTER TABLE status ADD PRIMARY KEY (register, set_version, place);
ALTER TABLE lesson ADD PRIMARY KEY (lesson);
CREATE INDEX ON lesson (register, starts_at, lesson);
CREATE INDEX ON lesson (class, starts_at, lesson);
ALTER TABLE mark ADD PRIMARY KEY (lesson, student);
CREATE INDEX ON mark (student, register);
