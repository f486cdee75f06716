package e2e

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"halcyon/pkg/demo"
)

// A demo is not ready while it creates its content. Killed at that moment, it starts with
// all of it the next time; ended later, it keeps what people did.
func TestDemoIsKilledWhileItIsFilled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	marker := filepath.Join(dir, "unfinished")
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	logged := &logBuffer{}
	cmd := halcyon("demo", "--data", dir, "--listen", address)
	cmd.Stderr = logged
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // it is killed
	}()
	unready := false
	for deadline := time.Now().Add(patience); !unready; time.Sleep(time.Millisecond) {
		if _, err := os.Stat(marker); err == nil {
			status, parts := readiness(t, address)
			unready = status == http.StatusServiceUnavailable && parts["demo"] != "ok" && parts["database"] == "ok"
			if _, err := os.Stat(marker); err == nil && !unready {
				t.Errorf("ready while it is filled: %d %v", status, parts)
				break
			}
		}
		if time.Now().After(deadline) {
			t.Errorf("it was never seen to be filled:\n%s", logged.tail())
			break
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	<-ended
	if _, err := os.Stat(marker); err != nil {
		t.Fatalf("it was killed too late: %v", err)
	}

	t.Run("again", func(t *testing.T) {
		root := startDemo(t, "--data", dir)
		if _, err := os.Stat(marker); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the marker: %v", err)
		}
		if n := ordersSeen(t, root); n != 3 {
			t.Errorf("%d orders", n)
		}
		status, parts := readiness(t, root[len("http://"):len(root)-len("/api/v2/")])
		if status != http.StatusOK {
			t.Errorf("%d %v", status, parts)
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, root+"orders/2/actions/duplicate", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth("alice", demo.Password)
		answer, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK && answer.StatusCode != http.StatusCreated {
			t.Errorf("duplicate: %s", answer.Status)
		}
	})
	t.Run("kept", func(t *testing.T) {
		if n := ordersSeen(t, startDemo(t, "--data", dir)); n != 4 {
			t.Errorf("%d orders", n)
		}
	})
}

// readiness returns what /readyz answers.
func readiness(t *testing.T, address string) (status int, parts map[string]string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/readyz", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if err := json.NewDecoder(answer.Body).Decode(&parts); err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, parts
}

// ordersSeen returns how many orders alice sees.
func ordersSeen(t *testing.T, root string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, root+"orders/", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("alice", demo.Password)
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var list struct{ Total int }
	if err := json.NewDecoder(answer.Body).Decode(&list); err != nil {
		t.Fatal(err)
	}
	return list.Total
}
