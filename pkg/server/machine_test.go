package server

import (
	"strings"
	"testing"

	"halcyon/models"
)

// A machine's name in the back end ends with the part that identifies the server, even for a long host
// name.
func TestBackendName(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]string{
		"web-01.demo.example":                        "web-01.demo.example-12345678",
		strings.Repeat("a", 71):                      strings.Repeat("a", 71) + "-12345678",
		strings.Repeat("a", 70) + ".lab.example.org": strings.Repeat("a", 70) + "-12345678",
		strings.Repeat("a", 253):                     strings.Repeat("a", 71) + "-12345678",
	} {
		sv := &models.Server{Hostname: host, Row: models.Row{UUID: "12345678-1234-1234-1234-123456789012"}}
		if got := backendName(sv); got != want || len(got) > 80 {
			t.Errorf("%s is called %s, want %s", host, got, want)
		}
	}
}
