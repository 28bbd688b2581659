-- What the roles may do before anything exists. Each later migration makes its
-- own schema and says there who may use it; nothing is granted to PUBLIC.

-- +goose Up
REVOKE ALL ON SCHEMA public FROM PUBLIC;

-- Functions can be run by everybody unless we say otherwise, and some of ours
-- run with the rights of the owner.
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

-- The job queue. River's own migrations make the tables, now and in later
-- versions of river, so the rights are given in advance.
CREATE SCHEMA jobs;
GRANT USAGE ON SCHEMA jobs TO zurnals_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA jobs GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO zurnals_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA jobs GRANT USAGE, SELECT ON SEQUENCES TO zurnals_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA jobs GRANT EXECUTE ON FUNCTIONS TO zurnals_app;
