-- +goose Up
-- What a server takes out of the quotas, written with the row: nothing when it
-- is none of ours, or gone.
ALTER TABLE servers ADD COLUMN reserved_servers bigint NOT NULL DEFAULT 0;
ALTER TABLE servers ADD COLUMN reserved_cpus bigint NOT NULL DEFAULT 0;
ALTER TABLE servers ADD COLUMN reserved_memory_mb bigint NOT NULL DEFAULT 0;
ALTER TABLE servers ADD COLUMN reserved_disk_gb bigint NOT NULL DEFAULT 0;
ALTER TABLE servers ADD COLUMN reserved_rate bigint NOT NULL DEFAULT 0;
UPDATE servers SET reserved_servers = 1, reserved_cpus = cpus, reserved_memory_mb = memory_mb,
	reserved_disk_gb = disk_gb, reserved_rate = rate
WHERE order_id IS NOT NULL AND status IN ('PROV', 'ACTIVE', 'MODIFY', 'DECOM');

-- What an order takes that waits for its approval: a row for each server that it
-- would make, and for each that it would change.
CREATE TABLE reservations (
	id integer PRIMARY KEY AUTOINCREMENT,
	order_id bigint NOT NULL REFERENCES orders (id),
	order_item_id bigint NOT NULL REFERENCES order_items (id),
	server_id bigint REFERENCES servers (id),
	item_key text NOT NULL DEFAULT '',
	group_id bigint NOT NULL REFERENCES groups (id),
	environment_id bigint REFERENCES environments (id),
	reserved_servers bigint NOT NULL DEFAULT 0,
	reserved_cpus bigint NOT NULL DEFAULT 0,
	reserved_memory_mb bigint NOT NULL DEFAULT 0,
	reserved_disk_gb bigint NOT NULL DEFAULT 0,
	reserved_rate bigint NOT NULL DEFAULT 0
);
CREATE INDEX reservations_order ON reservations (order_id);

CREATE TABLE quotas (
	id integer PRIMARY KEY AUTOINCREMENT,
	uuid text NOT NULL UNIQUE,
	global_id text NOT NULL UNIQUE,
	version bigint NOT NULL DEFAULT 1,
	created_at datetime NOT NULL,
	updated_at datetime NOT NULL,
	group_id bigint REFERENCES groups (id) ON DELETE CASCADE,
	environment_id bigint REFERENCES environments (id) ON DELETE CASCADE,
	kind text NOT NULL,
	maximum bigint NOT NULL,
	used bigint NOT NULL DEFAULT 0,
	CHECK (group_id IS NOT NULL OR environment_id IS NOT NULL)
);
CREATE UNIQUE INDEX quotas_scope ON quotas (coalesce(group_id, 0), coalesce(environment_id, 0), kind);
CREATE INDEX quotas_environment ON quotas (environment_id);

-- +goose Down
DROP TABLE quotas;
DROP TABLE reservations;
ALTER TABLE servers DROP COLUMN reserved_rate;
ALTER TABLE servers DROP COLUMN reserved_disk_gb;
ALTER TABLE servers DROP COLUMN reserved_memory_mb;
ALTER TABLE servers DROP COLUMN reserved_cpus;
ALTER TABLE servers DROP COLUMN reserved_servers;
