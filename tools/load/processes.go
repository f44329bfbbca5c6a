package load

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Processes are a server's, by id.
type Processes []int

// tick is the unit of CPU time in /proc: Linux tells it to programs as 1/100 s on every machine
// (USER_HZ, see proc(5)).
const tick = 10 * time.Millisecond

// stat is what the kernel says of one process.
type stat struct {
	parent int
	cpu    time.Duration // user and system, its own and of children that it has waited for
	rss    int           // bytes
}

// parseStat reads a line of /proc/PID/stat (proc(5)). The program's name stands in parentheses
// and may have anything in it.
func parseStat(text []byte) (stat, error) {
	at := bytes.LastIndexByte(text, ')')
	if at < 0 {
		return stat{}, fmt.Errorf("%.60q is no stat of a process", text)
	}
	fields := strings.Fields(string(text[at+1:])) // from the third on, the state
	const parent, utime, stime, cutime, cstime, rss = 1, 11, 12, 13, 14, 21
	if len(fields) <= rss {
		return stat{}, fmt.Errorf("%.60q is too short for a stat of a process", text)
	}
	var values [rss + 1]int64
	for _, i := range []int{parent, utime, stime, cutime, cstime, rss} {
		n, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return stat{}, fmt.Errorf("stat of a process: %w", err)
		}
		values[i] = n
	}
	return stat{
		parent: int(values[parent]),
		cpu:    time.Duration(values[utime]+values[stime]+values[cutime]+values[cstime]) * tick,
		rss:    int(values[rss]) * os.Getpagesize(),
	}, nil
}

// usage is what processes have used.
type usage struct {
	cpu time.Duration
	rss int // bytes
}

// usage sums the processes and all that descend from them. It fails when one of them is gone.
func (p Processes) usage() (usage, error) {
	all, err := readStats()
	if err != nil {
		return usage{}, err
	}
	ours := map[int]bool{}
	for _, pid := range p {
		if _, ok := all[pid]; !ok {
			return usage{}, fmt.Errorf("process %d is gone", pid)
		}
		ours[pid] = true
	}
	for grown := true; grown; {
		grown = false
		for pid, s := range all {
			if !ours[pid] && ours[s.parent] {
				ours[pid], grown = true, true
			}
		}
	}
	var sum usage
	for pid := range ours {
		sum.cpu += all[pid].cpu
		sum.rss += all[pid].rss
	}
	return sum, nil
}

func readStats() (map[int]stat, error) {
	paths, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	all := map[int]stat{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) || err != nil && strings.Contains(err.Error(), "no such process") {
			continue // it ended meanwhile
		}
		if err != nil {
			return nil, fmt.Errorf("read what processes use: %w", err)
		}
		s, err := parseStat(text)
		if err != nil {
			return nil, err
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			return nil, err
		}
		all[pid] = s
	}
	return all, nil
}

// busy is how much CPU time the whole machine has used since it started, all processors summed.
func busy() (time.Duration, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, fmt.Errorf("read what the machine uses: %w", err)
	}
	return parseBusy(text)
}

// parseBusy reads the first line of /proc/stat (proc(5)): user, nice, system, idle, iowait, irq,
// softirq, steal. Time that another machine stole is not there for us either.
func parseBusy(text []byte) (time.Duration, error) {
	first, _, _ := strings.Cut(string(text), "\n")
	fields := strings.Fields(first)
	if len(fields) < 9 || fields[0] != "cpu" {
		return 0, fmt.Errorf("%.60q is no stat of a machine", first)
	}
	sum := time.Duration(0)
	for i, field := range fields[1:9] {
		const idle, iowait = 3, 4
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("stat of the machine: %w", err)
		}
		if i != idle && i != iowait {
			sum += time.Duration(n) * tick
		}
	}
	return sum, nil
}
