-- +goose Up
-- What a transaction has made happen, all of it in one row, until the relay gives
-- each event a number.
CREATE TABLE event_outbox (
	id integer PRIMARY KEY AUTOINCREMENT,
	events text NOT NULL
);

CREATE TABLE events (
	id integer PRIMARY KEY,
	type text NOT NULL,
	object_type text NOT NULL,
	object_id bigint NOT NULL,
	status text NOT NULL,
	owner_id bigint,
	recipient_id bigint,
	group_id bigint,
	order_id bigint,
	parent_id bigint,
	service_id bigint,
	server_id bigint,
	actor_id bigint,
	data text NOT NULL,
	created_at datetime NOT NULL
);
CREATE INDEX events_order ON events (order_id, id) WHERE order_id IS NOT NULL;

-- The highest number that was given, and the highest one of those that are not kept
-- any more. There is one writer.
CREATE TABLE event_numbers (
	last bigint NOT NULL,
	pruned bigint NOT NULL
);
INSERT INTO event_numbers (last, pruned) VALUES (0, 0);

-- +goose Down
DROP TABLE event_numbers;
DROP TABLE events;
DROP TABLE event_outbox;
