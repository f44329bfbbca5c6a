package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"gamehall/shared/bus"
	"gamehall/shared/storage"
)

// partFlags are the settings of the parts. The tag part names those that a flag is for;
// without it the flag is for all.
type partFlags struct {
	Data     string   `default:"data" type:"folder" placeholder:"DIR" help:"Folder of the databases, and of the embedded NATS (${default})." group:"Where" part:"auth,account,game21"`
	DB       string   `name:"db" default:"sqlite" placeholder:"WHAT" help:"sqlite: one file a service under --data; or postgres://user:password@host:5432/database, for copies of a service on several machines (${default})." group:"Where" part:"auth,account,game21"`
	NATS     []string `name:"nats" placeholder:"URL" help:"Existing NATS servers, such as nats://user:password@host:4222." group:"Where"`
	Admin    string   `name:"nats-admin" type:"path" placeholder:"FILE" help:"File with the administrator's password of --nats, as nats-admin.txt is." group:"Where"`
	Nkey     string   `name:"nats-nkey" type:"path" placeholder:"PATH" help:"File with the nkey for --nats, or a folder with one for each part, such as auth.nk; hall keys makes them." group:"Where"`
	Replicas int      `default:"1" placeholder:"N" help:"Copies that NATS keeps of everything: 1, or in a cluster named with --nats 3 or 5 (${default})." group:"Where"`

	EdgeName         string         `placeholder:"NAME" help:"The edge's name, where NATS gives each edge its own rights: letters, digits and -." group:"Edge" part:"edge"`
	TCP              listen         `name:"tcp" default:"127.0.0.1:7021" placeholder:"ADDR" help:"Where players connect (${default}; port 0 takes a free one)." group:"Edge" part:"edge"`
	HTTP             listen         `name:"http" default:"127.0.0.1:7080" placeholder:"ADDR" help:"Where the edge speaks HTTP (${default})." group:"Edge" part:"edge"`
	TrustedNet       []netip.Prefix `placeholder:"CIDR" help:"Network such as 10.0.0.0/8, exempt from the limits of connections, sign-up and sign-in; may be given more than once (loopback in up, else none)." group:"Edge" part:"edge"`
	AllowOrigin      []origin       `placeholder:"ORIGIN" help:"Where pages come from that may connect besides the hall's own, such as https://hall.example; may be given more than once." group:"Edge" part:"edge"`
	ConnectionsPerIP int            `name:"connections-per-ip" default:"32" placeholder:"N" help:"Connections open from one address (${default})." group:"Edge" part:"edge"`
	Rate             float64        `default:"5" placeholder:"N" help:"Commands a second and session, kept by not reading faster (${default}; 0 is off)." group:"Edge" part:"edge"`
	Burst            int            `default:"20" placeholder:"N" help:"Commands at once before --rate holds (${default})." group:"Edge" part:"edge"`
	AwayAfter        time.Duration  `default:"5m" placeholder:"D" help:"A session without a command is away after this (${default}; 0 is never)." group:"Edge" part:"edge"`
	IdleAfter        time.Duration  `default:"30m" placeholder:"D" help:"A session is closed after being away for this, so 35m after its last command with both defaults (${default}; 0 is never)." group:"Edge" part:"edge"`

	tlsFlags
	pprofFlags

	DemoAccounts *bool     `negatable:"" help:"Accounts netease1 to netease4 with the password 123 (in up, on when nothing listens off loopback; refused otherwise)." group:"Accounts" part:"auth"`
	PasswordMin  *int      `placeholder:"N" help:"Fewest characters of a password (8; 6 with demo accounts)." group:"Accounts" part:"auth"`
	PasswordHash hashFlags `default:"m=19456,t=2,p=1" placeholder:"M,T,P" help:"Argon2id: memory in KiB, passes, lanes (${default}; less only on loopback)." group:"Accounts" part:"auth"`

	RoomEmpty time.Duration `default:"60s" placeholder:"D" help:"A room is gone this long after its last member left (${default})." group:"Rooms" part:"room"`

	Game21Period   time.Duration `name:"game21-period" default:"1h" placeholder:"D" help:"A round starts each time this has passed (${default}, on the hour)." group:"Game of 21" part:"game21"`
	Game21Duration time.Duration `name:"game21-duration" default:"2m" placeholder:"D" help:"How long a round lasts (${default})." group:"Game of 21" part:"game21"`
	Game21First    time.Duration `name:"game21-first" default:"0s" placeholder:"D" help:"The first round starts this long after the start (0: at the next full period). Where a round is planned already, as in a folder that was used, that plan holds." group:"Game of 21" part:"game21"`
	Game21Solvable bool          `name:"game21-solvable" help:"Deal only numbers that can make 21." group:"Game of 21" part:"game21"`

	logFlags
}

