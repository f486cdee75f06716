-- +goose Up
-- What orders may choose of the back end, beside the environment's own place.
ALTER TABLE environments ADD COLUMN choices text;
-- +goose Down
ALTER TABLE environments DROP COLUMN choices;
