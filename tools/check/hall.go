package check

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"gamehall/tools/check/crowd"
	"gamehall/tools/check/history"
	"gamehall/tools/check/proxy"
)

// The hall that is checked.
const (
	nodes         = 3 // NATS servers, and copies of everything they keep
	copies        = 2 // of the edge and of each service
	roundPeriod   = 20 * time.Second
	roundDuration = 8 * time.Second
	// upWithin bounds the start of everything, and of a process that was started again.
	upWithin = 60 * time.Second
	// drainWithin is how long a process may take to end after SIGTERM: 5 s were promised, the
	// rest is for a machine that is busy with all of them.
	drainWithin = 10 * time.Second
)

// services are those of which there are copies.
var services = []string{"auth", "account", "chat", "room", "game21"}

// edgeOf names the n-th edge, from 1; so do the others.
func edgeOf(n int) string                 { return "edge-" + strconv.Itoa(n) }
func nodeOf(n int) string                 { return "nats-" + strconv.Itoa(n) }
func copyOf(service string, n int) string { return service + "-" + strconv.Itoa(n) }

// linkOf names the link from one to the other.
func linkOf(from, to string) string { return from + "/" + to }

// hall is the hall under test: its processes, and the links between them.
type hall struct {
	dir       string
	processes map[string]*process
	order     []string // in which they start
	links     map[string]*proxy.Link
	clientsAt map[string]string // node: where it takes clients, without a link
	tcp, http map[string]string // edge: where it listens
	pprof     map[string]string // process: where its profiles are
}

// newHall lays out the hall in dir; nothing runs yet. Close ends its links.
func newHall(dir, binary, db string) (*hall, error) {
	h := &hall{
		dir: dir, processes: map[string]*process{}, links: map[string]*proxy.Link{},
		clientsAt: map[string]string{}, tcp: map[string]string{}, http: map[string]string{}, pprof: map[string]string{},
	}
	// Not of the seed: two runs of one seed side by side need different ports.
	free, err := ports(3*nodes+3*copies+2*copies*len(services), rand.IntN)
	if err != nil {
		return nil, err
	}
	port := func() string {
		p := free[0]
		free = free[1:]
		return p
	}
	if err := os.MkdirAll(filepath.Join(dir, "logs"), 0o700); err != nil {
		return nil, err
	}
	add := func(name, serves string, args ...string) {
		h.order = append(h.order, name)
		h.processes[name] = &process{
			name: name, binary: binary, args: args, serves: serves,
			log: filepath.Join(dir, "logs", name+".log"),
		}
	}
	link := func(from, to, target string) (string, error) {
		l, err := proxy.Listen(target)
		if err != nil {
			return "", err
		}
		h.links[linkOf(from, to)] = l
		return l.Addr(), nil
	}
	admin := filepath.Join(dir, "nats-admin.txt")

	clusterAt := map[string]string{}
	for n := range nodes {
		h.clientsAt[nodeOf(n+1)], clusterAt[nodeOf(n+1)] = port(), port()
	}
	nowhere := port() // nobody listens there: servers must not find each other but by a link
	for n := range nodes {
		name := nodeOf(n + 1)
		args := []string{
			"nats", "--name", name, "--data", filepath.Join(dir, name), "--nats-admin", admin,
			"--nats-listen", h.clientsAt[name], "--cluster", clusterAt[name], "--cluster-advertise", nowhere,
		}
		for m := range nodes {
			if m == n {
				continue
			}
			at, err := link(name, nodeOf(m+1), clusterAt[nodeOf(m+1)])
			if err != nil {
				return nil, errors.Join(err, h.close())
			}
			args = append(args, "--routes", "nats://"+at)
		}
		add(name, `msg="nats serves"`, args...)
	}

	part := func(part, name string, args ...string) error {
		h.pprof[name] = port()
		all := []string{"run", part, "--replicas", strconv.Itoa(nodes), "--nats-admin", admin, "--pprof", h.pprof[name]}
		for n := range nodes {
			at, err := link(name, nodeOf(n+1), h.clientsAt[nodeOf(n+1)])
			if err != nil {
				return errors.Join(err, h.close())
			}
			all = append(all, "--nats", "nats://"+at)
		}
		add(name, `msg="all parts serve"`, append(all, args...)...)
		return nil
	}
	for _, service := range services {
		var args []string
		switch service {
		case "auth", "account", "game21":
			args = append(args, "--data", filepath.Join(dir, "data"))
			if db != "" {
				args = append(args, "--db", db)
			}
		}
		switch service {
		case "auth":
			// Passwords are not what is tried here, and would cost more than all the rest.
			args = append(args, "--password-hash", "m=8,t=1,p=1")
		case "game21":
			args = append(args, "--game21-period", roundPeriod.String(), "--game21-duration", roundDuration.String())
		}
		for n := range copies {
			if err := part(service, copyOf(service, n+1), args...); err != nil {
				return nil, err
			}
		}
	}
	for n := range copies {
		name := edgeOf(n + 1)
		h.tcp[name], h.http[name] = port(), port()
		if err := part("edge", name, "--tcp", h.tcp[name], "--http", h.http[name], "--trusted-net", "127.0.0.0/8"); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// start starts everything and returns once all of it serves.
func (h *hall) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, upWithin)
	defer cancel()
	for _, name := range h.order {
		if err := h.processes[name].start(); err != nil {
			return err
		}
	}
	for _, name := range h.order {
		if err := h.processes[name].serving(ctx); err != nil {
			return err
		}
	}
	return nil
}

