package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"gamehall/shared/storage"
	"gamehall/tools/cluster"
)

// clusterCommand is hall cluster: what several machines run, as processes of this one.
type clusterCommand struct {
	Data       string `default:"data/cluster" type:"folder" placeholder:"DIR" help:"Folder of everything: data, keys, and a log of each process (${default})."`
	DB         string `name:"db" placeholder:"WHAT" help:"postgres://… for auth, account and game21 (SQLite under --data, which the copies share)."`
	Config     string `type:"path" placeholder:"FILE" help:"Configuration of NATS that gives each part its own rights, such as docker/nats.conf; keys are made under --data (one password for all)."`
	TCP        listen `name:"tcp" default:"127.0.0.1:7021" placeholder:"ADDR" help:"Where players connect to the first edge; the second one takes the next port (${default})."`
	HTTP       listen `name:"http" default:"127.0.0.1:7080" placeholder:"ADDR" help:"Where the first edge speaks HTTP; the second one takes the next port (${default})."`
	NATSListen listen `name:"nats-listen" default:"127.0.0.1:4221" placeholder:"ADDR" help:"Where the first NATS server listens; the others take the next ports (${default})."`
	Cluster    listen `default:"127.0.0.1:6221" placeholder:"ADDR" help:"Where the first NATS server hears the others; they take the next ports (${default})."`

	logFlags
}

func (c *clusterCommand) check() error {
	if c.DB != "" {
		if err := storage.Check(c.DB); err != nil {
			return usageError{fmt.Errorf("--db: %w", err)}
		}
	}
	for flag, at := range map[string]*listen{"tcp": &c.TCP, "http": &c.HTTP, "nats-listen": &c.NATSListen, "cluster": &c.Cluster} {
		if !at.loopback() {
			return wrongUse("--%s %s: all of it runs on this machine, so it listens on loopback", flag, at)
		}
	}
	return nil
}

// plan is what runs.
func (c *clusterCommand) plan() cluster.Config {
	row := func(at listen) cluster.Address { return cluster.Address{Host: at.host, Port: at.port} }
	return cluster.Config{
		Dir: c.Data, DB: c.DB, NATSConf: c.Config, Demo: true,
		TCP: row(c.TCP), HTTP: row(c.HTTP), NATS: row(c.NATSListen), Routes: row(c.Cluster),
	}
}

// run keeps all processes running until ctx ends.
func (c *clusterCommand) run(ctx context.Context, out, logTo io.Writer) error {
	log := c.logger(logTo)
	unlock, err := lockData(c.Data)
	if err != nil {
		return err
	}
	defer unlock()
	if err := c.portsFree(ctx); err != nil {
		return err
	}
	binary, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find the program: %w", err)
	}
	plan := c.plan()
	if c.Config != "" {
		keys := keysCommand{Dir: plan.Keys(), Edges: cluster.Edges}
		if err := keys.run(ctx, io.Discard, logTo); err != nil {
			return err
		}
	}
	return cluster.Run(ctx, binary, cluster.Plan(plan), plan.Logs(), log, func() { c.tell(out, plan) })
}

// portsFree tells which address is in use, before anything is started.
func (c *clusterCommand) portsFree(ctx context.Context) error {
	for _, row := range []struct {
		flag string
		at   listen
		n    int
	}{{"--tcp", c.TCP, cluster.Edges}, {"--http", c.HTTP, cluster.Edges}, {"--nats-listen", c.NATSListen, cluster.Servers}, {"--cluster", c.Cluster, cluster.Servers}} {
		for n := range row.n {
			if err := free(ctx, row.flag, listen{row.at.host, row.at.port + n}); err != nil {
				return err
			}
		}
	}
	return nil
}

// tell tells people where the hall is and what to type.
func (c *clusterCommand) tell(out io.Writer, plan cluster.Config) {
	text := "the hall is open\n"
	for n := range cluster.Edges {
		text += fmt.Sprintf("  talk     nc %s %d          then type: /SIGNIN netease%d 123\n", plan.TCP.Host, plan.TCP.Port+n, n+1)
	}
	for n := range cluster.Edges {
		text += fmt.Sprintf("  web      http://%s\n", net.JoinHostPort(plan.HTTP.Host, strconv.Itoa(plan.HTTP.Port+n)))
	}
	credentials := fmt.Sprintf(" --nkey %s", filepath.Join(plan.Keys(), "admin"+seedExt))
	if c.Config == "" {
		credentials = "          with the user and password in " + plan.Admin()
	}
	text += fmt.Sprintf("  inspect  nats -s %s service ls%s\n  logs     %s\n  stop     Ctrl-C\n", plan.URLs(), credentials, plan.Logs())
	_, _ = fmt.Fprint(out, text) // nobody may read it: the hall is open all the same
}
