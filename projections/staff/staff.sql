-- Everybody with an account. A name stands here alone and is joined, so that it
-- goes in one place.
CREATE TABLE person (
  account         uuid NOT NULL,
  given_name      text NOT NULL,
  family_name     text NOT NULL,
  search          text NOT NULL,   -- names and address as they are searched
  email           text NOT NULL,
  code            text NOT NULL,   -- personal code, masked; empty for none
  edition         integer NOT NULL, -- counts the changes of name and address
  registered      boolean NOT NULL,
  link_expires_at timestamptz,     -- of the registration link
  last_sign_in    timestamptz
);

-- Who works where, with what the list of users shows: one row a person and
-- workplace, a school or a municipality.
CREATE TABLE staff (
  place         uuid NOT NULL,     -- the school, or where there is none the municipality
  account       uuid NOT NULL,
  municipality  uuid NOT NULL,     -- that the place is in, or is
  since         timestamptz NOT NULL,
  administrator integer NOT NULL,  -- how many such roles
  management    integer NOT NULL,
  support       integer NOT NULL,
  teacher       integer NOT NULL,  -- classes
  others        integer NOT NULL
);

-- The roles there are.
CREATE TABLE role (
  assignment   uuid NOT NULL,
  account      uuid NOT NULL,
  place        uuid,               -- as above; none for the installation
  role         text NOT NULL,
  municipality uuid,
  school       uuid,
  class        uuid,
  register     uuid,
  since        timestamptz NOT NULL,
  own_grant    boolean NOT NULL    -- given by the person to himself
);

-- Files that users were loaded from.
CREATE TABLE user_import (
  import       uuid NOT NULL,
  place        uuid NOT NULL,
  file         text NOT NULL,      -- SHA-256
  started_at   timestamptz NOT NULL,
  rows         integer NOT NULL,   -- of the file
  done         integer NOT NULL,   -- taken so far
  invited      integer NOT NULL,
  attached     integer NOT NULL,
  already_here integer NOT NULL,
  refused      integer NOT NULL
);

-- keys

ALTER TABLE person ADD PRIMARY KEY (account);
CREATE INDEX ON person (family_name COLLATE "lv-x-icu", given_name COLLATE "lv-x-icu", account);
CREATE INDEX ON person USING gin (search trigram.gin_trgm_ops) WITH (fastupdate = off); -- every search would read what waits
CREATE INDEX ON person (account) WHERE NOT registered;
ALTER TABLE staff ADD PRIMARY KEY (place, account);
CREATE INDEX ON staff (account, municipality);
CREATE INDEX ON staff (municipality);
CREATE INDEX ON staff (municipality) WHERE administrator > 0;
CREATE INDEX ON staff (municipality) WHERE management > 0;
CREATE INDEX ON staff (municipality) WHERE support > 0;
ALTER TABLE role ADD PRIMARY KEY (assignment);
CREATE INDEX ON role (account);
CREATE INDEX ON role (municipality) WHERE role = 'emu.municipality_admin';
CREATE INDEX ON role (assignment) WHERE role = 'platform_admin';
ALTER TABLE user_import ADD PRIMARY KEY (import);
CREATE INDEX ON user_import (place, started_at DESC, import);
