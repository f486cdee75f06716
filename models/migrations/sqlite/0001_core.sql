-- +goose Up
CREATE TABLE users (
	id integer PRIMARY KEY AUTOINCREMENT,
	uuid text NOT NULL UNIQUE,
	global_id text NOT NULL UNIQUE,
	version bigint NOT NULL DEFAULT 1,
	created_at datetime NOT NULL,
	updated_at datetime NOT NULL,
	username text NOT NULL,
	email text NOT NULL DEFAULT '',
	first_name text NOT NULL DEFAULT '',
	last_name text NOT NULL DEFAULT '',
	password_hash text NOT NULL DEFAULT '',
	password_gen bigint NOT NULL DEFAULT 0,
	active boolean NOT NULL DEFAULT true,
	super_admin boolean NOT NULL DEFAULT false,
	global_viewer boolean NOT NULL DEFAULT false
);
CREATE UNIQUE INDEX users_username ON users (lower(username));

CREATE TABLE sessions (
	id integer PRIMARY KEY AUTOINCREMENT,
	uuid text NOT NULL UNIQUE,
	user_id bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	created_at datetime NOT NULL,
	expires_at datetime NOT NULL,
	revoked_at datetime
);
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_expiry ON sessions (expires_at);

CREATE TABLE groups (
	id integer PRIMARY KEY AUTOINCREMENT,
	uuid text NOT NULL UNIQUE,
	global_id text NOT NULL UNIQUE,
	version bigint NOT NULL DEFAULT 1,
	created_at datetime NOT NULL,
	updated_at datetime NOT NULL,
	name text NOT NULL,
	type text NOT NULL DEFAULT '',
	description text NOT NULL DEFAULT '',
	parent_id bigint REFERENCES groups (id),
	auto_approval boolean NOT NULL DEFAULT false
);
CREATE UNIQUE INDEX groups_name ON groups (coalesce(parent_id, 0), name);

CREATE TABLE roles (
	id integer PRIMARY KEY AUTOINCREMENT,
	uuid text NOT NULL UNIQUE,
	global_id text NOT NULL UNIQUE,
	version bigint NOT NULL DEFAULT 1,
	created_at datetime NOT NULL,
	updated_at datetime NOT NULL,
	name text NOT NULL UNIQUE,
	label text NOT NULL DEFAULT '',
	description text NOT NULL DEFAULT '',
	permissions text,
	built_in boolean NOT NULL DEFAULT false
);

CREATE TABLE memberships (
	id integer PRIMARY KEY AUTOINCREMENT,
	uuid text NOT NULL UNIQUE,
	global_id text NOT NULL UNIQUE,
	version bigint NOT NULL DEFAULT 1,
	created_at datetime NOT NULL,
	updated_at datetime NOT NULL,
	user_id bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	group_id bigint NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
	role_id bigint NOT NULL REFERENCES roles (id),
	created_by_id bigint REFERENCES users (id) ON DELETE SET NULL,
	expires_at datetime
);
CREATE UNIQUE INDEX memberships_grant ON memberships (user_id, group_id, role_id);
CREATE INDEX memberships_group ON memberships (group_id);

CREATE TABLE resource_handlers (
	id integer PRIMARY KEY AUTOINCREMENT,
	uuid text NOT NULL UNIQUE,
	global_id text NOT NULL UNIQUE,
	version bigint NOT NULL DEFAULT 1,
	created_at datetime NOT NULL,
	updated_at datetime NOT NULL,
	name text NOT NULL UNIQUE,
	kind text NOT NULL,
	description text NOT NULL DEFAULT '',
	url text NOT NULL DEFAULT '',
	username text NOT NULL DEFAULT '',
	password text NOT NULL DEFAULT '',
	insecure boolean NOT NULL DEFAULT false,
	verified_at datetime,
	product text NOT NULL DEFAULT ''
);

