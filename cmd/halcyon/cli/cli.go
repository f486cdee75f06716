// Package cli holds the commands that talk to a server as its users do. They know the
// root of the API and the names of relations, and no other URL; this package and those
// below it import nothing of the server.
package cli

import (
	"context"
	"io"

	"github.com/alecthomas/kong"
)

// Commands are the commands of the client, to embed in the program's command table.
type Commands struct {
	Login    loginCmd    `cmd:"" group:"client" help:"Sign in to a server and remember it."`
	Logout   logoutCmd   `cmd:"" group:"client" help:"Sign out and forget the tokens."`
	Profiles profilesCmd `cmd:"" group:"client" help:"The servers that are remembered."`
	Get      getCmd      `cmd:"" group:"client" help:"Show a document: the root, a path, or an item of a collection by its name."`
	Follow   followCmd   `cmd:"" group:"client" help:"Follow relations from the root and show where they lead."`
	List     listCmd     `cmd:"" group:"client" help:"List a collection."`
	Order    orderCmd    `cmd:"" group:"client" help:"Order what a file says, or by a blueprint's form."`
	Watch    watchCmd    `cmd:"" group:"client" help:"Watch an order or a job until it has ended."`
	Approve  approveCmd  `cmd:"" group:"client" help:"Approve an order."`
	Deny     denyCmd     `cmd:"" group:"client" help:"Deny an order."`
	Cancel   cancelCmd   `cmd:"" group:"client" help:"Cancel an order or a job."`
	Run      runCmd      `cmd:"" group:"client" help:"Run an action that a resource offers."`
	Open     openCmd     `cmd:"" group:"client" help:"Open a page in the browser."`

	Completion completionCmd `cmd:"" group:"client" help:"Write the completion for a shell."`
	Complete   completeCmd   `cmd:"" name:"__complete" hidden:"" passthrough:"all"`
}

// groupKey names the group that every visible command of this package is in.
const groupKey = "client"

// Groups returns the groups of this package's commands and flags for the program's help.
func Groups() []kong.Group {
	return []kong.Group{
		{Key: groupKey, Title: "Commands that talk to a server:"},
		{Key: "connection", Title: "Which server, and as whom:"},
	}
}

// Environment is what a command works in.
type Environment struct {
	Ctx     context.Context // ends when the person interrupts the command
	Stdout  io.Writer
	Stderr  io.Writer
	Version string // of this program, for the User-Agent
}

// Selected reports whether the command that was chosen is one of this package.
func Selected(k *kong.Context) bool {
	for n := k.Selected(); n != nil; n = n.Parent {
		if n.Group != nil && n.Group.Key == groupKey {
			return true
		}
	}
	return k.Selected() != nil && k.Selected().Name == "__complete"
}

// Run runs the command that was chosen, reports its error to env.Stderr, and returns the
// code that the process exits with.
func Run(k *kong.Context, env *Environment) int {
	if err := k.Run(env); err != nil {
		return report(env.Stderr, err)
	}
	return 0
}