// check refuses what cannot be. here tells whether everything that this process listens on
// or connects to is loopback.
func (f *partFlags) check(here bool) error {
	if err := storage.Check(f.DB); err != nil { // which tells no password
		return wrongUse("--db: %w", err)
	}
	for _, u := range f.NATS {
		if err := checkURL(u); err != nil {
			return err
		}
	}
	switch {
	case f.Admin != "" && (len(f.NATS) == 0 || !anonymous(f.NATS)):
		return wrongUse("--nats-admin is for a --nats without user and password")
	case f.Nkey != "" && (len(f.NATS) == 0 || !anonymous(f.NATS)):
		return wrongUse("--nats-nkey is for a --nats without user and password")
	case f.Nkey != "" && f.Admin != "":
		return wrongUse("--nats-nkey and --nats-admin are both credentials: give one")
	}
	if !slices.Contains([]int{1, 3, 5}, f.Replicas) {
		return wrongUse("--replicas %d: it can be 1, 3 or 5", f.Replicas)
	}
	switch {
	case strings.Trim(f.EdgeName, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") != "":
		return wrongUse("--edge-name %s: it can have letters, digits and -", f.EdgeName)
	case f.ConnectionsPerIP < 1:
		return wrongUse("--connections-per-ip %d: it must be at least 1", f.ConnectionsPerIP)
	case f.Rate < 0 || math.IsNaN(f.Rate) || math.IsInf(f.Rate, 0):
		return wrongUse("--rate %v: it must be 0 (off) or more", f.Rate)
	case f.Burst < 1:
		return wrongUse("--burst %d: it must be at least 1; --rate 0 lifts the limit", f.Burst)
	case f.AwayAfter < 0:
		return wrongUse("--away-after %s: it must be 0 (never) or more", f.AwayAfter)
	case f.IdleAfter < 0:
		return wrongUse("--idle-after %s: it must be 0 (never) or more", f.IdleAfter)
	case f.RoomEmpty <= 0:
		return wrongUse("--room-empty %s: it must be more than 0", f.RoomEmpty)
	case f.Game21Duration <= 0:
		return wrongUse("--game21-duration %s: it must be more than 0", f.Game21Duration)
	case f.Game21Period <= f.Game21Duration:
		return wrongUse("--game21-period %s: it must be longer than --game21-duration, which is %s", f.Game21Period, f.Game21Duration)
	case f.Game21First < 0:
		return wrongUse("--game21-first %s: it must be 0 (at the next full period) or more", f.Game21First)
	}
	if err := errors.Join(f.tlsFlags.check(), f.pprofFlags.check()); err != nil {
		return err
	}
	if f.TCP == f.HTTP && f.TCP.port != 0 {
		return wrongUse("--http %s: players connect there, by --tcp: it needs another port", f.HTTP)
	}
	if f.PasswordMin != nil && (*f.PasswordMin < 1 || *f.PasswordMin > passwordMost) {
		return wrongUse("--password-min %d: it can be 1 to %d", *f.PasswordMin, passwordMost)
	}
	if here {
		return nil
	}
	if f.demo() {
		return wrongUse("--demo-accounts: everybody knows their password, so they are refused unless all addresses are loopback: leave it out, or listen on 127.0.0.1")
	}
	if f.PasswordHash.weaker(defaultHash) {
		return wrongUse("--password-hash %s: less than %s is for load tests on loopback", f.PasswordHash, defaultHash)
	}
	return nil
}

// allowOrigins are the origins as the edge takes them.
func (f *partFlags) allowOrigins() []string {
	var all []string
	for _, o := range f.AllowOrigin {
		all = append(all, string(o))
	}
	return all
}

// demo tells whether the demo accounts are wanted.
func (f *partFlags) demo() bool { return f.DemoAccounts != nil && *f.DemoAccounts }

// passwordMin is the fewest characters of a password.
func (f *partFlags) passwordMin() int {
	switch {
	case f.PasswordMin != nil:
		return *f.PasswordMin
	case f.demo():
		return 6
	default:
		return 8
	}
}

// passwordMost is the most characters of a password.
const passwordMost = 128

// checkURL refuses what is not the address of a NATS server. It tells no password.
func checkURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || !slices.Contains([]string{"nats", "tls", "ws", "wss"}, u.Scheme) {
		return wrongUse("--nats: it needs URLs such as nats://user:password@host:4222")
	}
	return nil
}