CREATE TABLE environments (
	id integer PRIMARY KEY AUTOINCREMENT,
	uuid text NOT NULL UNIQUE,
	global_id text NOT NULL UNIQUE,
	version bigint NOT NULL DEFAULT 1,
	created_at datetime NOT NULL,
	updated_at datetime NOT NULL,
	name text NOT NULL UNIQUE,
	description text NOT NULL DEFAULT '',
	auto_approval boolean NOT NULL DEFAULT false,
	group_id bigint REFERENCES groups (id),
	handler_id bigint REFERENCES resource_handlers (id),
	datacenter text NOT NULL DEFAULT '',
	cluster text NOT NULL DEFAULT '',
	resource_pool text NOT NULL DEFAULT '',
	datastore text NOT NULL DEFAULT '',
	folder text NOT NULL DEFAULT '',
	network text NOT NULL DEFAULT '',
	domain text NOT NULL DEFAULT '',
	cpu_rate bigint NOT NULL DEFAULT 0,
	mem_rate bigint NOT NULL DEFAULT 0,
	disk_rate bigint NOT NULL DEFAULT 0
);

CREATE TABLE environment_groups (
	environment_id bigint NOT NULL REFERENCES environments (id) ON DELETE CASCADE,
	group_id bigint NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
	PRIMARY KEY (environment_id, group_id)
);
CREATE INDEX environment_groups_group ON environment_groups (group_id);

CREATE TABLE os_builds (
	id integer PRIMARY KEY AUTOINCREMENT,
	uuid text NOT NULL UNIQUE,
	global_id text NOT NULL UNIQUE,
	version bigint NOT NULL DEFAULT 1,
	created_at datetime NOT NULL,
	updated_at datetime NOT NULL,
	name text NOT NULL UNIQUE,
	os_family text NOT NULL DEFAULT '',
	os_version text NOT NULL DEFAULT '',
	description text NOT NULL DEFAULT ''
);

CREATE TABLE os_build_templates (
	os_build_id bigint NOT NULL REFERENCES os_builds (id) ON DELETE CASCADE,
	handler_id bigint NOT NULL REFERENCES resource_handlers (id) ON DELETE CASCADE,
	template text NOT NULL,
	PRIMARY KEY (os_build_id, handler_id)
);

CREATE TABLE sizes (
	id integer PRIMARY KEY AUTOINCREMENT,
	uuid text NOT NULL UNIQUE,
	global_id text NOT NULL UNIQUE,
	version bigint NOT NULL DEFAULT 1,
	created_at datetime NOT NULL,
	updated_at datetime NOT NULL,
	name text NOT NULL UNIQUE,
	description text NOT NULL DEFAULT '',
	cpus integer NOT NULL,
	memory_mb integer NOT NULL,
	gpus integer NOT NULL DEFAULT 0,
	rate bigint NOT NULL DEFAULT 0
);

CREATE TABLE environment_sizes (
	environment_id bigint NOT NULL REFERENCES environments (id) ON DELETE CASCADE,
	size_id bigint NOT NULL REFERENCES sizes (id) ON DELETE CASCADE,
	PRIMARY KEY (environment_id, size_id)
);

CREATE TABLE environment_os_builds (
	environment_id bigint NOT NULL REFERENCES environments (id) ON DELETE CASCADE,
	os_build_id bigint NOT NULL REFERENCES os_builds (id) ON DELETE CASCADE,
	PRIMARY KEY (environment_id, os_build_id)
);

CREATE TABLE ip_pools (
	id integer PRIMARY KEY AUTOINCREMENT,
	uuid text NOT NULL UNIQUE,
	global_id text NOT NULL UNIQUE,
	version bigint NOT NULL DEFAULT 1,
	created_at datetime NOT NULL,
	updated_at datetime NOT NULL,
	name text NOT NULL UNIQUE,
	handler_id bigint NOT NULL REFERENCES resource_handlers (id) ON DELETE CASCADE,
	network text NOT NULL,
	first_ip text NOT NULL,
	last_ip text NOT NULL,
	prefix integer NOT NULL,
	gateway text NOT NULL DEFAULT '',
	dns text
);
CREATE UNIQUE INDEX ip_pools_network ON ip_pools (handler_id, network);

