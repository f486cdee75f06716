package app

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

// TestTheFileIsLetGo is not parallel: what others need comes back at once.
func TestTheFileIsLetGo(t *testing.T) {
	before := residentFile(t)
	if err := letGo(); err != nil {
		t.Fatal(err)
	}
	if after := residentFile(t); after >= before/2 {
		t.Errorf("%d kB of files before, %d kB after", before, after)
	}
}

// residentFile returns the pages of files that this process has, in kB.
func residentFile(t *testing.T) int {
	t.Helper()
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(data), "RssFile:")
	n, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return n
}
