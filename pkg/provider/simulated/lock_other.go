//go:build !unix

package simulated

import "os"

// lock does nothing: without file locks only one process may use a cloud's file.
func lock(*os.File) error { return nil }

func unlock(*os.File) error { return nil }
