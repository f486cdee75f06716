// Command halcyon is the whole product in one binary: the API server, the job
// workers, a vCenter simulator, and the demo that is all of them at once.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"slices"
	"syscall"

	"github.com/alecthomas/kong"

	"halcyon/cmd/halcyon/cli"
)

// version is set by the linker in releases.
var version = ""

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

// secretEnv are the settings that may come from a file, named by the same
// variable with _FILE behind it.
var secretEnv = []string{"HALCYON_DATABASE_URL", "HALCYON_SIMULATOR_PASSWORD", "HALCYON_SMTP_URL", "HALCYON_TOKEN"}

func main() {
	runtime.MemProfileRate = 0 // a megabyte of samples that nothing reads
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run is main without the process around it.
func run(args []string, stdout, stderr io.Writer) int {
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
		return cli.Run(kctx, &cli.Environment{Ctx: ctx, Stdout: stdout, Stderr: stderr, Version: currentVersion()})
	}
	env := &environment{ctx: ctx, stdout: stdout, stderr: stderr, log: newLogger(stderr, c.LogLevel, c.LogFormat)}
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

// readSecretFiles sets each secret setting from the file that its _FILE twin
// names, so that kong finds it in the environment.
func readSecretFiles() error {
	for _, name := range secretEnv {
		path := os.Getenv(name + "_FILE")
		if path == "" {
			continue
		}
		if os.Getenv(name) != "" {
			return fmt.Errorf("%s and %s_FILE are both set", name, name)
		}
		text, err := readSecret(path)
		if err != nil {
			return fmt.Errorf("%s_FILE: %w", name, err)
		}
		if err := os.Setenv(name, text); err != nil {
			return err
		}
	}
	return nil
}

type versionCmd struct{}

// Run shows the version.
func (versionCmd) Run(env *environment) error {
	_, err := fmt.Fprintln(env.stdout, "halcyon", currentVersion())
	return err
}

func currentVersion() string {
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
