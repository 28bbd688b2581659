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

-- keys

ALTER TABLE person ADD PRIMARY KEY (account);
ALTER TABLE staff ADD PRIMARY KEY (place, account);
ALTER TABLE role ADD PRIMARY KEY (assignment);
CREATE INDEX ON role (account);
