//go:build !race

package vcsim_test

const racing = false
