package main

import "context"

// docs measures the OpenAPI description and the documentation: they are built once, and
// clients that cache them get 304. PostgreSQL is not involved.
func (r *rig) docs(ctx context.Context) error {
	halcyon, err := r.serve(ctx, r.db, "--workers=0")
	if err != nil {
		return err
	}
	defer halcyon.stop()
	for _, x := range []struct{ title, path, accept string }{
		{"DOCS-API openapi.json", "/api/v2/openapi.json", "application/json"},
		{"DOCS-PAGE the page of a resource", "/api/v2/docs/resources/servers", "text/html"},
		{"DOCS-SCHEMA the schema of a resource", "/api/v2/docs/schemas/server", "application/schema+json"},
	} {
		c := newClient(halcyon.url, "").withAccept(x.accept)
		whole := &contender{"whole", halcyon, c}
		known := &contender{"304", halcyon, c.withCache()}
		call := func(int) request { return get(x.path) }
		if err := r.compare(ctx, x.title+", of which the last is the reference", 0, r.scaled(5, 3), r.scaled(2000, 500), []*contender{known, whole}, call); err != nil {
			return err
		}
	}
	return nil
}
