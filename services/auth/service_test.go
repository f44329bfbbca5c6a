package auth

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"gamehall/shared/authapi"
	"gamehall/shared/bus"
	"gamehall/shared/event"
	"gamehall/shared/fault"
	"gamehall/shared/natstest"
	"gamehall/shared/streams"
)

func TestStartRefuses(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	broken := t.TempDir()
	if err := os.WriteFile(filepath.Join(broken, "auth.db"), []byte("no database"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(broken, "auth.db")
	for name, tt := range map[string]struct {
		change func(*Config)
		says   string
	}{
		"hash":              {func(c *Config) { c.PasswordHash = "m=1,t=1,p=1" }, `"m=1,t=1,p=1"`},
		"least length":      {func(c *Config) { c.PasswordMin = 129 }, "129"},
		"negative length":   {func(c *Config) { c.PasswordMin = -1 }, "-1"},
		"three hashes":      {func(c *Config) { c.Hashes = 3 }, "3 passwords"},
		"no database":       {func(c *Config) { c.Data = broken }, file},
		"a file for folder": {func(c *Config) { c.Data = file }, file},
		"a bad demo name":   {func(c *Config) { c.DemoAccounts = []Credentials{{Username: "system", Password: "123"}} }, "system"},
	} {
		cfg := Config{NATS: ns.Dialer(), Data: t.TempDir(), PasswordHash: cheap, Log: natstest.Quiet()}
		tt.change(&cfg)
		s, err := Start(natstest.Context(t), cfg)
		if err == nil {
			t.Errorf("%s: started", name)
			_ = s.Stop(natstest.Context(t))
			continue
		}
		if !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v, want it to say %s", name, err, tt.says)
		}
	}
}

// Without NATS the service waits, and is there as soon as NATS is; or it gives up in order.
func TestStartWaitsForNATS(t *testing.T) {
	t.Parallel()
	ns := natstest.Absent(t)
	cfg := Config{NATS: ns.Dialer(), Data: t.TempDir(), PasswordHash: cheap, Log: natstest.Quiet()}
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Start(short, cfg); fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("without NATS: %v", err)
	}
	type result struct {
		s   *Service
		err error
	}
	started := make(chan result, 1)
	go func() {
		s, err := Start(natstest.Context(t), cfg)
		started <- result{s, err}
	}()
	ns.Start(t)
	r := <-started
	if r.err != nil {
		t.Fatal(r.err)
	}
	if err := r.s.Stop(natstest.Context(t)); err != nil {
		t.Error(err)
	}
}

// What was accepted is answered when the service stops, also what waits for a hash.
func TestStopAnswers(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	ctx, cancel := context.WithCancel(natstest.Context(t))
	defer cancel()
	s, err := Start(ctx, Config{NATS: ns.Dialer(), Data: t.TempDir(), PasswordHash: cheap, Log: natstest.Quiet()})
	if err != nil {
		t.Fatal(err)
	}
	addAccounts(t, s, "ann")
	release, holding := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	for range cap(s.hasher.slots) {
		all.Go(func() {
			_ = s.hasher.in(ctx, true, func() error {
				holding <- struct{}{}
				<-release
				return nil
			})
		})
		<-holding
	}
	answered := make(chan error, 1)
	nc := ns.Connect(t)
	go func() {
		req := signInReq("ann", "e1", "c1")
		req.Trusted = false // so that it can be seen in the queue
		_, err := authapi.SignIn.Call(natstest.Context(t), nc, req)
		answered <- err
	}()
	natstest.Eventually(t, "the sign-in waits", func() bool { return len(s.hasher.queue) == 1 })
	stopped := make(chan error, 1)
	go func() { stopped <- s.Stop(natstest.Context(t)) }()
	close(release)
	all.Wait()
	if err := <-answered; err != nil {
		t.Errorf("the sign-in: %v", err)
	}
	if err := <-stopped; err != nil {
		t.Errorf("stop: %v", err)
	}
}

