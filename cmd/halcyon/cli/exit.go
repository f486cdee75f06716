package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"halcyon/cmd/halcyon/cli/client"
)

// The codes that the client's commands exit with. They are a part of its interface,
// and docs/cli.md has them.
const (
	exitOther       = 1
	exitUsage       = 2
	exitSignedOut   = 3
	exitMissing     = 4
	exitRefused     = 5
	exitUnreachable = 6
	exitFailed      = 7
	exitStopped     = 8
	exitUnfinished  = 9
	exitInterrupted = 130
)

// ExitHelp is in the help of the program.
const ExitHelp = `Exit codes: 0 done, 1 another failure, 2 wrong usage, 3 not signed in, 4 forbidden or not found,
5 refused (invalid content, wrong state), 6 no answer from the server, 7 the watched work failed,
8 it was denied or canceled, 9 it had not ended by the --timeout, 130 interrupted.`

// outcome is the end of work that was watched and did not go well. It has been told
// already.
type outcome struct {
	code int
	what string
}

func (o *outcome) Error() string { return o.what }

// report tells of an error of one of the client's commands, in one line and one
// for each wrong field, and returns the exit code.
func report(stderr io.Writer, err error) int {
	var end *outcome
	if errors.As(err, &end) {
		return end.code
	}
	if errors.Is(err, context.Canceled) {
		return exitInterrupted
	}
	var e *client.Error
	if !errors.As(err, &e) {
		fmt.Fprintln(stderr, "halcyon:", client.Plain(err.Error()))
		return exitOther
	}
	if len(e.Lines) == 0 {
		fmt.Fprintln(stderr, "halcyon:", client.Plain(e.Message))
	}
	for _, line := range e.Lines {
		fmt.Fprintln(stderr, client.Plain(line))
	}
	return exitOf[e.Kind]
}

var exitOf = map[client.Kind]int{
	client.Other: exitOther, client.Usage: exitUsage, client.SignedOut: exitSignedOut,
	client.Missing: exitMissing, client.Refused: exitRefused, client.Unreachable: exitUnreachable,
}
