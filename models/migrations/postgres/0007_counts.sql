-- +goose Up
-- How many servers there are, by environment, group and status: the sum of n. Each
-- change adds rows and touches none, so that nobody waits for anybody; halcyon
-- folds them into one base row for each combination now and then.
CREATE TABLE server_counts (
	environment_id bigint,
	group_id bigint,
	status text NOT NULL,
	n bigint NOT NULL,
	base boolean NOT NULL DEFAULT false
);
CREATE UNIQUE INDEX server_counts_base ON server_counts (coalesce(environment_id, 0), coalesce(group_id, 0), status) WHERE base;

-- +goose StatementBegin
CREATE FUNCTION server_counts_added() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO server_counts (environment_id, group_id, status, n)
	SELECT environment_id, group_id, status, count(*) FROM added GROUP BY environment_id, group_id, status;
	RETURN NULL;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION server_counts_removed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO server_counts (environment_id, group_id, status, n)
	SELECT environment_id, group_id, status, -count(*) FROM removed GROUP BY environment_id, group_id, status;
	RETURN NULL;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION server_counts_moved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO server_counts (environment_id, group_id, status, n)
	VALUES (OLD.environment_id, OLD.group_id, OLD.status, -1), (NEW.environment_id, NEW.group_id, NEW.status, 1);
	RETURN NULL;
END $$;
-- +goose StatementEnd

CREATE TRIGGER server_counts_added AFTER INSERT ON servers
	REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION server_counts_added();
CREATE TRIGGER server_counts_removed AFTER DELETE ON servers
	REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION server_counts_removed();
CREATE TRIGGER server_counts_moved AFTER UPDATE OF environment_id, group_id, status ON servers FOR EACH ROW
	WHEN ((OLD.environment_id, OLD.group_id, OLD.status) IS DISTINCT FROM (NEW.environment_id, NEW.group_id, NEW.status))
	EXECUTE FUNCTION server_counts_moved();

INSERT INTO server_counts (environment_id, group_id, status, n, base)
SELECT environment_id, group_id, status, count(*), true FROM servers GROUP BY environment_id, group_id, status;

-- What a user owns in groups that they do not see is counted beside it: by this
-- index alone.
DROP INDEX servers_owner;
CREATE INDEX servers_owner ON servers (owner_id, id) INCLUDE (group_id, environment_id, status);

-- +goose Down
DROP INDEX servers_owner;
CREATE INDEX servers_owner ON servers (owner_id, id);
DROP TRIGGER server_counts_added ON servers;
DROP TRIGGER server_counts_removed ON servers;
DROP TRIGGER server_counts_moved ON servers;
DROP FUNCTION server_counts_added();
DROP FUNCTION server_counts_removed();
DROP FUNCTION server_counts_moved();
DROP TABLE server_counts;
