//go:build race

package vcsim_test

// raceEnabled skips the tests: govmomi's simulator runs in this process and has data races.
const racing = true
