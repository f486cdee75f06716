-- +goose Up
-- A session of a browser is the one whose secret the browser keeps in its cookie;
-- of the secret only the hash is here. Sessions of tokens have none.
ALTER TABLE sessions ADD COLUMN version bigint NOT NULL DEFAULT 1;
ALTER TABLE sessions ADD COLUMN secret_hash text NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN generation bigint NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN seen_at datetime NOT NULL DEFAULT '1970-01-01 00:00:00+00:00';
ALTER TABLE sessions ADD COLUMN address text NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN user_agent text NOT NULL DEFAULT '';
UPDATE sessions SET seen_at = created_at;
CREATE UNIQUE INDEX sessions_secret ON sessions (secret_hash) WHERE secret_hash <> '';

CREATE TABLE api_tokens (
	id integer PRIMARY KEY AUTOINCREMENT,
	uuid text NOT NULL UNIQUE,
	global_id text NOT NULL UNIQUE,
	version bigint NOT NULL DEFAULT 1,
	created_at datetime NOT NULL,
	updated_at datetime NOT NULL,
	user_id bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	name text NOT NULL,
	scope text NOT NULL,
	prefix text NOT NULL,
	secret_hash text NOT NULL UNIQUE,
	expires_on text NOT NULL DEFAULT '',
	seen_at datetime
);
CREATE INDEX api_tokens_user ON api_tokens (user_id, id);

-- Somebody asked for a new password for an account, by a name that may be nobody's.
-- With the secret's hash it is a link that was mailed.
CREATE TABLE password_resets (
	id integer PRIMARY KEY AUTOINCREMENT,
	account text NOT NULL DEFAULT '',
	user_id bigint REFERENCES users (id) ON DELETE CASCADE,
	secret_hash text NOT NULL DEFAULT '',
	created_at datetime NOT NULL,
	expires_at datetime NOT NULL
);
CREATE UNIQUE INDEX password_resets_secret ON password_resets (secret_hash) WHERE secret_hash <> '';
CREATE INDEX password_resets_user ON password_resets (user_id, created_at);
CREATE INDEX password_resets_expiry ON password_resets (expires_at);

-- Mails that are still to be sent: who moves next_try_at on is the one who tries.
CREATE TABLE mails (
	id integer PRIMARY KEY AUTOINCREMENT,
	recipient text NOT NULL,
	subject text NOT NULL,
	body text NOT NULL,
	tries integer NOT NULL DEFAULT 0,
	created_at datetime NOT NULL,
	next_try_at datetime NOT NULL,
	give_up_at datetime NOT NULL
);
CREATE INDEX mails_next ON mails (next_try_at, id);

-- +goose Down
DROP TABLE mails;
DROP TABLE password_resets;
DROP TABLE api_tokens;
DROP INDEX sessions_secret;
ALTER TABLE sessions DROP COLUMN user_agent;
ALTER TABLE sessions DROP COLUMN address;
ALTER TABLE sessions DROP COLUMN seen_at;
ALTER TABLE sessions DROP COLUMN generation;
ALTER TABLE sessions DROP COLUMN secret_hash;
ALTER TABLE sessions DROP COLUMN version;
