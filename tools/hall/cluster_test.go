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
	rows := freeRows(t, cluster.Edges, cluster.Edges, cluster.Servers, cluster.Servers)
	p := launch(t, "cluster", "--data", t.TempDir(), "--config", natsConf,
		"--tcp", rows[0], "--http", rows[1], "--nats-listen", rows[2], "--cluster", rows[3])
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

// freeRows gives, for each length, the first of so many addresses in a row where nobody listens; no
// address is in two rows.
func freeRows(t *testing.T, lengths ...int) (firsts []string) {
	t.Helper()
	var held []net.Listener // until all are found
	defer func() {
		for _, l := range held {
			_ = l.Close()
		}
	}()
	for _, n := range lengths {
		first := ""
		for try := 0; first == "" && try < 100; try++ {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			held = append(held, l)
			first = l.Addr().String()
			var at listen
			if err := at.UnmarshalText([]byte(first)); err != nil {
				t.Fatal(err)
			}
			for i := 1; first != "" && i < n; i++ {
				l, err := net.Listen("tcp", net.JoinHostPort(at.host, strconv.Itoa(at.port+i)))
				if err != nil {
					first = ""
					continue
				}
				held = append(held, l)
			}
		}
		if first == "" {
			t.Fatal("no free ports in a row")
		}
		firsts = append(firsts, first)
	}
	return firsts
}
