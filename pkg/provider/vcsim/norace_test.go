//go:build !race

package vcsim_test

const raceEnabled = false
