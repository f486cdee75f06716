-- +goose Up
-- A POST that carries an Idempotency-Key. The row is claimed before the work
-- begins, and gets its answer in the transaction of the work: whose claim it no
-- longer is cannot commit.
CREATE TABLE idempotency_keys (
	id integer PRIMARY KEY AUTOINCREMENT,
	user_id bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	method text NOT NULL,
	target text NOT NULL,
	key text NOT NULL,
	request text NOT NULL,
	claim text NOT NULL,
	claimed_until datetime NOT NULL,
	status integer NOT NULL DEFAULT 0,
	answer text NOT NULL DEFAULT '',
	expires_at datetime NOT NULL
);
CREATE UNIQUE INDEX idempotency_keys_scope ON idempotency_keys (user_id, key, method, target);
CREATE INDEX idempotency_keys_expiry ON idempotency_keys (expires_at);

-- +goose Down
DROP TABLE idempotency_keys;
