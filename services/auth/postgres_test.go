//go:build postgres

package auth

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gamehall/shared/authapi"
	"gamehall/shared/bus"
	"gamehall/shared/fault"
	"gamehall/shared/natstest"
	"gamehall/shared/storagetest"
)

// People sign up on two copies while their Postgres crashes and is back: whoever was told ok
// has the account, and the same command gets the same answer, from either copy.
func TestSignUpWhilePostgresRestarts(t *testing.T) {
	t.Parallel()
	server := storagetest.StartServer(t)
	d := server.Database(t)
	ns := natstest.Run(t)
	copies := []*Service{start(t, ns, on(d)), start(t, ns, on(d))}
	type signUp struct {
		name, command string
		err           error
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*natstest.Wait)
	defer cancel()
	over, stop := context.WithCancel(ctx)
	var mu sync.Mutex
	var done []signUp
	told := make(chan struct{}, 1)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			nc := ns.Connect(t)
			for n := 0; over.Err() == nil; n++ {
				s := signUp{name: fmt.Sprintf("user%c%d", 'a'+i, n), command: bus.NewID()}
				_, s.err = authapi.SignUp.Call(bus.WithCommand(ctx, s.command), nc, authapi.SignUpRequest{Username: s.name, Password: password, Trusted: true})
				mu.Lock()
				done = append(done, s)
				mu.Unlock()
				select {
				case told <- struct{}{}:
				default:
				}
			}
		})
	}
	more := func(n int) {
		t.Helper()
		for {
			mu.Lock()
			have := len(done)
			mu.Unlock()
			if have >= n {
				return
			}
			select {
			case <-told:
			case <-ctx.Done():
				t.Fatalf("%d sign-ups, want %d", have, n)
			}
		}
	}
	for crash := range 3 {
		mu.Lock()
		have := len(done)
		mu.Unlock()
		more(have + 40)
		server.Stop(t, []syscall.Signal{syscall.SIGQUIT, syscall.SIGINT}[crash%2])
		server.Start(t)
	}
	mu.Lock()
	have := len(done)
	mu.Unlock()
	more(have + 40)
	stop()
	all.Wait()
	for i, s := range done {
		if s.err != nil {
			t.Errorf("sign-up of %s: %v", s.name, s.err)
			continue
		}
		made, err := copies[i%2].made(ctx, newAccount(s.name, s.command))
		if err != nil || !made {
			t.Errorf("%s was told ok, and its command again: %v, %v", s.name, made, err)
		}
		_, err = copies[i%2].made(ctx, newAccount(s.name, "another"))
		wantCode(t, err, fault.UsernameTaken)
	}
	t.Logf("%d sign-ups", len(done))
}

// While Postgres stays away nothing is made up: sign-up, sign-in and a new password are
// unavailable, in time; when it is back the same command is carried out, once.
func TestPostgresStaysAway(t *testing.T) {
	t.Parallel()
	server := storagetest.StartServer(t)
	d := server.Database(t)
	ns := natstest.Run(t)
	s := start(t, ns, on(d))
	addAccounts(t, s, "ann")
	nc := ns.Connect(t)
	in := mustSignIn(t, nc, signInReq("ann", "e1", "c1"))
	server.Stop(t, syscall.SIGQUIT)
	signUp := authapi.SignUpRequest{Username: "bob", Password: password, Trusted: true}
	command := bus.WithCommand(natstest.Context(t), "command-1")
	begun := time.Now()
	var all sync.WaitGroup
	for name, call := range map[string]func() error{
		"sign-up": func() error {
			_, err := authapi.SignUp.Call(command, nc, signUp)
			return err
		},
		"sign-in": func() error {
			_, err := authapi.SignIn.Call(natstest.Context(t), nc, signInReq("ann", "e1", "c2"))
			return err
		},
		"a new password": func() error {
			_, err := authapi.Passwd.Call(as(t, in), nc, authapi.PasswdRequest{Old: password, New: "battery staple"})
			return err
		},
	} {
		all.Go(func() {
			err := call()
			if fault.CodeOf(err) != fault.Unavailable || !strings.Contains(err.Error(), name+" is temporarily unavailable") {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	all.Wait()
	if took := time.Since(begun); took > bus.CallFor {
		t.Errorf("it took %v", took)
	}
	server.Start(t)
	natstest.Eventually(t, "the sign-up is repeated", func() bool {
		_, err := authapi.SignUp.Call(command, nc, signUp)
		return err == nil
	})
	_, err := authapi.SignUp.Call(natstest.Context(t), nc, signUp)
	wantCode(t, err, fault.UsernameTaken)
}

// A Postgres whose disk is full makes sign-up unavailable, and sign-in works.
func TestPostgresWithoutSpace(t *testing.T) {
	t.Parallel()
	d := storagetest.Postgres(t)
	ns := natstest.Run(t)
	s := start(t, ns, on(d))
	addAccounts(t, s, "ann")
	_, err := storagetest.Admin(t, d).Exec(natstest.Context(t), `CREATE FUNCTION hall_auth.no_space() RETURNS trigger LANGUAGE plpgsql AS
		$$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$;
		CREATE TRIGGER full_disk BEFORE INSERT ON hall_auth.users EXECUTE FUNCTION hall_auth.no_space()`)
	if err != nil {
		t.Fatal(err)
	}
	nc := ns.Connect(t)
	_, err = authapi.SignUp.Call(natstest.Context(t), nc, authapi.SignUpRequest{Username: "bob", Password: password})
	wantCode(t, err, fault.Unavailable)
	if err == nil || err.Error() != "sign-up is temporarily unavailable, please try again" {
		t.Errorf("said %v", err)
	}
	mustSignIn(t, nc, signInReq("ann", "e1", "c1"))
}
