// Package command holds the commands of the program: what each is called, its flags,
// and what it does with the app. The commands of the client are in package cli.
package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"syscall"

	"github.com/alecthomas/kong"

	"halcyon/cmd/halcyon/cli"
	"halcyon/pkg/fault"
)

type commands struct {
	Serve     serveCmd     `cmd:"" group:"server" help:"Serve the API and, unless told otherwise, run jobs."`
	Worker    workerCmd    `cmd:"" group:"server" help:"Run jobs without serving the API."`
	Migrate   migrateCmd   `cmd:"" group:"server" help:"Bring the database's schema up to date and stop."`
	Demo      demoCmd      `cmd:"" group:"server" help:"A working cloud on this machine: SQLite, a simulated vCenter, a catalogue, users."`
	Simulator simulatorCmd `cmd:"" group:"server" help:"Run the vCenter simulator alone."`
	User      userCmd      `cmd:"" group:"server" help:"Manage users from the command line."`
	Config    configCmd    `cmd:"" group:"server" help:"Show the settings that serve would use, without secrets."`
	Version   versionCmd   `cmd:"" group:"server" help:"Show the version."`

	cli.Commands

	LogLevel  string `help:"Least level that is logged." enum:"debug,info,warn,error" default:"info"`
	LogFormat string `help:"Format of the log." enum:"text,json" default:"text"`
}

// Run runs the command that the arguments name and returns the code that the process
// exits with. version is that of a release, "" when the linker has set none.
func Run(version string, args []string, stdout, stderr io.Writer) int {
	version = orBuilt(version)
	if err := readSecretFiles(); err != nil {
		fmt.Fprintln(stderr, "halcyon:", err)
		return 2
	}
	var c commands
	code := -1
	parser, err := kong.New(&c,
		kong.Name("halcyon"), kong.Description("Self-service cloud behind one hypermedia API.\n\n"+cli.ExitHelp),
		kong.UsageOnError(), kong.DefaultEnvars("HALCYON"), kong.Writers(stdout, stderr),
		kong.Exit(func(n int) { code = n }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.ExplicitGroups(append(cli.Groups(), kong.Group{Key: "server", Title: "Commands that are a server, or work on its database:"})),
	)
	if err != nil {
		fmt.Fprintln(stderr, "halcyon:", err)
		return 2
	}
	kctx, err := parser.Parse(asFlag(args))
	if code >= 0 {
		return code // --help was shown
	}
	if err != nil {
		fmt.Fprintf(stderr, "halcyon: %v\nTry halcyon --help.\n", err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if cli.Selected(kctx) {
		return cli.Run(kctx, &cli.Environment{Ctx: ctx, Stdout: stdout, Stderr: stderr, Version: version})
	}
	env := &environment{ctx: ctx, stdout: stdout, stderr: stderr, version: version, log: newLogger(stderr, c.LogLevel, c.LogFormat)}
	if err := runCommand(kctx, env); err != nil {
		if errors.Is(err, context.Canceled) && ctx.Err() != nil {
			return 0
		}
		fmt.Fprintln(stderr, "halcyon:", describe(err))
		return 1
	}
	return 0
}

// runCommand runs the command that was chosen. Most need no more than it, and without
// kong's grammar a server keeps a megabyte less for as long as it runs.
func runCommand(k *kong.Context, env *environment) error {
	if c, ok := k.Selected().Target.Addr().Interface().(interface{ Run(env *environment) error }); ok {
		return c.Run(env)
	}
	return k.Run(env)
}

// environment is what every command runs in.
type environment struct {
	ctx    context.Context
	stdout io.Writer
	stderr io.Writer
	log    *slog.Logger

	version string // of this program
}

func newLogger(w io.Writer, level, format string) *slog.Logger {
	var l slog.Level
	_ = l.UnmarshalText([]byte(level)) // kong has checked it
	opts := &slog.HandlerOptions{Level: l}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

type versionCmd struct{}

// Run shows the version.
func (versionCmd) Run(env *environment) error {
	_, err := fmt.Fprintln(env.stdout, "halcyon", env.version)
	return err
}

// orBuilt returns the version, or else the one that the build recorded.
func orBuilt(version string) string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "development"
}

// asFlag makes `help COMMAND` what it means.
func asFlag(args []string) []string {
	if len(args) == 0 || args[0] != "help" {
		return args
	}
	return append(slices.Clone(args[1:]), "--help")
}

// describe returns an error for the terminal: a fault's own words and its cause.
func describe(err error) string {
	if e := fault.From(err); e.Code != fault.Internal {
		if e.Cause != nil {
			return fmt.Sprintf("%s (%v)", e.Text(fault.Plain), e.Cause)
		}
		return e.Text(fault.Plain)
	}
	return err.Error()
}
