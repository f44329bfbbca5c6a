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
	// serverName is that of a server alone.
	serverName = "hall"
	// adminFile holds the administrator's password, in the data folder.
	adminFile = "nats-admin.txt"
	adminUser = "hall-admin"
	// listenerUser is as whom the services hear what they are asked; it has the
	// administrator's password.
	listenerUser = "hall-listener"
	// routeUser is as whom the nodes of a cluster connect to each other; it has the
	// administrator's password, too, and may do nothing as a client.
	routeUser = "hall-route"
	// handOver is how long a node that stops takes to send its clients to the others.
	handOver = time.Second
)

// services are who may be called by who has no credentials.
var services = []string{"auth", "account", "chat", "room", "game21"}

// natsd is the embedded NATS server.
type natsd struct {
	server   *server.Server
	password string // the administrator's
	log      *slog.Logger
}

// startNATS starts the one server of a hall on its listening address, with JetStream in the
// data folder. Who called stops it.
func startNATS(ctx context.Context, data string, at listen, log *slog.Logger) (*natsd, error) {
	n := node{data: data, at: at, name: serverName, admin: filepath.Join(data, adminFile), tellAdmin: true}
	return n.start(ctx, log)
}

// node says what a server is to be. Every write is on disk before it is acknowledged. On a
// loopback address who has no credentials may call the services and hear what the hall is
// told, and nothing else; elsewhere only who has credentials gets in.
type node struct {
	data      string
	at        listen
	name      string
	admin     string // the file with the administrator's password
	tellAdmin bool   // write there how to be the administrator, and where
	monitor   *listen

	cluster     *listen // where the other nodes connect; nil is one server alone
	clusterName string
	advertise   string // where the others reach it; empty is at cluster
	routes      []*url.URL
}

// start returns once the server takes connections. Who called stops it.
func (n node) start(ctx context.Context, log *slog.Logger) (*natsd, error) {
	password, err := adminPassword(n.admin)
	if err != nil {
		return nil, err
	}
	opts, err := n.options(password)
	if err != nil {
		return nil, err
	}
	d, err := launchNATS(ctx, opts, log)
	if err != nil {
		return nil, err
	}
	d.password = password
	if n.tellAdmin {
		if err := d.writeAdmin(n.admin); err != nil {
			d.stop()
			return nil, err
		}
	}
	return d, nil
}

// launchNATS starts a server and returns once it takes connections.
func launchNATS(ctx context.Context, opts *server.Options, log *slog.Logger) (*natsd, error) {
	for _, port := range []struct {
		flag string
		host string
		port int
	}{{"--nats-listen", opts.Host, opts.Port}, {"--cluster", opts.Cluster.Host, opts.Cluster.Port}, {"--nats-monitor", opts.HTTPHost, opts.HTTPPort}} {
		if port.port <= 0 { // none, or any
			continue
		}
		if err := free(ctx, port.flag, listen{port.host, port.port}); err != nil {
			return nil, err
		}
	}
	srv, err := server.NewServer(opts)
	if err != nil {
		return nil, fmt.Errorf("nats: %w", err)
	}
	out := &serverLog{log: log, anyone: opts.NoAuthUser}
	srv.SetLoggerV2(out, false, false, false)
	srv.Start()
	d := &natsd{server: srv, log: log}
	if err := out.err(); err != nil {
		d.stop()
		return nil, fmt.Errorf("nats does not start with %s: %w", opts.StoreDir, err)
	}
	if !srv.ReadyForConnections(natsReadyWithin) {
		d.stop()
		return nil, fmt.Errorf("nats is not ready after %s: look at the log with --log-level debug", natsReadyWithin)
	}
	return d, nil
}

// options are the server's, whose users have the given password.
func (n node) options(password string) (*server.Options, error) {
	// The password is 128 random bits, so the cheapest hash is as good as any.
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		return nil, fmt.Errorf("nats: the password in %s: %w", n.admin, err)
	}
	opts := &server.Options{
		ServerName: n.name,
		Host:       n.at.host,
		Port:       n.at.port,
		JetStream:  true,
		StoreDir:   n.data, // the server adds "jetstream"
		Users: []*server.User{
			{Username: adminUser, Password: string(hash), Permissions: adminMay()},
			{Username: listenerUser, Password: string(hash), Permissions: listenerMay()},
		},
	}
	safe(opts)
	if n.at.port == 0 {
		opts.Port = server.RANDOM_PORT
	}
	if n.at.loopback() {
		// Who gives no credentials becomes this user. It is a key, for the server compares
		// such a user's password with itself, which a hashed one does not survive.
		anyone, err := anyoneKey()
		if err != nil {
			return nil, fmt.Errorf("nats: %w", err)
		}
		opts.Nkeys = []*server.NkeyUser{{Nkey: anyone, Permissions: anyoneMay()}}
		opts.NoAuthUser = anyone
	}
	if n.monitor != nil {
		opts.HTTPHost, opts.HTTPPort = n.monitor.host, n.monitor.port
	}
	if n.cluster != nil {
		opts.Cluster = server.ClusterOpts{
			Name: n.clusterName, Host: n.cluster.host, Port: n.cluster.port,
			Username: routeUser, Password: password, Advertise: n.advertise,
		}
		opts.Routes = routesAs(n.routes, routeUser, password)
	}
	return opts, nil
}

