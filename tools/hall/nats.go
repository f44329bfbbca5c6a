package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"github.com/nats-io/nats-server/v2/server"
)

// natsCommand is hall nats: the server alone, or as one of a cluster.
type natsCommand struct {
	Data       string  `default:"data" type:"folder" placeholder:"DIR" help:"Folder of what is stored (${default}); each server needs one of its own."`
	NATSListen listen  `name:"nats-listen" default:"127.0.0.1:4222" placeholder:"ADDR" help:"Where clients connect (${default}; off loopback it asks for credentials)."`
	Admin      string  `name:"nats-admin" type:"path" placeholder:"FILE" help:"File with the administrator's password, made when it is missing; the servers of a cluster need the same (nats-admin.txt under --data)."`
	Monitor    *listen `name:"nats-monitor" placeholder:"ADDR" help:"Where /healthz, /varz and the rest of NATS monitoring are, on loopback only (nowhere)."`
	Name       string  `placeholder:"NAME" help:"The server's name, needed in a cluster: its own, and for ever the same (hall)."`
	Config     string  `type:"path" placeholder:"FILE" help:"Configuration of nats-server, such as docker/nats.conf; flags that are given win. Its users take the place of the administrator."`
	ConfigEnv  string  `type:"path" placeholder:"FILE" help:"Lines NAME=value for the variables of --config, as hall keys writes them."`

	Cluster     *listen  `placeholder:"ADDR" help:"Where the other servers of the cluster connect." group:"Cluster"`
	ClusterName string   `default:"hall" placeholder:"NAME" help:"The cluster's name (${default})." group:"Cluster"`
	Advertise   string   `name:"cluster-advertise" placeholder:"ADDR" help:"Where the other servers reach --cluster, if that is elsewhere: host:port of a translated address or a proxy." group:"Cluster"`
	Routes      []string `placeholder:"URL" help:"Where the servers of the cluster listen by their --cluster, such as nats://127.0.0.1:6222; this one's own may be among them." group:"Cluster"`

	logFlags
	given map[string]bool // flags whose values are not the defaults'
}

// check refuses what does not go together; given are the flags on the command line.
func (c *natsCommand) check(given []*kong.Flag) error {
	c.given = map[string]bool{}
	for _, name := range []string{"data", "nats-listen", "cluster-name"} {
		c.given[name] = c.Config == "" || os.Getenv(variable(name)) != "" ||
			slices.ContainsFunc(given, func(f *kong.Flag) bool { return f.Name == name })
	}
	switch {
	case c.ConfigEnv != "" && c.Config == "":
		return wrongUse("--config-env needs --config, whose variables it is for")
	case c.Config != "" && c.Admin != "":
		return wrongUse("--nats-admin does not go with --config, which says who may connect")
	case c.Cluster == nil && len(c.Routes) > 0:
		return wrongUse("--routes needs --cluster, where the other servers connect to this one")
	case c.Cluster == nil && c.Advertise != "":
		return wrongUse("--cluster-advertise needs --cluster, where the other servers connect to this one")
	case c.Cluster != nil && len(c.Routes) == 0:
		return wrongUse("--cluster needs --routes, where the other servers are")
	case c.Cluster != nil && c.Cluster.port == 0:
		return wrongUse("--cluster %s: the others must know the port", c.Cluster)
	case c.Cluster != nil && c.Name == "":
		return wrongUse("--cluster needs --name: by its name the cluster knows a server again")
	case strings.ContainsAny(c.Name+c.ClusterName, " \t.*>"):
		return wrongUse("--name and --cluster-name must not have spaces, '.', '*' or '>'")
	case c.Monitor != nil && !c.Monitor.loopback():
		return wrongUse("--nats-monitor %s: it tells too much about the hall for others than this machine: use 127.0.0.1", c.Monitor)
	}
	_, err := c.routes()
	return err
}

// routes are the URLs of the cluster's servers.
func (c *natsCommand) routes() ([]*url.URL, error) {
	var all []*url.URL
	for _, text := range c.Routes {
		if !strings.Contains(text, "://") {
			text = "nats://" + text
		}
		u, err := url.Parse(text)
		if err != nil || u.Hostname() == "" || u.Port() == "" {
			return nil, wrongUse("--routes: it needs URLs such as nats://127.0.0.1:6222")
		}
		all = append(all, u)
	}
	return all, nil
}

