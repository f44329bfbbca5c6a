package check

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"gamehall/tools/check/history"
)

// secret is in every password of a run.
const secret = "open-sesame-7341"

// sample notes what each of these processes holds.
func (c *checking) sample(ctx context.Context, when string, names []string) {
	var all sync.WaitGroup
	samples := make([]history.Sample, len(names))
	for i, name := range names {
		all.Go(func() {
			s := history.Sample{T: history.Now(), When: when, Process: name, Pid: c.hall.processes[name].pid()}
			s.FDs, s.RSS = held(s.Pid)
			s.Goroutines = goroutines(ctx, c.hall.pprof[name])
			samples[i] = s
		})
	}
	all.Wait()
	c.about.Samples = append(c.about.Samples, samples...)
}

// held gives a process's open files and resident memory, as far as the system tells.
func held(pid int) (fds int, rss int64) {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return 0, 0
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return len(entries), 0
	}
	var size, pages int64
	if _, err := fmt.Sscan(string(text), &size, &pages); err != nil {
		return len(entries), 0
	}
	return len(entries), pages * int64(os.Getpagesize())
}

var goroutineTotal = regexp.MustCompile(`^goroutine profile: total (\d+)`)

// parked is what a goroutine of a service does that waits for its next command. A busy moment
// leaves some, up to a fixed number, by design: they are no leak.
const parked = "gamehall/shared/bus.(*pool).work+"

// goroutines asks a process how many it has, but for those that are parked; 0 when it does not
// tell.
func goroutines(ctx context.Context, addr string) int {
	if addr == "" {
		return 0
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/debug/pprof/goroutine?debug=1", http.NoBody)
	if err != nil {
		return 0
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	profile, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	if err != nil {
		return 0
	}
	return countGoroutines(string(profile))
}

// countGoroutines reads a profile of goroutines: a total, then for each stack how many have it and
// its frames, the innermost first.
func countGoroutines(profile string) int {
	m := goroutineTotal.FindStringSubmatch(profile)
	if m == nil {
		return 0
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		return 0
	}
	for stack := range strings.SplitSeq(profile, "\n\n") {
		lines := strings.Split(strings.TrimSpace(stack), "\n")
		if m := goroutineTotal.FindString(lines[0]); m != "" {
			lines = lines[1:]
		}
		var same int
		if len(lines) < 2 || !strings.Contains(lines[1], parked) {
			continue
		}
		if _, err := fmt.Sscanf(lines[0], "%d @", &same); err == nil {
			n -= same
		}
	}
	return n
}

// scan looks through the logs of all processes.
func (c *checking) scan() error {
	password, err := c.hall.adminPassword()
	if err != nil {
		return err
	}
	secrets := append(c.crowd.Secrets(), password)
	for _, name := range c.hall.order {
		found, err := scanLog(name, c.hall.processes[name].log, secrets)
		if err != nil {
			return err
		}
		c.about.Findings = append(c.about.Findings, found...)
		c.about.Scanned = append(c.about.Scanned, name)
	}
	return nil
}

// words are the shapes of tokens and passwords in a log.
var words = regexp.MustCompile(`[A-Za-z0-9_-]{12,}`)

// scanLog finds panics, race reports and secrets in the log of a process.
func scanLog(process, path string, secrets []string) ([]history.Finding, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	known := map[string]bool{}
	for _, s := range secrets {
		known[s] = true
	}
	var found []history.Finding
	in := bufio.NewScanner(f)
	in.Buffer(make([]byte, 64<<10), 16<<20)
	for n := 1; in.Scan(); n++ {
		line := in.Text()
		kind := ""
		switch {
		case strings.HasPrefix(line, "panic:"), strings.HasPrefix(line, "fatal error:"), strings.Contains(line, "panic="), strings.Contains(line, "[signal SIG"):
			kind = history.Panic
		case strings.Contains(line, "WARNING: DATA RACE"):
			kind = history.Race
		default:
			for _, w := range words.FindAllString(line, -1) {
				if known[w] || strings.Contains(w, secret) {
					kind = history.Secret
				}
			}
		}
		if kind != "" {
			where := filepath.Base(path) + ":" + strconv.Itoa(n)
			found = append(found, history.Finding{Kind: kind, Process: process, Where: where, Text: line})
		}
	}
	return found, in.Err()
}
