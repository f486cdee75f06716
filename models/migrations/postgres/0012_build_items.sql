-- +goose Up
-- What a build item is deployed with unless the order says otherwise.
ALTER TABLE blueprint_items ADD COLUMN environment_id bigint REFERENCES environments (id);
ALTER TABLE blueprint_items ADD COLUMN parameters text;
-- +goose Down
ALTER TABLE blueprint_items DROP COLUMN parameters;
ALTER TABLE blueprint_items DROP COLUMN environment_id;