// dialers says where a part's NATS is and as whom it connects.
type dialers func(part string, log *slog.Logger) (bus.Dialer, error)

// remote connects parts to the NATS that is there. It waits for the file of --nats-admin, which
// a server that is starting too may be about to make.
func (f *partFlags) remote(ctx context.Context, log *slog.Logger) (dialers, error) {
	if f.Nkey != "" {
		return func(part string, log *slog.Logger) (bus.Dialer, error) {
			file := f.Nkey
			if info, err := os.Stat(file); err == nil && info.IsDir() {
				file = filepath.Join(file, part+seedExt)
			}
			return keyed(f.NATS, file, log)
		}, nil
	}
	password := ""
	if f.Admin != "" {
		var err error
		if password, err = awaitPassword(ctx, f.Admin, log); err != nil {
			return nil, err
		}
	}
	return func(_ string, log *slog.Logger) (bus.Dialer, error) { return remote(f.NATS, password, log), nil }, nil
}

// redacted is the URLs for people, without passwords.
func redacted(urls []string) string {
	var all []string
	for _, text := range urls {
		if u, err := url.Parse(text); err == nil {
			all = append(all, u.Redacted())
		}
	}
	return strings.Join(all, ",")
}

// anonymous tells whether some server is asked without credentials.
func anonymous(urls []string) bool {
	return slices.ContainsFunc(urls, func(text string) bool {
		u, err := url.Parse(text)
		return err == nil && u.User == nil
	})
}

// loopbackURLs tells whether all servers are on this machine.
func loopbackURLs(urls []string) bool {
	for _, text := range urls {
		if u, err := url.Parse(text); err != nil || !loopbackHost(u.Hostname()) {
			return false
		}
	}
	return true
}

// hashFlags are the costs of argon2id (RFC 9106).
type hashFlags struct {
	memory uint32 // KiB
	passes uint32
	lanes  uint8
}

// defaultHash is OWASP's advice for argon2id with little memory.
var defaultHash = hashFlags{memory: 19456, passes: 2, lanes: 1}

// The bounds of a hash: argon2 needs 8 KiB a lane; more than 1 GiB or 100 passes is a slip.
const (
	hashMemoryMost = 1 << 20
	hashPassesMost = 100
	hashLanesMost  = 16
	hashPerLane    = 8
)

// UnmarshalText reads m=19456,t=2,p=1.
func (h *hashFlags) UnmarshalText(text []byte) error {
	got := map[string]uint64{}
	for field := range strings.SplitSeq(string(text), ",") {
		key, value, _ := strings.Cut(field, "=")
		n, err := strconv.ParseUint(value, 10, 32)
		if err != nil || !slices.Contains([]string{"m", "t", "p"}, key) || got[key] != 0 {
			return fmt.Errorf("%q is not like m=19456,t=2,p=1", text)
		}
		got[key] = n
	}
	m, t, p := got["m"], got["t"], got["p"]
	if len(got) != 3 || t < 1 || t > hashPassesMost || p < 1 || p > hashLanesMost || m < hashPerLane*p || m > hashMemoryMost {
		return fmt.Errorf("%q: it needs m from %d for each lane to %d, t from 1 to %d, p from 1 to %d",
			text, hashPerLane, hashMemoryMost, hashPassesMost, hashLanesMost)
	}
	*h = hashFlags{memory: uint32(m), passes: uint32(t), lanes: uint8(p)}
	return nil
}

func (h hashFlags) String() string { return fmt.Sprintf("m=%d,t=%d,p=%d", h.memory, h.passes, h.lanes) }

// weaker tells whether h costs a guesser less than other in memory or in passes over it.
func (h hashFlags) weaker(other hashFlags) bool {
	return h.memory < other.memory || h.passes < other.passes
}
