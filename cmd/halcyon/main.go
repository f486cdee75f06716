// Command halcyon is the whole product in one binary: the API server, the job
// workers, a vCenter simulator, the demo that is all of them at once, and the client.
package main

import (
	"os"
	"runtime"

	"halcyon/cmd/halcyon/command"
)

// version is set by the linker in releases.
var version = ""

func main() {
	runtime.MemProfileRate = 0 // a megabyte of samples that nothing reads
	os.Exit(command.Run(version, os.Args[1:], os.Stdout, os.Stderr))
}
