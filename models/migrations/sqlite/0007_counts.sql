-- +goose Up
-- How many servers there are, by environment, group and status: the sum of n. There
-- is one writer at a time, so that each change counts in the row of its combination.
CREATE TABLE server_counts (
	environment_id bigint,
	group_id bigint,
	status text NOT NULL,
	n bigint NOT NULL,
	base boolean NOT NULL DEFAULT true
);
CREATE UNIQUE INDEX server_counts_base ON server_counts (coalesce(environment_id, 0), coalesce(group_id, 0), status);

-- +goose StatementBegin
CREATE TRIGGER server_counts_added AFTER INSERT ON servers BEGIN
	INSERT INTO server_counts (environment_id, group_id, status, n) VALUES (NEW.environment_id, NEW.group_id, NEW.status, 1)
	ON CONFLICT (coalesce(environment_id, 0), coalesce(group_id, 0), status) DO UPDATE SET n = n + 1;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER server_counts_removed AFTER DELETE ON servers BEGIN
	UPDATE server_counts SET n = n - 1
	WHERE coalesce(environment_id, 0) = coalesce(OLD.environment_id, 0) AND coalesce(group_id, 0) = coalesce(OLD.group_id, 0) AND status = OLD.status;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER server_counts_moved AFTER UPDATE OF environment_id, group_id, status ON servers
WHEN OLD.environment_id IS NOT NEW.environment_id OR OLD.group_id IS NOT NEW.group_id OR OLD.status IS NOT NEW.status BEGIN
	UPDATE server_counts SET n = n - 1
	WHERE coalesce(environment_id, 0) = coalesce(OLD.environment_id, 0) AND coalesce(group_id, 0) = coalesce(OLD.group_id, 0) AND status = OLD.status;
	INSERT INTO server_counts (environment_id, group_id, status, n) VALUES (NEW.environment_id, NEW.group_id, NEW.status, 1)
	ON CONFLICT (coalesce(environment_id, 0), coalesce(group_id, 0), status) DO UPDATE SET n = n + 1;
END;
-- +goose StatementEnd

INSERT INTO server_counts (environment_id, group_id, status, n)
SELECT environment_id, group_id, status, count(*) FROM servers GROUP BY environment_id, group_id, status;

-- +goose Down
DROP TRIGGER server_counts_added;
DROP TRIGGER server_counts_removed;
DROP TRIGGER server_counts_moved;
DROP TABLE server_counts;