func TestRun(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- Run(ctx, Config{NATS: ns.Dialer(), Data: t.TempDir(), PasswordHash: cheap, Log: natstest.Quiet()})
	}()
	resp, err := authapi.SignUp.Call(natstest.Context(t), ns.Connect(t), authapi.SignUpRequest{Username: "ann", Password: password})
	if err != nil || resp.User != "ann" {
		t.Errorf("%+v, %v", resp, err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("run: %v", err)
	}
	if err := Run(t.Context(), Config{PasswordHash: "x"}); err == nil {
		t.Error("run with a setting that cannot be")
	}
}

// nats service info auth tells what can be called, and how.
func TestInfo(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	start(t, ns, nil)
	m, err := ns.Connect(t).RequestWithContext(natstest.Context(t), "$SRV.INFO.auth", nil)
	if err != nil {
		t.Fatal(err)
	}
	var info micro.Info
	if err := json.Unmarshal(m.Data, &info); err != nil {
		t.Fatal(err)
	}
	if info.Name != "auth" || info.Description == "" || info.Version == "" {
		t.Errorf("info %+v", info)
	}
	want := map[string]string{
		"signup": "username", "signin": "takeover", "signout": "until", "passwd": "new", "presence": "away",
		"resume": "token", "detach": "silent",
	}
	for _, e := range info.Endpoints {
		member, known := want[e.Name]
		if !known || e.Subject != "hall.auth."+e.Name {
			t.Errorf("endpoint %s at %s", e.Name, e.Subject)
		}
		delete(want, e.Name)
		var request, response struct {
			Type       string         `json:"type"`
			Properties map[string]any `json:"properties"`
		}
		if err := json.Unmarshal([]byte(e.Metadata["request_schema"]), &request); err != nil || request.Type != "object" || request.Properties[member] == nil {
			t.Errorf("%s: request schema %s: %v", e.Name, e.Metadata["request_schema"], err)
		}
		if err := json.Unmarshal([]byte(e.Metadata["response_schema"]), &response); err != nil || response.Type != "object" {
			t.Errorf("%s: response schema %s: %v", e.Name, e.Metadata["response_schema"], err)
		}
	}
	if len(want) > 0 {
		t.Errorf("not served: %v", want)
	}
}

