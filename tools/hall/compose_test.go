package main

import (
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"gamehall/tools/cluster"
)

// composeFile is what of docker/compose.yaml matters here.
type composeFile struct {
	Services map[string]composeService
	Networks map[string]struct{ Internal bool }
	Volumes  map[string]struct{}
	Configs  map[string]struct{ File string }
	Secrets  map[string]struct{ File string }
}

type composeService struct {
	Image       string
	User        string
	ReadOnly    bool `yaml:"read_only"`
	Profiles    []string
	NetworkMode string `yaml:"network_mode"`
	Command     []string
	Environment map[string]string
	Secrets     []string
	Configs     []struct{ Source, Target string }
	Networks    []string
	Ports       []string
	Volumes     []string
	DependsOn   map[string]struct{ Condition string } `yaml:"depends_on"`
	Deploy      struct{ Replicas int }
	Healthcheck struct{ Test []string }
}

// args are the command with what the environment says as flags.
func (s composeService) args() []string {
	args := slices.Clone(s.Command)
	for name, value := range s.Environment {
		flag := strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(name, "HALL_"), "_", "-"))
		args = append(args, "--"+flag+"="+value)
	}
	return args
}

// flag gives a flag's value in the command.
func (s composeService) flag(name string) string {
	if i := slices.Index(s.Command, name); i >= 0 && i+1 < len(s.Command) {
		return s.Command[i+1]
	}
	return ""
}

// TestCompose checks docker/compose.yaml where there is no Docker: that it starts what hall
// cluster does, with commands of this program, and that everything it names is there.
func TestCompose(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docker/compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var c composeFile
	if err := yaml.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for name, s := range c.Services {
		kind := strings.TrimRight(name, "123")
		if slices.Contains(services, name) {
			kind = name
		}
		count[kind] += max(1, s.Deploy.Replicas)
	}
	want := map[string]int{"n": cluster.Servers, "edge": cluster.Edges, "postgres": 1, "keys": 1}
	for _, s := range cluster.Services {
		want[s] = cluster.Copies
	}
	for kind, n := range want {
		if count[kind] != n {
			t.Errorf("there are %d of %s, want %d", count[kind], kind, n)
		}
		delete(count, kind)
	}
	if len(count) > 0 {
		t.Errorf("there are more: %v", count)
	}

	keys := t.TempDir()
	for name, s := range c.Services {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.check(t, name, s)
		})
	}
	// Every secret is a file that the service keys makes.
	made := c.Services["keys"].Command
	made = slices.Replace(slices.Clone(made), 1, 2, keys)
	if i := slices.Index(made, "--owner"); os.Getuid() != 0 && i >= 0 {
		made = slices.Delete(made, i, i+2)
	}
	if code, out := runHall(t, made...); code != exitOK {
		t.Fatalf("hall %q: %s", made, out)
	}
	for name, s := range c.Secrets {
		if dir, file := filepath.Split(s.File); dir != "./keys/" {
			t.Errorf("secret %s is %s, want it in ./keys", name, s.File)
		} else if _, err := os.Stat(filepath.Join(keys, file)); err != nil {
			t.Errorf("secret %s: %v", name, err)
		}
	}
	for name, f := range c.Configs {
		if _, err := os.Stat("../../docker/" + f.File); err != nil {
			t.Errorf("config %s: %v", name, err)
		}
	}
}

