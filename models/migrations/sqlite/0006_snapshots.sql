-- +goose Up
CREATE TABLE snapshots (
	id integer PRIMARY KEY AUTOINCREMENT,
	uuid text NOT NULL UNIQUE,
	global_id text NOT NULL UNIQUE,
	version bigint NOT NULL DEFAULT 1,
	created_at datetime NOT NULL,
	updated_at datetime NOT NULL,
	server_id bigint NOT NULL REFERENCES servers (id) ON DELETE CASCADE,
	name text NOT NULL,
	description text NOT NULL DEFAULT '',
	backend_ref text NOT NULL,
	size_mb bigint NOT NULL DEFAULT 0,
	current boolean NOT NULL DEFAULT false,
	taken_at datetime NOT NULL
);
-- Names are kept apart when snapshots are asked for; people may use one twice in the
-- back end.
CREATE UNIQUE INDEX snapshots_backend ON snapshots (server_id, backend_ref);

-- +goose Down
DROP TABLE snapshots;
