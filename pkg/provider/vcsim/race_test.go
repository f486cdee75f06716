//go:build race

package vcsim_test

// racing: the simulator runs in this process, and has races of its own.
const racing = true