CREATE TABLE blueprints (
	id integer PRIMARY KEY AUTOINCREMENT,
	uuid text NOT NULL UNIQUE,
	global_id text NOT NULL UNIQUE,
	version bigint NOT NULL DEFAULT 1,
	created_at datetime NOT NULL,
	updated_at datetime NOT NULL,
	name text NOT NULL UNIQUE,
	description text NOT NULL DEFAULT '',
	state text NOT NULL,
	group_id bigint REFERENCES groups (id),
	inputs text
);

CREATE TABLE blueprint_groups (
	blueprint_id bigint NOT NULL REFERENCES blueprints (id) ON DELETE CASCADE,
	group_id bigint NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
	PRIMARY KEY (blueprint_id, group_id)
);
CREATE INDEX blueprint_groups_group ON blueprint_groups (group_id);

CREATE TABLE blueprint_items (
	id integer PRIMARY KEY AUTOINCREMENT,
	blueprint_id bigint NOT NULL REFERENCES blueprints (id) ON DELETE CASCADE,
	position integer NOT NULL,
	name text NOT NULL,
	type text NOT NULL,
	quantity integer NOT NULL DEFAULT 1,
	os_build_id bigint REFERENCES os_builds (id),
	size_id bigint REFERENCES sizes (id),
	hostname text NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX blueprint_items_name ON blueprint_items (blueprint_id, name);

CREATE TABLE orders (
	id integer PRIMARY KEY AUTOINCREMENT,
	uuid text NOT NULL UNIQUE,
	global_id text NOT NULL UNIQUE,
	version bigint NOT NULL DEFAULT 1,
	created_at datetime NOT NULL,
	updated_at datetime NOT NULL,
	name text NOT NULL DEFAULT '',
	status text NOT NULL,
	group_id bigint REFERENCES groups (id),
	owner_id bigint NOT NULL REFERENCES users (id),
	recipient_id bigint REFERENCES users (id),
	approved_by_id bigint REFERENCES users (id),
	current boolean NOT NULL DEFAULT false,
	summary text NOT NULL DEFAULT '',
	rate bigint NOT NULL DEFAULT 0,
	deny_reason text NOT NULL DEFAULT '',
	submitted_at datetime,
	approved_at datetime,
	ended_at datetime,
	cancel_requested_at datetime
);
CREATE UNIQUE INDEX orders_current ON orders (owner_id) WHERE current AND status = 'CART';
CREATE INDEX orders_owner ON orders (owner_id, id);
CREATE INDEX orders_group ON orders (group_id, id);
CREATE INDEX orders_status ON orders (status, id);

CREATE TABLE order_items (
	id integer PRIMARY KEY AUTOINCREMENT,
	order_id bigint NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
	kind text NOT NULL,
	position integer NOT NULL,
	blueprint_id bigint REFERENCES blueprints (id),
	deploy text,
	prov text,
	mod text,
	decom text,
	rate bigint NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX order_items_position ON order_items (order_id, kind, position);
CREATE INDEX order_items_blueprint ON order_items (blueprint_id);

CREATE TABLE services (
	id integer PRIMARY KEY AUTOINCREMENT,
	uuid text NOT NULL UNIQUE,
	global_id text NOT NULL UNIQUE,
	version bigint NOT NULL DEFAULT 1,
	created_at datetime NOT NULL,
	updated_at datetime NOT NULL,
	name text NOT NULL,
	status text NOT NULL,
	blueprint_id bigint REFERENCES blueprints (id),
	owner_id bigint REFERENCES users (id),
	group_id bigint REFERENCES groups (id),
	order_id bigint REFERENCES orders (id),
	item_key text NOT NULL DEFAULT '',
	parameters text,
	installed_at datetime
);
CREATE UNIQUE INDEX services_instance ON services (order_id, item_key) WHERE item_key <> '';
CREATE INDEX services_owner ON services (owner_id, id);
CREATE INDEX services_group ON services (group_id, id);

CREATE TABLE servers (
	id integer PRIMARY KEY AUTOINCREMENT,
	uuid text NOT NULL UNIQUE,
	global_id text NOT NULL UNIQUE,
	version bigint NOT NULL DEFAULT 1,
	created_at datetime NOT NULL,
	updated_at datetime NOT NULL,
	hostname text NOT NULL,
	status text NOT NULL,
	power_status text NOT NULL DEFAULT 'UNKNOWN',
	ip text NOT NULL DEFAULT '',
	mac text NOT NULL DEFAULT '',
	cpus integer NOT NULL DEFAULT 0,
	memory_mb integer NOT NULL DEFAULT 0,
	disk_gb integer NOT NULL DEFAULT 0,
	os_family text NOT NULL DEFAULT '',
	notes text NOT NULL DEFAULT '',
	labels text,
	disks text,
	networks text,
	parameters text,
	tech_details text,
	owner_id bigint REFERENCES users (id),
	group_id bigint REFERENCES groups (id),
	environment_id bigint REFERENCES environments (id),
	handler_id bigint REFERENCES resource_handlers (id),
	os_build_id bigint REFERENCES os_builds (id),
	size_id bigint REFERENCES sizes (id),
	service_id bigint REFERENCES services (id),
	tier text NOT NULL DEFAULT '',
	order_id bigint REFERENCES orders (id),
	item_key text NOT NULL DEFAULT '',
	provision_job_id bigint,
	backend_ref text NOT NULL DEFAULT '',
	backend_name text NOT NULL DEFAULT '',
	rate bigint NOT NULL DEFAULT 0,
	hardware_rate bigint NOT NULL DEFAULT 0,
	software_rate bigint NOT NULL DEFAULT 0,
	extra_rate bigint NOT NULL DEFAULT 0,
	expires_on text NOT NULL DEFAULT '',
	added_at datetime NOT NULL,
	synced_at datetime
);
-- One row per instance of an order, and one living row per machine: whoever
-- comes second, after a crash or beside another replica, is refused here.
CREATE UNIQUE INDEX servers_instance ON servers (order_id, item_key) WHERE item_key <> '';
CREATE UNIQUE INDEX servers_backend ON servers (handler_id, backend_ref) WHERE backend_ref <> '' AND status <> 'HISTORICAL';
CREATE INDEX servers_environment ON servers (environment_id, id);
CREATE INDEX servers_group ON servers (group_id, id);
CREATE INDEX servers_owner ON servers (owner_id, id);
CREATE INDEX servers_service ON servers (service_id);
CREATE INDEX servers_order ON servers (order_id) WHERE order_id IS NOT NULL;
CREATE INDEX servers_hostname ON servers (hostname, id);

CREATE TABLE ip_addresses (
	pool_id bigint NOT NULL REFERENCES ip_pools (id),
	address text NOT NULL,
	server_id bigint NOT NULL REFERENCES servers (id) ON DELETE CASCADE,
	PRIMARY KEY (pool_id, address)
);
CREATE UNIQUE INDEX ip_addresses_server ON ip_addresses (server_id);

CREATE TABLE jobs (
	id integer PRIMARY KEY AUTOINCREMENT,
	uuid text NOT NULL UNIQUE,
	global_id text NOT NULL UNIQUE,
	version bigint NOT NULL DEFAULT 1,
	created_at datetime NOT NULL,
	updated_at datetime NOT NULL,
	type text NOT NULL,
	status text NOT NULL,
	parent_id bigint REFERENCES jobs (id),
	prerequisite_id bigint REFERENCES jobs (id),
	order_id bigint REFERENCES orders (id),
	order_item_id bigint REFERENCES order_items (id),
	owner_id bigint REFERENCES users (id),
	group_id bigint REFERENCES groups (id),
	handler_id bigint REFERENCES resource_handlers (id),
	server_id bigint REFERENCES servers (id),
	service_id bigint REFERENCES services (id),
	action text NOT NULL DEFAULT '',
	args text,
	total_tasks integer NOT NULL DEFAULT 0,
	completed_tasks integer NOT NULL DEFAULT 0,
	output text NOT NULL DEFAULT '',
	errors text NOT NULL DEFAULT '',
	attempts integer NOT NULL DEFAULT 0,
	started_at datetime,
	ended_at datetime,
	cancel_requested_at datetime
);
CREATE INDEX jobs_open ON jobs (id) WHERE status IN ('PENDING', 'QUEUED', 'RUNNING', 'TO_CANCEL');
CREATE INDEX jobs_order ON jobs (order_id);
CREATE INDEX jobs_parent ON jobs (parent_id);
CREATE INDEX jobs_prerequisite ON jobs (prerequisite_id);
CREATE INDEX jobs_server ON jobs (server_id);
CREATE INDEX jobs_service ON jobs (service_id);
CREATE INDEX jobs_owner ON jobs (owner_id, id);
CREATE INDEX jobs_group ON jobs (group_id, id);

CREATE TABLE job_steps (
	id integer PRIMARY KEY AUTOINCREMENT,
	job_id bigint NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
	position integer NOT NULL,
	name text NOT NULL,
	title text NOT NULL DEFAULT '',
	status text NOT NULL,
	attempt bigint NOT NULL DEFAULT 0,
	failures integer NOT NULL DEFAULT 0,
	memo text,
	lease_owner text NOT NULL DEFAULT '',
	lease_until datetime,
	not_before datetime,
	started_at datetime,
	ended_at datetime
);
CREATE UNIQUE INDEX job_steps_position ON job_steps (job_id, position);

CREATE TABLE job_messages (
	id integer PRIMARY KEY AUTOINCREMENT,
	job_id bigint NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
	level text NOT NULL,
	message text NOT NULL,
	created_at datetime NOT NULL
);
CREATE INDEX job_messages_job ON job_messages (job_id, id);

CREATE TABLE history (
	id integer PRIMARY KEY AUTOINCREMENT,
	object_type text NOT NULL,
	object_id bigint NOT NULL,
	actor_id bigint,
	actor_name text NOT NULL DEFAULT '',
	event text NOT NULL,
	message text NOT NULL DEFAULT '',
	before text NOT NULL DEFAULT '',
	after text NOT NULL DEFAULT '',
	created_at datetime NOT NULL
);
CREATE INDEX history_object ON history (object_type, object_id, id);

-- What other processes have to forget or read again. PostgreSQL also tells them
-- by NOTIFY; on SQLite they look here.
CREATE TABLE signals (
	id integer PRIMARY KEY AUTOINCREMENT,
	topic text NOT NULL,
	key text NOT NULL,
	created_at datetime NOT NULL
);

-- +goose Down
DROP TABLE signals;
DROP TABLE history;
DROP TABLE job_messages;
DROP TABLE job_steps;
DROP TABLE jobs;
DROP TABLE ip_addresses;
DROP TABLE servers;
DROP TABLE services;
DROP TABLE order_items;
DROP TABLE orders;
DROP TABLE blueprint_items;
DROP TABLE blueprint_groups;
DROP TABLE blueprints;
DROP TABLE ip_pools;
DROP TABLE environment_os_builds;
DROP TABLE environment_sizes;
DROP TABLE sizes;
DROP TABLE os_build_templates;
DROP TABLE os_builds;
DROP TABLE environment_groups;
DROP TABLE environments;
DROP TABLE resource_handlers;
DROP TABLE memberships;
DROP TABLE roles;
DROP TABLE groups;
DROP TABLE sessions;
DROP TABLE users;