// No password and no session id is in what is logged, answered or told, whatever went wrong
// with the request.
func TestPasswordsAreNotLogged(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	logged := &natstest.Output{}
	s := start(t, ns, func(c *Config) {
		c.Log = slog.New(slog.NewTextHandler(logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
		c.ReapEvery = reaping
	})
	nc := ns.Connect(t)
	const secret, other, number = "sesame-open-please", "battery-staple-too", "8675309867"
	ctx := natstest.Context(t)
	if _, err := authapi.SignUp.Call(ctx, nc, authapi.SignUpRequest{Username: "ann", Password: secret}); err != nil {
		t.Fatal(err)
	}
	lease(t, ns, "e1")
	in := mustSignIn(t, nc, authapi.SignInRequest{Username: "ann", Password: secret, Edge: "e1", Conn: "c1"})
	if _, err := authapi.Passwd.Call(as(t, in), nc, authapi.PasswdRequest{Old: secret, New: other}); err != nil {
		t.Fatal(err)
	}
	for _, ask := range []struct{ subject, body string }{
		{"signup", `{"username":"ann","password":"` + secret + `"}`},
		{"signup", `{"username":"a","password":"` + secret + `"}`},
		{"signup", `{"username":"bob","password":"` + secret + strings.Repeat(secret, 8) + `"}`},
		{"signup", `{"username":"bob","password":"` + secret + `\u0000"}`},
		{"signup", `{"username":"bob","password":` + number + `}`},
		{"signup", `{"username":"bob","password":["` + secret + `"]}`},
		{"signup", `{"username":"bob","password":{"` + secret + `":"` + secret + `"}}`},
		{"signup", `{"username":"bob","password":"` + secret + `","pasword":"` + other + `"}`},
		{"signup", `{"username":"bob","password":"` + secret},
		{"signup", `{"username":"bob","password":"` + secret + `"} ` + secret},
		{"signup", `{"username":"bob","password":"` + secret + "\xff" + `"}`},
		{"signin", `{"username":"ann","password":"` + secret + `"}`},
		{"signin", `{"username":"ann","password":"` + secret + `","edge":"e1"}`},
		{"signin", `{"username":"` + secret + `","password":"` + secret + `","edge":"e1"}`},
		{"passwd", `{"old":"` + secret + `","new":"` + secret + `"}`},
	} {
		msg := nats.NewMsg("hall.auth." + ask.subject)
		msg.Header.Set(bus.HeaderUser, "ann")
		msg.Header.Set(bus.HeaderSession, in.Session)
		msg.Data = []byte(ask.body)
		answer, err := nc.RequestMsgWithContext(ctx, msg)
		if err != nil {
			t.Fatal(err)
		}
		if answer.Header.Get(micro.ErrorCodeHeader) == "" {
			t.Errorf("%s %s was accepted: %s", ask.subject, ask.body, answer.Data)
		}
	}
	endLease(t, ns, "e1")
	natstest.Eventually(t, "the session is over", func() bool {
		_, found := record(t, s, "ann")
		return !found
	})
	text := logged.String()
	if !strings.Contains(text, "refused") || !strings.Contains(text, "the edge is gone") {
		t.Fatalf("too little is logged to tell anything:\n%s", text)
	}
	for _, e := range told(t, ns) {
		data, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		text += string(data)
	}
	for _, secret := range []string{secret, other, number, in.Session, "argon2id"} {
		if at := strings.Index(text, secret); at >= 0 {
			t.Errorf("%q is in: …%s…", secret, text[max(0, at-200):min(len(text), at+100)])
		}
	}
}

// The same sessions on a cluster of three, where a compare-and-set is refused in other words
// and the leader changes in the midst of it.
func TestClusterOfThree(t *testing.T) {
	t.Parallel()
	c := natstest.RunCluster(t, 3)
	data := t.TempDir()
	var copies []*Service
	for _, node := range c.Nodes[:2] {
		copies = append(copies, start(t, node, func(cfg *Config) { cfg.Data, cfg.Replicas = data, 3 }))
	}
	addAccounts(t, copies[0], "ann")
	nc := c.Connect(t)
	edges := []*edge{startEdge(t, c.Nodes[0], "e1"), startEdge(t, c.Nodes[2], "e2")}
	for pair := range 30 {
		if pair%10 == 5 {
			c.StepDown(t, "KV_"+streams.Sessions)
			c.StepDown(t, streams.Events)
		}
		var errs [2]error
		var both sync.WaitGroup
		for i, e := range edges {
			e.connect("c1")
			both.Go(func() {
				req := signInReq("ann", e.id, "c1")
				req.Takeover = pair%2 == 1
				_, errs[i] = authapi.SignIn.Call(natstest.Context(t), nc, req)
			})
		}
		both.Wait()
		won := 0
		for _, err := range errs {
			switch fault.CodeOf(err) {
			case "":
				won++
			case fault.AlreadySignedIn:
			default:
				t.Fatalf("pair %d: %v", pair, err)
			}
		}
		r, found := record(t, copies[0], "ann")
		if !found || won == 0 || won == 2 && pair%2 == 0 {
			t.Fatalf("pair %d: %d won, stored %+v", pair, won, r)
		}
		if _, err := authapi.SignOut.Call(bus.AsSession(natstest.Context(t), "ann", r.Session), nc, authapi.SignOutRequest{}); err != nil {
			t.Fatalf("pair %d: sign out: %v", pair, err)
		}
	}
	r := claimOf("bob", "e1", "c2", "command-1")
	put(t, copies[0], r)
	r, _ = record(t, copies[0], "bob")
	errs := make(chan error, 10)
	for i := range cap(errs) {
		go func() {
			_, err := copies[i%2].end(natstest.Context(t), r, ending{})
			errs <- err
		}()
	}
	for range cap(errs) {
		if err := <-errs; err != nil && !errors.Is(err, errOver) {
			t.Error(err)
		}
	}
	all := told(t, c.Nodes[0])
	n := len(all)
	if n < 2 || all[n-2].Kind != event.Joined || all[n-1].Kind != event.Left || all[n-1].User != "bob" {
		t.Errorf("the hall heard %+v", all[max(0, n-3):])
	}
	alternate(t, all[:n-2], 30)
}
