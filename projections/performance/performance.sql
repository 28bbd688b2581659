-- Grades that the e-journal has, by what was graded.
CREATE TABLE grade (
  student uuid    NOT NULL,
  year    uuid    NOT NULL,
  item    text    NOT NULL,
  subject text    NOT NULL,
  title   text    NOT NULL,
  term    text    NOT NULL,
  day     date,
  scale   text    NOT NULL,   -- ten, percent, pass
  value   text    NOT NULL,
  tenths  integer NOT NULL,   -- of a number; -1 for none
  source  text    NOT NULL
);

-- Absences that the e-journal has, by lesson.
CREATE TABLE absence (
  student uuid    NOT NULL,
  year    uuid    NOT NULL,
  day     date    NOT NULL,
  lesson  integer NOT NULL,   -- 0 for none
  subject text    NOT NULL,
  kind    text    NOT NULL,   -- excused, unexcused, unknown
  source  text    NOT NULL
);

-- What they add up to, so that nobody has to read them all.
CREATE TABLE total (
  student   uuid    NOT NULL,
  year      uuid    NOT NULL,
  school    uuid    NOT NULL,
  grades    integer NOT NULL,
  tens      integer NOT NULL,   -- grades from 1 to 10
  tenths    integer NOT NULL,   -- their sum
  excused   integer NOT NULL,
  unexcused integer NOT NULL,
  unknown   integer NOT NULL
);

CREATE TABLE exam_result (
  result  uuid    NOT NULL,
  student uuid    NOT NULL,
  school  uuid    NOT NULL,
  exam    text    NOT NULL,
  day     date    NOT NULL,
  tenths  integer NOT NULL    -- of a percent
);

-- keys

ALTER TABLE grade ADD PRIMARY KEY (student, year, item);
ALTER TABLE absence ADD PRIMARY KEY (student, year, day, lesson);
ALTER TABLE total ADD PRIMARY KEY (student, year);
CREATE INDEX ON total (school, year);
ALTER TABLE exam_result ADD PRIMARY KEY (result);
CREATE INDEX ON exam_result (student);
CREATE INDEX ON exam_result (school, day);
