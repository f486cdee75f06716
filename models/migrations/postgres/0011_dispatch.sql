-- Jobs are dispatched from memory. What the tables of the former dispatcher held can
-- be seen in jobs and job_steps.

-- +goose Up
DROP TABLE IF EXISTS river_client_queue;
DROP TABLE IF EXISTS river_client;
DROP TABLE IF EXISTS river_queue;
DROP TABLE IF EXISTS river_leader;
DROP TABLE IF EXISTS river_job;
DROP TABLE IF EXISTS river_migration;
DROP FUNCTION IF EXISTS river_job_state_in_bitmask;
DROP FUNCTION IF EXISTS river_job_notify;
DROP TYPE IF EXISTS river_job_state;

-- +goose Down
-- An older release makes its tables itself.
