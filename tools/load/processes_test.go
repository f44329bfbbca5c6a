package load

import (
	"os"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	t.Parallel()
	// proc(5): the name may have blanks and parentheses in it.
	text := "4242 (a (b) c) S 17 4242 4242 0 -1 4194560 9000 12 3 0 250 50 7 3 20 0 9 0 1000 123456789 2048 18446744073709551615 1 1 0"
	got, err := parseStat([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	want := stat{parent: 17, cpu: 3100 * time.Millisecond, rss: 2048 * os.Getpagesize()}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for _, text := range []string{"", "1 (x", "1 (x) S 1 2", "1 (x) S a b c d e f g h i j k l m n o p q r s t u v w"} {
		if got, err := parseStat([]byte(text)); err == nil {
			t.Errorf("%q is read as %+v", text, got)
		}
	}
}

// What this process burns is seen, and a process that is not there is an error.
func TestUsage(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("no /proc")
	}
	ours := Processes{os.Getpid()}
	before, err := ours.usage()
	if err != nil {
		t.Fatal(err)
	}
	if before.rss < 1<<20 {
		t.Errorf("this test runs in %d bytes", before.rss)
	}
	sum := 0
	for deadline := time.Now().Add(10 * time.Second); ; {
		for i := range 1 << 22 {
			sum += i * i
		}
		now, err := ours.usage()
		if err != nil {
			t.Fatal(err)
		}
		if now.cpu >= before.cpu+5*tick {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("after 10 s of work (%d): %s, before %s", sum, now.cpu, before.cpu)
		}
	}
	if got, err := (Processes{1 << 30}).usage(); err == nil {
		t.Errorf("of no process: %+v", got)
	}
}

func TestParseBusy(t *testing.T) {
	t.Parallel()
	// user, nice, system, idle, iowait, irq, softirq, steal, guest, guest_nice
	got, err := parseBusy([]byte("cpu  100 20 30 4000 500 6 7 8 9 10\ncpu0 1 2 3 4 5 6 7 8 9 10\n"))
	if want := 171 * tick; err != nil || got != want {
		t.Errorf("got %s (error: %v), want %s", got, err, want)
	}
	if _, err := parseBusy([]byte("intr 5")); err == nil {
		t.Error("anything is read")
	}
}
