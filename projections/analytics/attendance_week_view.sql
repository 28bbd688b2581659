-- A week of a school with fewer than five pupils is not told. Of a greater one,
-- a status that fewer than five pupils have is not told, and with it the
-- smallest of the greater ones, so that what is left of the total is not about
-- fewer than five either.
SELECT c.municipality, c.school, c.week, to_char(c.week, 'IYYY-"W"IW') AS iso_week,
       c.status, c.lessons, c.suppressed,
       CASE WHEN NOT c.suppressed THEN c.marks END AS marks,
       CASE WHEN NOT c.suppressed THEN c.pupils END AS pupils,
       CASE WHEN NOT c.suppressed THEN round(c.points / 100.0, 2) END AS points,
       CASE WHEN NOT c.suppressed THEN round(c.maximum / 100.0, 2) END AS maximum
  FROM (
    SELECT t.municipality, t.school, t.week, ''::text AS status, t.lessons, t.marks, t.pupils, t.points, t.maximum, t.pupils < 5 AS suppressed
      FROM {attendance_week}.week AS t WHERE t.status = ''
    UNION ALL
    SELECT t.municipality, s.school, s.week, s.status, t.lessons, s.marks, s.pupils, s.points, s.maximum,
           s.pupils < 5 OR s.small AND s.place = 1
      FROM (
        SELECT w.*, bool_or(w.pupils < 5) OVER (PARTITION BY w.school, w.week) AS small,
               row_number() OVER (PARTITION BY w.school, w.week, w.pupils < 5 ORDER BY w.pupils, w.status) AS place
          FROM {attendance_week}.week AS w WHERE w.status <> '' AND w.pupils > 0) AS s
      JOIN {attendance_week}.week AS t ON t.school = s.school AND t.week = s.week AND t.status = '' AND t.pupils >= 5
  ) AS c
