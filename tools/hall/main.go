package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

// The exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
	// exitInvalid is of hall check: it has nothing to say.
	exitInvalid = 3
)

// usageError is a fault of whoever called: flags that are wrong or do not go together.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// wrongUse makes a [usageError].
func wrongUse(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// cli is what may stand on the command line.
type cli struct {
	Up      upCommand        `cmd:"" help:"Run everything in one process, with NATS embedded."`
	Run     runCommand       `cmd:"" help:"Run one or several parts against an existing NATS."`
	NATS    natsCommand      `cmd:"" name:"nats" help:"Run the embedded NATS alone, or as one server of a cluster."`
	Cluster clusterCommand   `cmd:"" help:"Run what several machines would, as processes of this one: three NATS servers, two edges, two of each service."`
	Keys    keysCommand      `cmd:"" help:"Make the nkeys of a hall whose NATS gives each part its own rights."`
	Health  healthCommand    `cmd:"" help:"Ask a part of the hall how it is: for container health checks."`
	Client  clientCommand    `cmd:"" help:"Enter a hall: the terminal client."`
	Load    loadCommand      `cmd:"" help:"Measure a hall under load, beside a raw relay."`
	Check   checkCommand     `cmd:"" help:"Break a hall of real processes, and look whether it kept its promises."`
	Version kong.VersionFlag `help:"Print the version and exit." env:"-"`
}

// command is one of them, its flags read.
type command interface {
	// run works until ctx ends and then stops in order. It tells people on out where to
	// connect, and logs to logTo.
	run(ctx context.Context, out, logTo io.Writer) error
}

func main() { os.Exit(hall(os.Args[1:], os.Stdout, os.Stderr)) }

// hall runs what args ask for until it ends or a signal ends it, and gives the exit code.
// --help and --version exit by themselves.
func hall(args []string, stdout, stderr io.Writer) int {
	cmd, err := parse(args, stdout, stderr)
	if err == nil {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		// After the first signal the next one does what it does to any program: it kills.
		context.AfterFunc(ctx, stop)
		err = cmd.run(ctx, stdout, stderr)
	}
	if err == nil {
		return exitOK
	}
	// Whoever closed standard error cannot be told of it.
	_, _ = fmt.Fprintln(stderr, "hall:", err)
	if errors.As(err, new(usageError)) {
		_, _ = fmt.Fprintln(stderr, "hall: hall --help lists the commands, hall COMMAND --help tells the flags of one")
		return exitUsage
	}
	if errors.Is(err, errInvalid) {
		return exitInvalid
	}
	return exitFailed
}

// parse reads args and the environment. What it refuses is a [usageError].
func parse(args []string, stdout, stderr io.Writer) (command, error) {
	var c cli
	parser, err := kong.New(&c, append(readers(),
		kong.Name("hall"),
		kong.Description("A hall for players at a terminal: accounts, a lobby, rooms, whispers, and a game of 21."),
		kong.Vars{"version": version()},
		kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Writers(stdout, stderr),
		kong.PostBuild(environment),
	)...)
	if err != nil {
		return nil, fmt.Errorf("read the flags: %w", err)
	}
	if len(args) == 0 {
		return nil, wrongUse("say what to do: hall up, hall run PART…, hall nats, or hall client")
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		return nil, usageError{errors.New(strings.Replace(err.Error(), "(from envar ", "(from the environment: ", 1))}
	}
	var given []*kong.Flag
	for _, p := range parsed.Path {
		if p.Flag != nil && !p.Resolved {
			given = append(given, p.Flag)
		}
	}
	switch cmd := parsed.Selected().Target.Addr().Interface().(type) {
	case interface {
		command
		check([]*kong.Flag) error
	}:
		return cmd, named(cmd.check(given), given)
	case interface {
		command
		check() error
	}:
		return cmd, named(cmd.check(), given)
	case command:
		return cmd, nil
	default:
		return nil, fmt.Errorf("%T is no command", cmd)
	}
}

// named adds to a fault that begins with a flag which nobody gave that its value is from the
// environment.
func named(err error, given []*kong.Flag) error {
	if err == nil {
		return nil
	}
	word, _, _ := strings.Cut(err.Error(), " ")
	flag, ok := strings.CutPrefix(strings.TrimSuffix(word, ":"), "--")
	if !ok || os.Getenv(variable(flag)) == "" || slices.ContainsFunc(given, func(f *kong.Flag) bool { return f.Name == flag }) {
		return err
	}
	return wrongUse("%w (from the environment: %s)", err, variable(flag))
}

// variable is the environment's name of a flag.
func variable(flag string) string {
	return "HALL_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// environment gives every flag the environment variable of the same name. Kong's own
// option would split "game21" and ask for HALL_GAME_21_PERIOD. An empty variable is as good
// as none: a compose file cannot leave one out.
func environment(k *kong.Kong) error {
	for _, node := range append([]*kong.Node{k.Model.Node}, k.Model.Children...) {
		for _, flag := range node.Flags {
			switch {
			case len(flag.Envs) == 1 && flag.Envs[0] == "-":
				flag.Envs, flag.Tag.Envs = nil, nil
			case flag.Name != "help":
				name := variable(flag.Name)
				flag.Envs = []string{name}
				flag.Tag.Envs = flag.Envs
				if os.Getenv(name) == "" {
					_ = os.Unsetenv(name) // fails for no name
				}
			}
		}
	}
	return nil
}

// version tells what was built: the module's version, or the commit.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "hall (unknown)"
	}
	v := "hall " + info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && !strings.Contains(v, s.Value[:min(12, len(s.Value))]) {
			v += " " + s.Value
		}
	}
	return v + " " + info.GoVersion
}
