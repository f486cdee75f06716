package command

import (
	"fmt"
	"os"
	"strings"
)

// secretEnv are the settings that may come from a file, named by the same
// variable with _FILE behind it.
var secretEnv = []string{"HALCYON_DATABASE_URL", "HALCYON_SIMULATOR_PASSWORD", "HALCYON_SMTP_URL", "HALCYON_TOKEN"}

// readSecretFiles sets each secret setting from the file that its _FILE twin
// names, so that kong finds it in the environment.
func readSecretFiles() error {
	for _, name := range secretEnv {
		path := os.Getenv(name + "_FILE")
		if path == "" {
			continue
		}
		if os.Getenv(name) != "" {
			return fmt.Errorf("%s and %s_FILE are both set", name, name)
		}
		text, err := readSecret(path)
		if err != nil {
			return fmt.Errorf("%s_FILE: %w", name, err)
		}
		if err := os.Setenv(name, text); err != nil {
			return err
		}
	}
	return nil
}

// readSecret reads a file that holds a secret and perhaps a newline.
func readSecret(path string) (string, error) {
	data, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return "", err
	}
	text := strings.TrimRight(string(data), "\r\n")
	if text == "" {
		return "", fmt.Errorf("%s is empty", path)
	}
	return text, nil
}
