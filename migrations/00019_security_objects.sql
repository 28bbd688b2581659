-- What was refused is told beside the history of an account: also when somebody
-- else asked for it, or tried its password.

-- +goose Up
CREATE INDEX security_log_objects ON web.security_log USING gin (objects);

-- +goose Down
DROP INDEX web.security_log_objects;
