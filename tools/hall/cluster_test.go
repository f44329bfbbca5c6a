package main

import (
	"net"
	"os"
	"regexp"
	"strconv"
	"testing"

	"gamehall/tools/cluster"
)

// TestClusterPlan: what hall cluster runs are commands of this very program.
func TestClusterPlan(t *testing.T) {
	t.Parallel()
	for _, conf := range []string{"", natsConf} {
		args := []string{"cluster", "--data", "x"}
		if conf != "" {
			args = append(args, "--config", conf)
		}
		c, err := parsed(t, args...)
		if err != nil {
			t.Fatal(err)
		}
		cc, ok := c.(*clusterCommand)
		if !ok {
			t.Fatalf("hall cluster is a %T", c)
		}
		plan := cluster.Plan(cc.plan())
		if want := cluster.Servers + cluster.Edges + cluster.Copies*len(services); len(plan) != want {
			t.Errorf("there are %d processes, want %d", len(plan), want)
		}
		for _, p := range plan {
			if _, err := parsed(t, p.Args...); err != nil {
				t.Errorf("%s: hall %q: %v", p.Name, p.Args, err)
			}
		}
	}
	for _, args := range [][]string{{"--tcp", "0.0.0.0:7021"}, {"--cluster", ":6221"}, {"--db", "mysql://x"}} {
		if _, err := parsed(t, append([]string{"cluster"}, args...)...); err == nil {
			t.Errorf("hall cluster %q is accepted", args)
		}
	}
}

// TestSessionCluster plays through both edges of what task up:cluster runs.
func TestSessionCluster(t *testing.T) {
	t.Parallel()
	tcp, http, nats, routes := freeRow(t, cluster.Edges), freeRow(t, cluster.Edges), freeRow(t, cluster.Servers), freeRow(t, cluster.Servers)
	p := launch(t, "cluster", "--data", t.TempDir(), "--config", natsConf,
		"--tcp", tcp, "--http", http, "--nats-listen", nats, "--cluster", routes)
	talks := regexp.MustCompile(`(?s)  talk     nc (\S+) (\d+) .*\n  talk     nc (\S+) (\d+) .*stop     Ctrl-C`)
	at := p.await(p.out, talks)
	p.tcp = net.JoinHostPort(at[1], at[2])
	one := p.signIn("netease1", "123")
	p.tcp = net.JoinHostPort(at[3], at[4])
	two := p.signIn("netease2", "123")
	one.hears("system: netease2 joined the hall")
	two.says("hi")
	one.hears("netease2: hi")
	one.says("/W netease2 psst")
	two.hears("(whisper) netease1: psst")
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	<-p.ended
	if p.err != nil {
		t.Errorf("it ends with %v", p.err)
	}
}

// freeRow is the first address of n where nobody listens.
func freeRow(t *testing.T, n int) string {
	t.Helper()
	for range 100 {
		first := freeAddress(t)
		var at listen
		if err := at.UnmarshalText([]byte(first)); err != nil {
			t.Fatal(err)
		}
		ok := at.port+n < 1<<16
		for i := 1; ok && i < n; i++ {
			l, err := net.Listen("tcp", net.JoinHostPort(at.host, strconv.Itoa(at.port+i)))
			if ok = err == nil; ok {
				_ = l.Close()
			}
		}
		if ok {
			return first
		}
	}
	t.Fatal("no free ports in a row")
	return ""
}
