-- +goose Up
CREATE TABLE actions (
	id integer PRIMARY KEY AUTOINCREMENT,
	uuid text NOT NULL UNIQUE,
	global_id text NOT NULL UNIQUE,
	version bigint NOT NULL DEFAULT 1,
	created_at datetime NOT NULL,
	updated_at datetime NOT NULL,
	name text NOT NULL UNIQUE,
	description text NOT NULL DEFAULT '',
	kind text NOT NULL,
	built_in text NOT NULL DEFAULT '',
	settings text,
	inputs text,
	url text NOT NULL DEFAULT '',
	header_names text,
	headers text NOT NULL DEFAULT '',
	secret text NOT NULL DEFAULT '',
	timeout integer NOT NULL DEFAULT 10
);

CREATE TABLE server_actions (
	id integer PRIMARY KEY AUTOINCREMENT,
	uuid text NOT NULL UNIQUE,
	global_id text NOT NULL UNIQUE,
	version bigint NOT NULL DEFAULT 1,
	created_at datetime NOT NULL,
	updated_at datetime NOT NULL,
	name text NOT NULL UNIQUE,
	description text NOT NULL DEFAULT '',
	action_id bigint NOT NULL REFERENCES actions (id),
	condition text NOT NULL DEFAULT '',
	requires_approval boolean NOT NULL DEFAULT false,
	enabled boolean NOT NULL DEFAULT true
);
CREATE INDEX server_actions_action ON server_actions (action_id);

CREATE TABLE service_actions (
	id integer PRIMARY KEY AUTOINCREMENT,
	uuid text NOT NULL UNIQUE,
	global_id text NOT NULL UNIQUE,
	version bigint NOT NULL DEFAULT 1,
	created_at datetime NOT NULL,
	updated_at datetime NOT NULL,
	name text NOT NULL UNIQUE,
	description text NOT NULL DEFAULT '',
	action_id bigint NOT NULL REFERENCES actions (id),
	condition text NOT NULL DEFAULT '',
	requires_approval boolean NOT NULL DEFAULT false,
	enabled boolean NOT NULL DEFAULT true
);
CREATE INDEX service_actions_action ON service_actions (action_id);

CREATE TABLE orchestration_actions (
	id integer PRIMARY KEY AUTOINCREMENT,
	uuid text NOT NULL UNIQUE,
	global_id text NOT NULL UNIQUE,
	version bigint NOT NULL DEFAULT 1,
	created_at datetime NOT NULL,
	updated_at datetime NOT NULL,
	name text NOT NULL UNIQUE,
	description text NOT NULL DEFAULT '',
	action_id bigint NOT NULL REFERENCES actions (id),
	trigger_point text NOT NULL,
	condition text NOT NULL DEFAULT '',
	priority integer NOT NULL DEFAULT 100,
	enabled boolean NOT NULL DEFAULT true
);
CREATE INDEX orchestration_actions_action ON orchestration_actions (action_id);

CREATE TABLE rules (
	id integer PRIMARY KEY AUTOINCREMENT,
	uuid text NOT NULL UNIQUE,
	global_id text NOT NULL UNIQUE,
	version bigint NOT NULL DEFAULT 1,
	created_at datetime NOT NULL,
	updated_at datetime NOT NULL,
	name text NOT NULL UNIQUE,
	description text NOT NULL DEFAULT '',
	action_id bigint NOT NULL REFERENCES actions (id),
	trigger_point text NOT NULL,
	condition text NOT NULL,
	priority integer NOT NULL DEFAULT 100,
	enabled boolean NOT NULL DEFAULT true
);
CREATE INDEX rules_action ON rules (action_id);

CREATE TABLE applications (
	id integer PRIMARY KEY AUTOINCREMENT,
	uuid text NOT NULL UNIQUE,
	global_id text NOT NULL UNIQUE,
	version bigint NOT NULL DEFAULT 1,
	created_at datetime NOT NULL,
	updated_at datetime NOT NULL,
	name text NOT NULL UNIQUE,
	description text NOT NULL DEFAULT '',
	release text NOT NULL DEFAULT '',
	action_id bigint NOT NULL REFERENCES actions (id),
	os_family text NOT NULL DEFAULT ''
);
CREATE INDEX applications_action ON applications (action_id);

CREATE TABLE application_os_builds (
	application_id bigint NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
	os_build_id bigint NOT NULL REFERENCES os_builds (id) ON DELETE CASCADE,
	PRIMARY KEY (application_id, os_build_id)
);

ALTER TABLE order_items ADD COLUMN action text;

-- +goose Down
ALTER TABLE order_items DROP COLUMN action;
DROP TABLE application_os_builds;
DROP TABLE applications;
DROP TABLE rules;
DROP TABLE orchestration_actions;
DROP TABLE service_actions;
DROP TABLE server_actions;
DROP TABLE actions;
