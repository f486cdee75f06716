-- +goose Up
-- The action of a build item, and the place of a job among the children of its parent: it
-- begins after those of the earlier stages.
ALTER TABLE blueprint_items ADD COLUMN action_id bigint REFERENCES actions (id);
ALTER TABLE jobs ADD COLUMN stage integer NOT NULL DEFAULT 0;
-- +goose Down
ALTER TABLE jobs DROP COLUMN stage;
ALTER TABLE blueprint_items DROP COLUMN action_id;
