package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/nats-io/nkeys"
)

// The files of hall keys.
const (
	seedExt = ".nk"
	// listenerExt follows a class in the name of the key as which its services hear.
	listenerExt = "-listener"
	// envFile has the variables of docker/nats.conf: public keys, and the password of routes.
	envFile = "nats.env"
	// routePassword is the variable of that one.
	routePassword = "HALL_ROUTE_PASSWORD"
	// postgresFile has the password of PostgreSQL's user hall, for the server; passFile has it
	// as clients read it (PostgreSQL, section 32.16).
	postgresFile = "postgres-password"
	passFile     = "pgpass"
)

// keysCommand is hall keys: the nkeys of a hall whose NATS gives each class its own rights.
type keysCommand struct {
	Dir      string `arg:"" type:"path" help:"Folder to write them to."`
	Edges    int    `default:"2" placeholder:"N" help:"How many edges there are; each has a key of its own (${default})."`
	Postgres bool   `help:"A password for PostgreSQL's user hall, too: postgres-password for the server, pgpass for who connects."`
	Owner    string `placeholder:"UID:GID" help:"Whom the files belong to (who runs this)."`
}

func (c *keysCommand) check() error {
	if c.Edges < 1 {
		return wrongUse("--edges %d: it must be at least 1", c.Edges)
	}
	_, _, err := c.owner()
	return err
}

// owner gives the ids of --owner, -1 for nobody else.
func (c *keysCommand) owner() (uid, gid int, err error) {
	if c.Owner == "" {
		return -1, -1, nil
	}
	user, group, _ := strings.Cut(c.Owner, ":")
	uid, err = strconv.Atoi(user)
	if err == nil {
		gid, err = strconv.Atoi(group)
	}
	if err != nil || uid < 0 || gid < 0 {
		return 0, 0, wrongUse("--owner %s: it needs numbers such as 65532:65532", c.Owner)
	}
	return uid, gid, nil
}

// names are the keys' names: those of the services, twice each, the edges' and the operator's.
func (c *keysCommand) names() []string {
	names := []string{"admin"}
	for _, s := range services {
		names = append(names, s, s+listenerExt)
	}
	for i := range c.Edges {
		names = append(names, fmt.Sprintf("%s%d", edgeName, i+1))
	}
	return names
}

// run makes the keys that are missing, and writes the variables for nats.conf anew. It tells
// names and never a key.
func (c *keysCommand) run(_ context.Context, out, _ io.Writer) error {
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return fmt.Errorf("make the folder of the keys: %w", err)
	}
	env, err := readEnv(filepath.Join(c.Dir, envFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	password := env[routePassword]
	if password == "" {
		password = newPassword()
	}
	lines := []string{routePassword + "=" + password}
	for _, name := range c.names() {
		public, err := ensureKey(filepath.Join(c.Dir, name+seedExt))
		if err != nil {
			return err
		}
		lines = append(lines, keyVariable(name)+"="+public)
	}
	text := strings.Join(lines, "\n") + "\n"
	if err := replaceFile(filepath.Join(c.Dir, envFile), []byte(text)); err != nil {
		return fmt.Errorf("write the variables: %w", err)
	}
	if c.Postgres {
		if err := c.postgres(); err != nil {
			return err
		}
	}
	if err := c.chown(); err != nil {
		return err
	}
	// Nobody may read it: the keys are there all the same.
	_, _ = fmt.Fprintf(out, "keys in %s: %s\nvariables for nats.conf in %s\n", c.Dir, strings.Join(c.names(), ", "), filepath.Join(c.Dir, envFile))
	return nil
}

// postgres makes the password of PostgreSQL's user hall if it is missing.
func (c *keysCommand) postgres() error {
	path := filepath.Join(c.Dir, postgresFile)
	err := newFile(path, []byte(newPassword()))
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("write the password of PostgreSQL: %w", err)
	}
	password, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read the password of PostgreSQL: %w", err)
	}
	if err := replaceFile(filepath.Join(c.Dir, passFile), fmt.Appendf(nil, "*:*:*:hall:%s\n", password)); err != nil {
		return fmt.Errorf("write the password of PostgreSQL: %w", err)
	}
	return nil
}

// chown gives the folder and its files to --owner.
func (c *keysCommand) chown() error {
	uid, gid, err := c.owner()
	if err != nil || uid < 0 {
		return err
	}
	paths := []string{c.Dir, filepath.Join(c.Dir, envFile)}
	if c.Postgres {
		paths = append(paths, filepath.Join(c.Dir, postgresFile), filepath.Join(c.Dir, passFile))
	}
	for _, name := range c.names() {
		paths = append(paths, filepath.Join(c.Dir, name+seedExt))
	}
	for _, path := range paths {
		if err := os.Chown(path, uid, gid); err != nil {
			return fmt.Errorf("give the keys to %s: %w", c.Owner, err)
		}
	}
	return nil
}

// keyVariable is the variable of nats.conf that has a key's public half.
func keyVariable(name string) string {
	return "HALL_NKEY_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

// ensureKey gives the public half of the key in the file, which it makes if it is missing.
func ensureKey(path string) (public string, err error) {
	seed, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if seed, err = newKey(path); err != nil {
			return "", fmt.Errorf("make the key %s: %w", path, err)
		}
	}
	if err != nil {
		return "", fmt.Errorf("read a key: %w", err)
	}
	defer clear(seed)
	pair, err := nkeys.ParseDecoratedNKey(seed)
	if err != nil {
		return "", fmt.Errorf("%s is no nkey: %w", path, err)
	}
	defer pair.Wipe()
	return pair.PublicKey()
}

// newKey writes a new key to the file and gives what is in there.
func newKey(path string) ([]byte, error) {
	pair, err := nkeys.CreateUser()
	if err != nil {
		return nil, err
	}
	defer pair.Wipe()
	seed, err := pair.Seed()
	if err != nil {
		return nil, err
	}
	return append(seed, '\n'), newFile(path, append(slices.Clone(seed), '\n'))
}

// readEnv reads NAME=value lines.
func readEnv(path string) (map[string]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the variables: %w", err)
	}
	env := map[string]string{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("%s: a line is not NAME=value", path)
		}
		env[name] = value
	}
	return env, nil
}
