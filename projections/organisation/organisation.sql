CREATE TABLE municipality (
  municipality  uuid NOT NULL,
  name          text NOT NULL,
  search        text NOT NULL,   -- name as it is searched
  registered_at timestamptz NOT NULL
);

CREATE TABLE school (
  school        uuid NOT NULL,
  municipality  uuid NOT NULL,
  name          text NOT NULL,
  search        text NOT NULL,
  source        text NOT NULL,   -- what the roster calls it; empty for none
  registered_at timestamptz NOT NULL
);

-- keys

ALTER TABLE municipality ADD PRIMARY KEY (municipality);
CREATE INDEX ON municipality (name COLLATE "lv-x-icu", municipality);
ALTER TABLE school ADD PRIMARY KEY (school);
CREATE INDEX ON school (municipality, name COLLATE "lv-x-icu", school);
