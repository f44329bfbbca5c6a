package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
	"golang.org/x/crypto/bcrypt"

	"gamehall/shared/bus"
)

const (
	// natsReadyWithin bounds the start of the embedded server, which reads its streams.
	natsReadyWithin = time.Minute
	// maxPayload is the largest message: DESIGN's 1 MiB to a client, and what NATS advises.
	maxPayload = 1 << 20
	// adminFile holds the administrator's password, in the data folder.
	adminFile = "nats-admin.txt"
	adminUser = "hall-admin"
	// listenerUser is as whom the services hear what they are asked; it has the
	// administrator's password.
	listenerUser = "hall-listener"
)

// services are who may be called by who has no credentials.
var services = []string{"auth", "account", "chat", "room", "game21"}

// natsd is the embedded NATS server.
type natsd struct {
	server   *server.Server
	password string // the administrator's
	log      *slog.Logger
}

// startNATS starts the server on its listening address, with JetStream in the data folder
// and every write on disk before it is acknowledged. On a loopback address who has no
// credentials may call the services and hear what the hall is told, and nothing else;
// elsewhere only who has credentials gets in. Who called stops it.
func startNATS(ctx context.Context, data string, at listen, log *slog.Logger) (*natsd, error) {
	password, err := adminPassword(filepath.Join(data, adminFile))
	if err != nil {
		return nil, err
	}
	opts, err := natsOptions(data, at, password)
	if err != nil {
		return nil, err
	}
	if err := free(ctx, "--nats-listen", at); err != nil {
		return nil, err
	}
	srv, err := server.NewServer(opts)
	if err != nil {
		return nil, fmt.Errorf("nats: %w", err)
	}
	out := &serverLog{log: log}
	srv.SetLoggerV2(out, false, false, false)
	srv.Start()
	n := &natsd{server: srv, password: password, log: log}
	if err := out.err(); err != nil {
		n.stop()
		return nil, fmt.Errorf("nats does not start with %s: %w", opts.StoreDir, err)
	}
	if !srv.ReadyForConnections(natsReadyWithin) {
		n.stop()
		return nil, fmt.Errorf("nats is not ready after %s: look at the log with --log-level debug", natsReadyWithin)
	}
	if err := n.writeAdmin(filepath.Join(data, adminFile)); err != nil {
		n.stop()
		return nil, err
	}
	return n, nil
}

func natsOptions(data string, at listen, password string) (*server.Options, error) {
	// The password is 128 random bits, so the cheapest hash is as good as any.
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		return nil, fmt.Errorf("nats: the password in %s: %w", filepath.Join(data, adminFile), err)
	}
	opts := &server.Options{
		ServerName: "hall",
		Host:       at.host,
		Port:       at.port,
		MaxPayload: maxPayload,
		JetStream:  true,
		StoreDir:   data, // the server adds "jetstream"
		SyncAlways: true, // an acknowledged line survives a power loss
		NoSigs:     true, // Ctrl-C stops the parts first
		Users: []*server.User{
			{Username: adminUser, Password: string(hash), Permissions: adminMay()},
			{Username: listenerUser, Password: string(hash), Permissions: listenerMay()},
		},
	}
	if at.port == 0 {
		opts.Port = server.RANDOM_PORT
	}
	if at.loopback() {
		// Who gives no credentials becomes this user. It is a key, for the server compares
		// such a user's password with itself, which a hashed one does not survive.
		anyone, err := anyoneKey()
		if err != nil {
			return nil, fmt.Errorf("nats: %w", err)
		}
		opts.Nkeys = []*server.NkeyUser{{Nkey: anyone, Permissions: anyoneMay()}}
		opts.NoAuthUser = anyone
	}
	return opts, nil
}

// adminMay is everything but telling the hall what was never stored: hall.live.> is the
// stream's alone.
func adminMay() *server.Permissions {
	return &server.Permissions{Publish: &server.SubjectPermission{Deny: []string{"hall.live.>"}}}
}

// listenerMay is to hear everything, and to answer inboxes alone: who asks $SRV names the
// subject of the answer, and without this could have anything written, such as a session.
func listenerMay() *server.Permissions {
	return &server.Permissions{Publish: &server.SubjectPermission{Allow: []string{"_INBOX.>"}}}
}

// anyoneMay is what a person with the nats CLI needs to play and to look around.
func anyoneMay() *server.Permissions {
	call := []string{"$SRV.>"}
	for _, s := range services {
		call = append(call, "hall."+s+".>")
	}
	return &server.Permissions{
		Publish:   &server.SubjectPermission{Allow: call},
		Subscribe: &server.SubjectPermission{Allow: []string{"hall.live.>", "_INBOX.>"}},
	}
}

// anyoneKey makes the public key of who connects without credentials; nobody needs the
// private one.
func anyoneKey() (string, error) {
	pair, err := nkeys.CreateUser()
	if err != nil {
		return "", err
	}
	defer pair.Wipe()
	return pair.PublicKey()
}

// dialer connects parts as the administrator, without a socket.
func (n *natsd) dialer(log *slog.Logger) bus.Dialer {
	as := func(user string) bus.Dialer {
		return bus.Dialer{InProcess: n.server, Options: []nats.Option{nats.UserInfo(user, n.password)}, Log: log}
	}
	d, listener := as(adminUser), as(listenerUser)
	d.Listener = &listener
	return d
}

// url is where the server listens really, for people: without credentials.
func (n *natsd) url() string { return "nats://" + n.host() }

// host is where this machine reaches the server.
func (n *natsd) host() string { return net.JoinHostPort(reachable(n.server.Addr().String())) }

// stop ends the server once its files are closed.
func (n *natsd) stop() {
	n.server.Shutdown()
	n.server.WaitForShutdown()
}

// writeAdmin tells the operator how to be the administrator.
func (n *natsd) writeAdmin(path string) error {
	full := url.URL{Scheme: "nats", User: url.UserPassword(adminUser, n.password), Host: n.host()}
	text := fmt.Sprintf("user     %s\npassword %s\nurl      %s\nnats     nats -s %s stream ls\n", adminUser, n.password, &full, &full)
	if err := replaceFile(path, []byte(text)); err != nil {
		return fmt.Errorf("write the administrator's password: %w", err)
	}
	return nil
}

// adminPassword gives the password that stands in the file, so that whoever uses it may go
// on after a restart, or a new one.
func adminPassword(path string) (string, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return newPassword(), nil
	}
	if err != nil {
		return "", fmt.Errorf("read the administrator's password: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 2 && f[0] == "password" {
			return f[1], nil
		}
	}
	return "", fmt.Errorf("%s has no line \"password …\": write one, or delete the file and a new one is made", path)
}

func newPassword() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // crypto/rand.Read never fails since Go 1.24
	return hex.EncodeToString(b[:])
}

// remote connects parts to the NATS at urls. The administrator of a hall's own NATS hears as
// the listener.
func remote(urls []string, log *slog.Logger) bus.Dialer {
	d := bus.Dialer{URL: strings.Join(urls, ","), Log: log}
	listening := make([]string, len(urls))
	for i, text := range urls {
		u, err := url.Parse(text)
		if err != nil || u.User == nil || u.User.Username() != adminUser {
			return d
		}
		password, _ := u.User.Password()
		u.User = url.UserPassword(listenerUser, password)
		listening[i] = u.String()
	}
	d.Listener = &bus.Dialer{URL: strings.Join(listening, ","), Log: log}
	return d
}
