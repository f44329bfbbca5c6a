//go:build postgres

package main

import (
	"net/url"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"gamehall/shared/storagetest"
)

// mum asserts that a process told no password of its database.
func (p *process) mum() {
	p.t.Helper()
	for _, text := range []string{p.out.String(), p.log.String()} {
		for _, secret := range []string{storagetest.Password, url.QueryEscape(storagetest.Password), "se%25cret"} {
			if strings.Contains(text, secret) {
				p.t.Errorf("the password of the database is told:\n%s", text)
			}
		}
	}
}

// A hall on Postgres waits for it at the start, finds what it had after a kill -9, and after
// Postgres itself was killed.
func TestUpOnPostgres(t *testing.T) {
	t.Parallel()
	server := storagetest.StartServer(t)
	d := server.Database(t)
	server.Stop(t, syscall.SIGINT)
	args := append([]string{"--db", d.DB}, cheapHash...)
	p := launch(t, append([]string{
		"up", "--data", d.Data, "--tcp", "127.0.0.1:0", "--http", "127.0.0.1:0", "--nats-listen", "127.0.0.1:0", "--game21-first", "1h",
	}, args...)...)
	p.await(p.log, regexp.MustCompile(`waiting for postgres: is it running`))
	server.Start(t)
	talk := p.await(p.out, talkLine)
	p.tcp = talk[1] + ":" + talk[2]

	v := p.connect()
	v.says("/SIGNUP ann secret1")
	v.hears("system: registered, you can sign in now")
	v.says("/SIGNIN ann secret1")
	v.hears("system: welcome, ann")
	p.kill()
	p.mum()

	p = startHall(t, d.Data, args...)
	v = p.signIn("ann", "secret1")
	server.Stop(t, syscall.SIGQUIT)
	v.says("hi")
	v.hears("ann: hi")
	newcomer := p.connect()
	newcomer.says("/SIGNUP bob secret1")
	server.Start(t)
	newcomer.hears("system: registered, you can sign in now")
	newcomer.says("/SIGNUP bob secret1")
	newcomer.hears("system: the username exists, please choose another one")
	v.says("/GETONLINETIME")
	v.hearsMatch(`^system: your online time is \d+ seconds$`)
	p.stops(syscall.SIGTERM)
	p.mum()
}

// Two copies of each service on one Postgres, each with a folder of its own: what one wrote
// the other one knows, whichever dies.
func TestCopiesOnPostgres(t *testing.T) {
	t.Parallel()
	server := storagetest.StartServer(t)
	d := server.Database(t)
	h := openCopies(t)
	run := func() *process {
		args := []string{"run", "auth", "account", "chat", "room", "game21", "--nats", h.url, "--db", d.DB, "--data", t.TempDir(), "--game21-first", "1h"}
		return launch(t, append(args, cheapHash...)...)
	}
	copies := []*process{run(), run()} // at once, where no table is
	for _, p := range copies {
		p.serving()
	}
	door := h.launch(h.url, "edge").serving()
	for i, name := range []string{"ann", "bob", "cid"} {
		v := door.connect()
		v.says("/SIGNUP " + name + " secret12")
		v.hears("system: registered, you can sign in now")
		if i < 2 {
			copies[i].kill()
			copies[i].mum()
			copies[i] = run().serving()
		}
		v.says("/SIGNUP " + name + " secret12")
		v.hears("system: the username exists, please choose another one")
		v.says("/SIGNIN " + name + " secret12")
		v.hears("system: welcome, " + name)
		v.says("/GETONLINETIME")
		v.hearsMatch(`^system: your online time is \d+ seconds$`)
	}
}
