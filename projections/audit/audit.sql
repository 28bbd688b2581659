-- Every event that has made something of a mark, by the pupil. Rows are never
-- taken away: a mark that was taken back has a history all the same.
CREATE TABLE mark_event (
  student  uuid   NOT NULL,
  position bigint NOT NULL,   -- of the event
  lesson   uuid   NOT NULL,
  school   uuid   NOT NULL
);

-- keys

ALTER TABLE mark_event ADD PRIMARY KEY (student, position);
