-- Whose lessons they are.
CREATE TABLE register (
  register     uuid NOT NULL,
  municipality uuid
);

-- In which week of which school a lesson is.
CREATE TABLE lesson (
  lesson uuid NOT NULL,
  school uuid NOT NULL,
  week   date NOT NULL   -- its Monday
);

-- The marks that are counted below, so that a changed one can be taken back.
CREATE TABLE mark (
  lesson  uuid    NOT NULL,
  student uuid    NOT NULL,
  status  text    NOT NULL,
  points  integer NOT NULL,
  maximum integer NOT NULL
);

-- How many marks a pupil has with a status in a week, to count pupils once.
CREATE TABLE pupil (
  school  uuid    NOT NULL,
  week    date    NOT NULL,
  status  text    NOT NULL,   -- empty: of any status
  student uuid    NOT NULL,
  marks   integer NOT NULL
);

-- What is counted: a line a status, and one with an empty status for all.
CREATE TABLE week (
  school       uuid    NOT NULL,
  week         date    NOT NULL,
  status       text    NOT NULL,
  municipality uuid,
  lessons      integer NOT NULL,   -- in the line for all
  marks        integer NOT NULL,
  pupils       integer NOT NULL,
  points       bigint  NOT NULL,   -- hundredths
  maximum      bigint  NOT NULL
);

-- keys

ALTER TABLE register ADD PRIMARY KEY (register);
ALTER TABLE lesson ADD PRIMARY KEY (lesson);
ALTER TABLE mark ADD PRIMARY KEY (lesson, student);
ALTER TABLE pupil ADD PRIMARY KEY (school, week, status, student);
ALTER TABLE week ADD PRIMARY KEY (school, week, status);
