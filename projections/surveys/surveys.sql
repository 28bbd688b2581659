-- The surveys, with how many are asked and have answered.
CREATE TABLE survey (
  survey       uuid    NOT NULL,
  municipality uuid    NOT NULL,
  school       uuid    NOT NULL,
  class        uuid,               -- of a survey of one class
  title        text    NOT NULL,
  search       text    NOT NULL,   -- title as it is searched
  last_day     date    NOT NULL,
  position     bigint  NOT NULL,   -- of its first event: the order of surveys
  started_at   timestamptz NOT NULL,
  closed_at    timestamptz,        -- if it was closed before its last day was over
  issued       integer NOT NULL,
  answered     integer NOT NULL
);

CREATE TABLE question (
  survey   uuid    NOT NULL,
  question integer NOT NULL,   -- counted from 1
  text     text    NOT NULL,
  kind     text    NOT NULL,   -- one, several, scale, text
  options  text    NOT NULL,   -- JSON
  steps    integer NOT NULL,
  required boolean NOT NULL
);

-- Who is asked. Names are in the projection students, and only there.
CREATE TABLE pupil (
  survey      uuid NOT NULL,
  student     uuid NOT NULL,
  class       uuid NOT NULL,   -- that the pupil was in then: when asked, or when answering
  token       uuid NOT NULL,   -- that the link follows from
  answered_at timestamptz
);

-- What was answered: words, or numbers with commas between.
CREATE TABLE answer (
  survey   uuid    NOT NULL,
  student  uuid    NOT NULL,
  question integer NOT NULL,
  value    text    NOT NULL
);

-- keys

ALTER TABLE survey ADD PRIMARY KEY (survey);
CREATE INDEX ON survey (school, position);
CREATE INDEX ON survey (municipality, last_day);
ALTER TABLE question ADD PRIMARY KEY (survey, question);
ALTER TABLE pupil ADD PRIMARY KEY (survey, student);
ALTER TABLE answer ADD PRIMARY KEY (survey, student, question);
