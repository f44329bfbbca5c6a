package cluster

import (
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Servers, Edges and Copies are how many NATS servers there are, how many edges, and how many
// copies of each service.
const (
	Servers = 3
	Edges   = 2
	Copies  = 2
)

// Services are the services of which there are copies.
var Services = []string{"auth", "account", "chat", "room", "game21"}

// Address is a host and the first of several ports in a row.
type Address struct {
	Host string
	Port int
}

// At is the n-th address, counted from 0.
func (a Address) At(n int) string { return net.JoinHostPort(a.Host, strconv.Itoa(a.Port+n)) }

// Config says what runs where. All fields but DB, NATSConf and Demo are needed.
type Config struct {
	Dir      string  // of everything: data, keys, logs
	DB       string  // postgres://…; empty is SQLite in Dir, which all copies share
	NATSConf string  // such as docker/nats.conf, with keys in Dir; empty is one password for all
	Demo     bool    // accounts netease1 to netease4, on loopback only
	TCP      Address // of the edges
	HTTP     Address // of the edges
	NATS     Address // where the servers take clients
	Routes   Address // where the servers take each other
}

// Process is one of them.
type Process struct {
	Name   string
	Args   []string
	Env    []string // NAME=value, beside this process's own
	Serves string   // what it logs once it serves
	Stage  Stage
}

// Stage is when a process is started; they are stopped the other way round.
type Stage int

// The stages.
const (
	NATS Stage = iota
	Service
	Edge
)

// Keys is the folder of the nkeys, when Config.NATSConf asks for them; hall keys makes it.
func (c Config) Keys() string { return filepath.Join(c.Dir, "keys") }

// Admin is the file with the administrator's password, without Config.NATSConf.
func (c Config) Admin() string { return filepath.Join(c.Dir, "nats-admin.txt") }

// Logs is the folder with a log of each process.
func (c Config) Logs() string { return filepath.Join(c.Dir, "logs") }

// URLs are where clients find NATS, comma separated.
func (c Config) URLs() string { return strings.Join(addresses("nats://", c.NATS), ",") }

func addresses(scheme string, a Address) []string {
	var all []string
	for n := range Servers {
		all = append(all, scheme+a.At(n))
	}
	return all
}

// Plan gives the processes in the order in which they start.
func Plan(c Config) []Process {
	var all []Process
	for n := range Servers {
		name := fmt.Sprintf("n%d", n+1)
		args := []string{
			"nats", "--name", name, "--data", filepath.Join(c.Dir, name), "--nats-listen", c.NATS.At(n),
			"--cluster", c.Routes.At(n), "--routes", strings.Join(addresses("nats://", c.Routes), ","),
		}
		if c.NATSConf != "" {
			args = append(args, "--config", c.NATSConf, "--config-env", filepath.Join(c.Keys(), "nats.env"))
		} else {
			args = append(args, "--nats-admin", c.Admin())
		}
		all = append(all, Process{Name: name, Args: args, Serves: `msg="nats serves"`, Stage: NATS})
	}
	for _, s := range Services {
		for n := range Copies {
			all = append(all, c.service(s, n+1))
		}
	}
	for n := range Edges {
		name := fmt.Sprintf("edge%d", n+1)
		all = append(all, c.part(name, "edge", name, Edge,
			"--edge-name", name, "--tcp", c.TCP.At(n), "--http", c.HTTP.At(n), "--trusted-net", "127.0.0.0/8,::1/128"))
	}
	return all
}

// part is a process that runs one part with the key of that name.
func (c Config) part(name, part, key string, stage Stage, args ...string) Process {
	all := []string{"run", part, "--nats", c.URLs(), "--replicas", strconv.Itoa(Servers)}
	if c.NATSConf != "" {
		all = append(all, "--nats-nkey", filepath.Join(c.Keys(), key+".nk"))
	} else {
		all = append(all, "--nats-admin", c.Admin())
	}
	return Process{Name: name, Args: append(all, args...), Serves: `msg="all parts serve"`, Stage: stage}
}

// service is the n-th copy of a service, from 1.
func (c Config) service(service string, n int) Process {
	p := c.part(fmt.Sprintf("%s-%d", service, n), service, service, Service)
	if slices.Contains([]string{"auth", "account", "game21"}, service) {
		p.Args = append(p.Args, "--data", filepath.Join(c.Dir, "sql"))
		if c.DB != "" {
			p.Env = append(p.Env, "HALL_DB="+c.DB) // it may hold a password, and arguments are for all to see
		}
	}
	if service == "auth" && c.Demo {
		p.Args = append(p.Args, "--demo-accounts")
	}
	return p
}