// check checks one service of the file.
func (c composeFile) check(t *testing.T, name string, s composeService) {
	t.Helper()
	for _, secret := range s.Secrets {
		if _, ok := c.Secrets[secret]; !ok {
			t.Errorf("secret %s is not declared", secret)
		}
	}
	for _, v := range s.Volumes {
		source, _, _ := strings.Cut(v, ":")
		if _, ok := c.Volumes[source]; !ok && !strings.HasPrefix(source, "./") {
			t.Errorf("volume %s is not declared", source)
		}
	}
	for _, n := range s.Networks {
		if _, ok := c.Networks[n]; !ok {
			t.Errorf("network %s is not declared", n)
		}
	}
	for other, d := range s.DependsOn {
		o, ok := c.Services[other]
		if !ok || d.Condition == "service_healthy" && o.Healthcheck.Test == nil {
			t.Errorf("it depends on %s, which is not there or not checked", other)
		}
	}
	for _, f := range s.Configs {
		if _, ok := c.Configs[f.Source]; !ok {
			t.Errorf("config %s is not declared", f.Source)
		}
	}
	if s.Image != "gamehall" {
		return
	}
	if _, err := parsed(t, s.args()...); err != nil {
		t.Errorf("hall %q: %v", s.args(), err)
	}
	if name == "keys" {
		if s.NetworkMode != "none" || !slices.Contains(s.Profiles, "setup") {
			t.Errorf("it is %+v, want it without a network, and only when it is asked for", s)
		}
		return
	}
	if s.User != "65532:65532" || !s.ReadOnly {
		t.Errorf("it runs as %q, read-only %v: want nobody, who cannot write", s.User, s.ReadOnly)
	}
	// Each file that it reads is one that it gets; its key is its own.
	for _, arg := range s.Command {
		if secret, ok := strings.CutPrefix(arg, "/run/secrets/"); ok && !slices.Contains(s.Secrets, secret) {
			t.Errorf("it reads %s, which it does not get", arg)
		}
	}
	for _, secret := range s.Secrets {
		if base, isKey := strings.CutSuffix(secret, seedExt); isKey && strings.TrimSuffix(base, listenerExt) != name {
			t.Errorf("it gets the key %s", secret)
		}
	}
	c.checkHealth(t, s)
	outside := slices.Contains(s.Networks, "outside")
	if edge := s.flag("--edge-name") != ""; outside != edge || (len(s.Ports) > 0) != edge {
		t.Errorf("it is in %v with ports %v: only edges are seen from outside", s.Networks, s.Ports)
	}
}

// checkHealth checks that its health check asks where it answers.
func (c composeFile) checkHealth(t *testing.T, s composeService) {
	t.Helper()
	test := s.Healthcheck.Test
	if len(test) != 4 || test[0] != "CMD" || test[1] != "/hall" || test[2] != "health" {
		t.Errorf("its health check is %q, want CMD /hall health URL: there is no shell", test)
		return
	}
	if _, err := parsed(t, test[2:]...); err != nil {
		t.Errorf("its health check: %v", err)
	}
	u, err := url.Parse(test[3])
	if err != nil {
		t.Fatal(err)
	}
	var at listen
	for _, flag := range []string{"--nats-monitor", "--health", "--http"} {
		if text := s.flag(flag); text != "" {
			if err := at.UnmarshalText([]byte(text)); err != nil {
				t.Error(err)
			}
		}
	}
	if u.Port() != strconv.Itoa(at.port) || !loopbackHost(u.Hostname()) {
		t.Errorf("its health check asks %s, and it answers at %s", u.Host, at)
	}
}

// TestDockerfile: the image has the program alone, and nobody runs it.
func TestDockerfile(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docker/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	stages := regexp.MustCompile(`(?m)^FROM `).Split(string(text), -1)
	last := stages[len(stages)-1]
	if !strings.HasPrefix(last, "scratch\n") || strings.Contains(last, "RUN ") || !strings.Contains(last, "\nUSER 65532:65532\n") || !strings.Contains(last, `ENTRYPOINT ["/hall"]`) {
		t.Errorf("the last stage is:\n%s", last)
	}
	if !strings.Contains(stages[1], "CGO_ENABLED=0") {
		t.Error("the program is not built without C")
	}
}

// TestHealth: the program asks itself how it is.
func TestHealth(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	n := startTestNATS(t, data)
	health := freeAddress(t)
	p := launch(t, "run", "chat", "--nats", n.url(), "--nats-admin", filepath.Join(data, adminFile), "--health", health)
	p.await(p.log, regexp.MustCompile(`msg="all parts serve"`))
	for path, want := range map[string]int{"/readyz": exitOK, "/healthz": exitOK, "/nowhere": exitFailed} {
		if code, out := runHall(t, "health", "http://"+health+path); code != want {
			t.Errorf("%s: exit code %d, want %d: %s", path, code, want, out)
		}
	}
	p.stops(os.Interrupt)
	if code, out := runHall(t, "health", "http://"+health+"/readyz"); code != exitFailed {
		t.Errorf("nobody is there: exit code %d: %s", code, out)
	}
	if code, _ := runHall(t, "run", "chat", "--nats", n.url(), "--health", "0.0.0.0:1"); code != exitUsage {
		t.Errorf("others may ask: exit code %d", code)
	}
}
