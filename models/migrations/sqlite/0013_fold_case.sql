-- +goose Up
-- In SQLite the function fold_case is the process's own: see pkg/store/foldcase.go.
SELECT 1;
-- +goose Down
SELECT 1;
