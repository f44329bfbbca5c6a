package auth

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"gamehall/shared/fault"
)

func TestParseParams(t *testing.T) {
	t.Parallel()
	for _, good := range []string{DefaultHash, cheap, "m=128,t=64,p=16", "m=1048576,t=1,p=1"} {
		p, err := parseParams(good)
		if err != nil || p.String() != good {
			t.Errorf("parseParams(%q) = %v, %v", good, p, err)
		}
	}
	for _, bad := range []string{
		"", "m=19456", "m=19456,t=2", "t=2,m=19456,p=1", "m=19456,t=2,p=1,", " m=19456,t=2,p=1", "m=019456,t=2,p=1",
		"m=0,t=2,p=1", "m=19456,t=0,p=1", "m=19456,t=2,p=0", "m=7,t=1,p=1", "m=15,t=1,p=2", "m=1048577,t=1,p=1",
		"m=19456,t=65,p=1", "m=19456,t=2,p=17", "m=-8,t=1,p=1", "m=99999999999,t=1,p=1", "M=8,t=1,p=1", "m=8,t=1,p=1\n",
	} {
		if p, err := parseParams(bad); err == nil {
			t.Errorf("parseParams(%q) = %v, want an error", bad, p)
		}
	}
}

func TestHashRoundTrip(t *testing.T) {
	t.Parallel()
	h := newHasher(params{memory: 16, time: 2, threads: 2}, 1)
	stored := h.hash("correct horse")
	if !strings.HasPrefix(stored, "$argon2id$v=19$m=16,t=2,p=2$") {
		t.Errorf("stored as %q", stored)
	}
	if again := h.hash("correct horse"); again == stored {
		t.Error("two hashes of one password are equal: no salt")
	}
	read, err := parsePHC(stored)
	if err != nil || read.String() != stored || len(read.salt) != saltSize || len(read.key) != keySize {
		t.Errorf("parsePHC(%q) = %v, %v", stored, read, err)
	}
	// Another cost in the settings: what is stored says how it was made.
	other := newHasher(params{memory: 8, time: 1, threads: 1}, 1)
	for password, want := range map[string]bool{"correct horse": true, "correct horsf": false, "": false} {
		if got, err := other.fits(password, stored); err != nil || got != want {
			t.Errorf("fits(%q) = %v, %v; want %v", password, got, err, want)
		}
	}
	if got, err := other.fits("correct horse", ""); got || err != nil {
		t.Errorf("no account: fits = %v, %v", got, err)
	}
}

// The reference implementation's own vector (phc-winner-argon2, test.c: version 19, t=2,
// m=2^8, p=1), so that hashes of other programs are understood.
func TestFitsTheReference(t *testing.T) {
	t.Parallel()
	const stored = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
	h := newHasher(params{memory: 8, time: 1, threads: 1}, 1)
	if fits, err := h.fits("password", stored); !fits || err != nil {
		t.Errorf("fits = %v, %v", fits, err)
	}
}

func TestParsePHCRefuses(t *testing.T) {
	t.Parallel()
	good := newHasher(params{memory: 8, time: 1, threads: 1}, 1).hash("x")
	for _, bad := range []string{
		"", "x", strings.Replace(good, "argon2id", "argon2i", 1), strings.Replace(good, "v=19", "v=16", 1),
		strings.Replace(good, "m=8", "m=999999999", 1), good + "=", good + "$", good + "\n", good[:len(good)-30],
		"$argon2id$v=19$m=8,t=1,p=1$$", "$argon2id$v=19$m=8,t=1,p=1$c29t*ZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5",
	} {
		if h, err := parsePHC(bad); err == nil {
			t.Errorf("parsePHC(%q) = %v, want an error", bad, h)
		}
	}
}

// Two hash, 32 wait, the 35th is refused at once; whoever is patient waits too.
func TestQueueIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHasher(params{memory: 8, time: 1, threads: 1}, hashesMost)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		release := make(chan struct{})
		var at, most, ran atomic.Int64
		var all sync.WaitGroup
		hashing := func() error {
			now := at.Add(1)
			for old := most.Load(); now > old && !most.CompareAndSwap(old, now); old = most.Load() {
			}
			<-release
			at.Add(-1)
			ran.Add(1)
			return nil
		}
		enter := func(n int, patient bool) {
			for range n {
				all.Go(func() {
					if err := h.in(ctx, patient, hashing); err != nil {
						t.Errorf("patient %v: %v", patient, err)
					}
				})
			}
			synctest.Wait()
		}
		enter(hashesMost, false)
		enter(queueMost, false)
		wantCode(t, h.in(ctx, false, hashing), fault.Unavailable)
		enter(100, true)
		wantCode(t, h.in(ctx, false, hashing), fault.Unavailable)

		impatient, gone := context.WithCancel(ctx)
		gone()
		wantCode(t, h.in(impatient, true, hashing), fault.Unavailable)

		close(release)
		all.Wait()
		if n := ran.Load(); n != hashesMost+queueMost+100 || most.Load() > hashesMost {
			t.Errorf("%d ran, at most %d at a time; want %d, %d", n, most.Load(), hashesMost+queueMost+100, hashesMost)
		}
		broken := errors.New("broken")
		if err := h.in(ctx, false, func() error { return broken }); !errors.Is(err, broken) {
			t.Errorf("the error of what runs: %v", err)
		}
		if err := h.in(ctx, false, func() error { return nil }); err != nil {
			t.Errorf("a place is free again: %v", err)
		}
	})
}
