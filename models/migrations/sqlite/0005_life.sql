-- +goose Up
-- The open job of an action keeps other work off the server, and the server says so
-- itself: a document must not have to look for jobs.
ALTER TABLE servers ADD COLUMN action_job_id bigint;
ALTER TABLE servers ADD COLUMN lease_warned integer NOT NULL DEFAULT 0;
ALTER TABLE servers ADD COLUMN lease_expired_at datetime;
UPDATE servers SET action_job_id = (
	SELECT min(j.id) FROM jobs j WHERE j.server_id = servers.id AND j.type = 'action'
	AND j.status IN ('PENDING', 'QUEUED', 'RUNNING', 'TO_CANCEL')
);
CREATE INDEX servers_action_job ON servers (action_job_id) WHERE action_job_id IS NOT NULL;
CREATE INDEX servers_expiry ON servers (expires_on, id) WHERE expires_on <> '';

ALTER TABLE services ADD COLUMN expires_on text NOT NULL DEFAULT '';
ALTER TABLE services ADD COLUMN lease_warned integer NOT NULL DEFAULT 0;
UPDATE services SET expires_on = coalesce((
	SELECT CASE WHEN min(s.expires_on) <> '' THEN max(s.expires_on) END FROM servers s
	WHERE s.service_id = services.id AND s.status <> 'HISTORICAL'
), '');
CREATE INDEX services_expiry ON services (expires_on, id) WHERE expires_on <> '';

ALTER TABLE order_items ADD COLUMN scale text;

-- Work that one process does for all of them, and how long it is that one's.
CREATE TABLE duties (
	name text PRIMARY KEY,
	holder text NOT NULL,
	held_until datetime NOT NULL
);

-- +goose Down
DROP TABLE duties;
ALTER TABLE order_items DROP COLUMN scale;
DROP INDEX services_expiry;
ALTER TABLE services DROP COLUMN lease_warned;
ALTER TABLE services DROP COLUMN expires_on;
DROP INDEX servers_expiry;
DROP INDEX servers_action_job;
ALTER TABLE servers DROP COLUMN lease_expired_at;
ALTER TABLE servers DROP COLUMN lease_warned;
ALTER TABLE servers DROP COLUMN action_job_id;
