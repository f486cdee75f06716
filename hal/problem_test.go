package hal_test

import (
	"testing"

	"halcyon/hal"
)

func TestProblem(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		p         hal.Problem
		hal       string
		cloudbolt string
	}{
		{
			"full",
			hal.Problem{
				Type: "/api/v2/docs/problems/invalid", Title: "Invalid request", Status: 400, Detail: "Unknown parameter \"cpus\".",
				Instance: "/api/v2/orders/#req-1", Error: "cpus",
				Errors: []hal.FieldError{{Pointer: "/items/0/cpus", Reason: "unknown"}, {Pointer: "/group", Reason: "is required"}},
			},
			`{"type":"/api/v2/docs/problems/invalid","title":"Invalid request","status":400,"detail":"Unknown parameter \"cpus\".",
			"instance":"/api/v2/orders/#req-1","errors":[{"pointer":"/items/0/cpus","reason":"unknown"},{"pointer":"/group","reason":"is required"}],
			"status_code":400,"error":"cpus"}`,
			`{"status_code":400,"detail":"Unknown parameter \"cpus\".","error":"cpus"}`,
		}, {
			"error from title",
			hal.Problem{Title: "Not found", Status: 404, Detail: "Not found: server 7."},
			`{"title":"Not found","status":404,"detail":"Not found: server 7.","status_code":404,"error":"Not found"}`,
			`{"status_code":404,"detail":"Not found: server 7.","error":"Not found"}`,
		}, {
			"error from detail",
			hal.Problem{Status: 500, Detail: "Internal error."},
			`{"status":500,"detail":"Internal error.","status_code":500,"error":"Internal error."}`,
			`{"status_code":500,"detail":"Internal error.","error":"Internal error."}`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			wantJSON(t, tt.p.AppendJSON(nil, hal.HAL), tt.hal)
			wantJSON(t, tt.p.AppendJSON(nil, hal.HALForms), tt.hal)
			wantJSON(t, tt.p.AppendJSON(nil, hal.CloudBolt), tt.cloudbolt)
		})
	}
}

func TestProblemContentType(t *testing.T) {
	t.Parallel()
	var p hal.Problem
	for shape, want := range map[hal.Shape]string{
		hal.HAL: "application/problem+json", hal.HALForms: "application/problem+json", hal.CloudBolt: "application/json",
	} {
		if got := p.ContentType(shape); got != want {
			t.Errorf("shape %d: %s, want %s", shape, got, want)
		}
	}
}
