-- +goose Up
CREATE TABLE webhooks (
	id integer PRIMARY KEY AUTOINCREMENT,
	uuid text NOT NULL UNIQUE,
	global_id text NOT NULL UNIQUE,
	version bigint NOT NULL DEFAULT 1,
	created_at datetime NOT NULL,
	updated_at datetime NOT NULL,
	owner_id bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	name text NOT NULL,
	url text NOT NULL,
	types text NOT NULL,
	-- A webhook for a group or an object that is gone has nothing to send any more: it
	-- must neither keep them, nor be widened by their end.
	group_id bigint,
	object_type text NOT NULL DEFAULT '',
	object_id bigint,
	enabled boolean NOT NULL DEFAULT true,
	disabled_reason text NOT NULL DEFAULT '',
	secret text NOT NULL,
	former text NOT NULL DEFAULT '',
	former_until datetime,
	last_success_at datetime,
	last_failure_at datetime,
	failures integer NOT NULL DEFAULT 0,
	failing_since datetime,
	from_event bigint
);
CREATE INDEX webhooks_owner ON webhooks (owner_id);

CREATE TABLE webhook_deliveries (
	id integer PRIMARY KEY AUTOINCREMENT,
	uuid text NOT NULL UNIQUE,
	global_id text NOT NULL UNIQUE,
	version bigint NOT NULL DEFAULT 1,
	created_at datetime NOT NULL,
	updated_at datetime NOT NULL,
	webhook_id bigint NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
	-- Deliveries are kept for longer than events and what those are about.
	event_id bigint,
	event_type text NOT NULL,
	object_type text NOT NULL DEFAULT '',
	object_id bigint,
	owner_id bigint,
	recipient_id bigint,
	group_id bigint,
	order_id bigint,
	parent_id bigint,
	service_id bigint,
	server_id bigint,
	message_id text NOT NULL UNIQUE,
	payload text NOT NULL,
	status text NOT NULL,
	attempts integer NOT NULL DEFAULT 0,
	tries integer NOT NULL DEFAULT 0,
	log text NOT NULL,
	due_at datetime,
	lease_token text NOT NULL DEFAULT '',
	response_status integer NOT NULL DEFAULT 0,
	response_body text NOT NULL DEFAULT '',
	error text NOT NULL DEFAULT '',
	duration_ms bigint NOT NULL DEFAULT 0,
	ended_at datetime
);
CREATE UNIQUE INDEX webhook_deliveries_event ON webhook_deliveries (webhook_id, event_id) WHERE event_id IS NOT NULL;
CREATE INDEX webhook_deliveries_webhook ON webhook_deliveries (webhook_id, id);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (webhook_id, due_at) WHERE status = 'PENDING';
CREATE INDEX webhook_deliveries_age ON webhook_deliveries (created_at);

-- How far the events have been made into deliveries: the one row that whoever does it
-- locks, and moves in the transaction that writes the deliveries.
CREATE TABLE webhook_feed (
	last bigint NOT NULL
);
INSERT INTO webhook_feed (last) VALUES (0);

-- +goose Down
DROP TABLE webhook_feed;
DROP TABLE webhook_deliveries;
DROP TABLE webhooks;
