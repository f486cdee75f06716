//go:build !unix

package simulated

import "os"

// Without file locks a cloud's file is for one process.
func lock(*os.File) error { return nil }

func unlock(*os.File) error { return nil }