// node is the server that the flags ask for.
func (c *natsCommand) node() (node, error) {
	routes, err := c.routes()
	if err != nil {
		return node{}, err
	}
	n := node{
		data: c.Data, at: c.NATSListen, name: cmp.Or(c.Name, serverName), admin: c.Admin, monitor: c.Monitor,
		cluster: c.Cluster, clusterName: c.ClusterName, advertise: c.Advertise, routes: routes,
	}
	if n.admin == "" {
		n.admin, n.tellAdmin = filepath.Join(c.Data, adminFile), true
	}
	return n, nil
}

// run serves until ctx ends, and then hands over to the other servers.
func (c *natsCommand) run(ctx context.Context, out, logTo io.Writer) error {
	log := c.logger(logTo)
	unlock, err := lockData(c.Data)
	if err != nil {
		return err
	}
	defer unlock()
	d, credentials, err := c.start(ctx, log)
	if err != nil {
		return err
	}
	name := d.server.Name()
	log.Info("listening", "name", name, "nats", d.url())
	if d.ready(ctx, log) {
		log.Info("nats serves", "name", name, "nats", d.url())
		// Nobody may read it: the server serves all the same.
		_, _ = fmt.Fprintf(out, "nats serves\n  clients  %s\n  admin    %s\n  stop     Ctrl-C\n", d.url(), credentials)
	}
	<-ctx.Done()
	log.Info("stopping", "name", name)
	d.handOver()
	return nil
}

// start starts the server, and tells where its administrator's credentials are.
func (c *natsCommand) start(ctx context.Context, log *slog.Logger) (d *natsd, credentials string, err error) {
	if c.Config == "" {
		n, err := c.node()
		if err != nil {
			return nil, "", err
		}
		d, err := n.start(ctx, log)
		return d, n.admin, err
	}
	opts, err := c.configured()
	if err != nil {
		return nil, "", err
	}
	d, err = launchNATS(ctx, opts, log)
	return d, "as " + c.Config + " says", err
}

// configured are the options of --config with the flags on top.
func (c *natsCommand) configured() (*server.Options, error) {
	if c.ConfigEnv != "" {
		env, err := readEnv(c.ConfigEnv)
		if err != nil {
			return nil, err
		}
		for name, value := range env {
			if err := os.Setenv(name, value); err != nil {
				return nil, fmt.Errorf("%s: %w", c.ConfigEnv, err)
			}
		}
	}
	opts, err := server.ProcessConfigFile(c.Config)
	if err != nil {
		return nil, fmt.Errorf("--config: %w", err)
	}
	if !restricted(opts) {
		return nil, fmt.Errorf("--config %s says of nobody who may connect: it needs users, nkeys, accounts or a token", c.Config)
	}
	opts.JetStream = true
	if c.given["data"] || opts.StoreDir == "" {
		opts.StoreDir = c.Data
	}
	if c.given["nats-listen"] || opts.Port == 0 {
		opts.Host, opts.Port = c.NATSListen.host, c.NATSListen.port
		if opts.Port == 0 {
			opts.Port = server.RANDOM_PORT
		}
	}
	if c.Name != "" || opts.ServerName == "" {
		opts.ServerName = cmp.Or(c.Name, serverName)
	}
	if c.Monitor != nil {
		opts.HTTPHost, opts.HTTPPort = c.Monitor.host, c.Monitor.port
	}
	if c.Cluster == nil {
		// A file of a cluster serves one server alone, too.
		if opts.Cluster.Port == 0 {
			opts.Cluster = server.ClusterOpts{}
		}
	} else {
		opts.Cluster.Host, opts.Cluster.Port, opts.Cluster.Advertise = c.Cluster.host, c.Cluster.port, c.Advertise
		if c.given["cluster-name"] || opts.Cluster.Name == "" {
			opts.Cluster.Name = c.ClusterName
		}
		routes, err := c.routes()
		if err != nil {
			return nil, err
		}
		opts.Routes = routesAs(routes, opts.Cluster.Username, opts.Cluster.Password)
	}
	safe(opts)
	return opts, nil
}

// restricted tells whether options say who may connect.
func restricted(o *server.Options) bool {
	return len(o.Users)+len(o.Nkeys)+len(o.Accounts)+len(o.TrustedOperators) > 0 || o.Username != "" || o.Authorization != ""
}

// ready returns true once JetStream can be used: in a cluster, once most of the servers are
// there. It gives false when ctx ends first.
func (n *natsd) ready(ctx context.Context, log *slog.Logger) bool {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for begun, told := time.Now(), time.Now(); !n.server.JetStreamIsCurrent(); {
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
		if time.Since(told) > stillWaiting {
			told = time.Now()
			log.Warn("waiting for the other servers of the cluster: do they run?", "for", time.Since(begun).Round(time.Second))
		}
	}
	return true
}