// close ends the links and whatever still runs.
func (h *hall) close() error {
	var errs []error
	for _, p := range h.processes {
		if p.pid() != 0 {
			errs = append(errs, p.kill())
		}
	}
	for _, l := range h.links {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}

// drain asks all parts to end, edges first, side by side, and then the NATS servers. It gives
// what did not end as it should.
func (h *hall) drain(names []string) error {
	var all sync.WaitGroup
	errs := make([]error, len(names))
	for i, name := range names {
		all.Go(func() {
			if h.processes[name].pid() == 0 {
				errs[i] = fmt.Errorf("%s does not run any more: %s", name, h.processes[name].state())
				return
			}
			_, errs[i] = h.processes[name].stop()
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// kind gives the names of the processes that are n's copies: "edge", "auth", … "nats".
func (h *hall) kind(kind string) []string {
	var all []string
	for _, name := range h.order {
		if strings.HasPrefix(name, kind+"-") {
			all = append(all, name)
		}
	}
	return all
}

// parts are all processes but the NATS servers, edges first.
func (h *hall) parts() []string {
	var rest []string
	for _, name := range h.order {
		if !strings.HasPrefix(name, "nats-") {
			rest = append(rest, name)
		}
	}
	slices.SortStableFunc(rest, func(a, b string) int {
		switch edgeA, edgeB := strings.HasPrefix(a, "edge-"), strings.HasPrefix(b, "edge-"); {
		case edgeA && !edgeB:
			return -1
		case edgeB && !edgeA:
			return 1
		}
		return 0
	})
	return rest
}

// linksOf are the links from a process, and between servers those to it, too.
func (h *hall) linksOf(name string) []*proxy.Link {
	var all []*proxy.Link
	for link, l := range h.links {
		from, to, _ := strings.Cut(link, "/")
		if from == name || to == name && strings.HasPrefix(from, "nats-") {
			all = append(all, l)
		}
	}
	return all
}

// forClient makes the links of a client to each edge, and tells where they are.
func (h *hall) forClient(name string) ([]crowd.Endpoint, error) {
	var all []crowd.Endpoint
	for n := range copies {
		edge := edgeOf(n + 1)
		e := crowd.Endpoint{Name: edge}
		for _, way := range []struct {
			suffix, target string
			addr           *string
		}{{"", h.tcp[edge], &e.TCP}, {"/http", h.http[edge], &e.HTTP}} {
			l, err := proxy.Listen(way.target)
			if err != nil {
				return nil, err
			}
			h.links[linkOf(name, edge)+way.suffix] = l
			*way.addr = l.Addr()
		}
		all = append(all, e)
	}
	return all, nil
}

// linksOfClient are a client's links to an edge, or to all of them.
func (h *hall) linksOfClient(name, edge string) []*proxy.Link {
	var all []*proxy.Link
	for n := range copies {
		if e := edgeOf(n + 1); edge == "" || edge == e {
			all = append(all, h.links[linkOf(name, e)], h.links[linkOf(name, e)+"/http"])
		}
	}
	return all
}

// heal makes every link carry everything.
func (h *hall) heal() {
	for _, l := range h.links {
		l.Heal()
	}
}

// exits are the ends of all processes.
func (h *hall) exits() []history.Exit {
	var all []history.Exit
	for _, name := range h.order {
		p := h.processes[name]
		p.mu.Lock()
		all = append(all, p.exits...)
		p.mu.Unlock()
	}
	slices.SortFunc(all, func(a, b history.Exit) int { return int(min(1, max(-1, a.T-b.T))) })
	return all
}

// adminURL is where the administrator reaches a node, without a link.
func (h *hall) adminURL(node string) (string, error) {
	password, err := h.adminPassword()
	if err != nil {
		return "", err
	}
	u := url.URL{Scheme: "nats", User: url.UserPassword("hall-admin", password), Host: h.clientsAt[node]}
	return u.String(), nil
}

// adminPassword is what the servers wrote for the operator.
func (h *hall) adminPassword() (string, error) {
	text, err := os.ReadFile(filepath.Join(h.dir, "nats-admin.txt"))
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 2 && f[0] == "password" {
			return f[1], nil
		}
	}
	return "", errors.New("nats-admin.txt has no password")
}