// routesAs gives the routes with credentials where they have none.
func routesAs(routes []*url.URL, user, password string) []*url.URL {
	all := make([]*url.URL, 0, len(routes))
	for _, r := range routes {
		with := *r
		if with.User == nil && user != "" {
			with.User = url.UserPassword(user, password)
		}
		all = append(all, &with)
	}
	return all
}

// safe sets what the hall's promises stand on.
func safe(opts *server.Options) {
	if opts.MaxPayload == 0 {
		opts.MaxPayload = maxPayload
	}
	opts.SyncAlways = true // an acknowledged line survives a power loss
	opts.NoSigs = true     // Ctrl-C stops the parts first
	// A process that is frozen, or cut off, is known to be gone within 6 s: until then it gets
	// its share of the commands. The server's own way is to ask after two minutes, twice.
	opts.PingInterval, opts.MaxPingsOut = 2*time.Second, 2
	// A server of a cluster that stops hands over what it leads, and then its clients.
	opts.LameDuckDuration, opts.LameDuckGracePeriod = handOver, handOver/10
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

// dialers connect every part as the administrator, without a socket.
func (n *natsd) dialers(_ string, log *slog.Logger) (bus.Dialer, error) { return n.dialer(log), nil }

// dialer connects as the administrator, without a socket.
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

// handOver ends the server as stop does, but lets go of what it leads in a cluster first, so
// that nobody waits for an election.
func (n *natsd) handOver() {
	if n.server.JetStreamIsClustered() {
		n.server.LameDuckShutdown()
	}
	n.stop()
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
// on after a restart, or writes a new one there. Several servers may make the file at the same
// time: all of them get the password of the first.
func adminPassword(path string) (string, error) {
	password, err := readPassword(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return password, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", fmt.Errorf("write the administrator's password: %w", err)
	}
	err = newFile(path, fmt.Appendf(nil, "user     %s\npassword %s\n", adminUser, newPassword()))
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("write the administrator's password: %w", err)
	}
	return readPassword(path)
}

// readPassword gives the password that stands in the file.
func readPassword(path string) (string, error) {
	text, err := os.ReadFile(path)
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

// awaitPassword is readPassword for a file that may not be there yet. When ctx ends first the
// password is empty.
func awaitPassword(ctx context.Context, path string, log *slog.Logger) (string, error) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for told := (time.Time{}); ; {
		password, err := readPassword(path)
		if !errors.Is(err, fs.ErrNotExist) {
			return password, err
		}
		if time.Since(told) > stillWaiting {
			told = time.Now()
			log.Warn("waiting for the administrator's password: a server that starts makes the file", "file", path)
		}
		select {
		case <-ctx.Done():
			return "", nil
		case <-tick.C:
		}
	}
}

func newPassword() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // crypto/rand.Read never fails since Go 1.24
	return hex.EncodeToString(b[:])
}

// keyed connects a part of a class to the NATS at urls with the nkey in a file. Its services
// hear as who has the key beside it, if there is one: auth-listener.nk beside auth.nk.
func keyed(urls []string, file string, log *slog.Logger) (bus.Dialer, error) {
	as := func(file string) (bus.Dialer, error) {
		key, err := nats.NkeyOptionFromSeed(file)
		if err != nil {
			return bus.Dialer{}, fmt.Errorf("--nats-nkey: %s: %w", file, err)
		}
		return bus.Dialer{URL: strings.Join(urls, ","), Options: []nats.Option{key}, Log: log}, nil
	}
	d, err := as(file)
	if err != nil {
		return d, err
	}
	ext := filepath.Ext(file)
	beside := strings.TrimSuffix(file, ext) + listenerExt + ext
	if _, err := os.Stat(beside); errors.Is(err, fs.ErrNotExist) {
		return d, nil
	}
	listener, err := as(beside)
	if err != nil {
		return d, err
	}
	d.Listener = &listener
	return d, nil
}

// remote connects parts to the NATS at urls, with the administrator's password unless it is
// empty, and else as the URLs say. The administrator of a hall's own NATS hears as the
// listener.
func remote(urls []string, password string, log *slog.Logger) bus.Dialer {
	d := bus.Dialer{URL: strings.Join(urls, ","), Log: log}
	if password != "" {
		listener := d
		d.Options = []nats.Option{nats.UserInfo(adminUser, password)}
		listener.Options = []nats.Option{nats.UserInfo(listenerUser, password)}
		d.Listener = &listener
		return d
	}
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
