package e2e

import (
	"os"
	"os/exec"
	"testing"

	"halcyon/cmd/halcyon/command"
)

// beHalcyon makes the test binary the program itself, so that tests can start
// and kill processes of it without building it a second time.
const beHalcyon = "HALCYON_TEST_BE_HALCYON"

func TestMain(m *testing.M) {
	if os.Getenv(beHalcyon) != "" {
		os.Exit(command.Run("", os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// halcyon returns the program as a process of its own, which has yet to be started.
func halcyon(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), beHalcyon+"=1")
	return cmd
}
