package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"strconv"
	"sync/atomic"

	"golang.org/x/crypto/argon2"

	"gamehall/shared/fault"
)

// DefaultHash is argon2id as OWASP recommends it: 19 MiB, two passes, one lane; some 33 ms.
const DefaultHash = "m=19456,t=2,p=1"

// Sizes of what is stored, in bytes (RFC 9106 section 4).
const (
	saltSize = 16
	keySize  = 32
)

// queueMost is how many may wait for a hash: a second's work at 33 ms each.
const queueMost = 32

// hashesMost is how many passwords are hashed side by side.
const hashesMost = 2

// hashesDefault leaves a processor to everybody else, who would otherwise wait behind
// hashes for as long as a flood of sign-ins lasts.
func hashesDefault() int { return max(1, min(hashesMost, runtime.GOMAXPROCS(0)-1)) }

// params are argon2id's cost.
type params struct {
	memory, time uint32 // KiB, passes
	threads      uint8
}

var paramsForm = regexp.MustCompile(`^m=([1-9][0-9]{0,9}),t=([1-9][0-9]{0,9}),p=([1-9][0-9]{0,9})$`)

// The most that is accepted, so that a typing error cannot take the machine's memory.
const (
	memoryMost  = 1 << 20 // KiB: 1 GiB
	timeMost    = 64
	threadsMost = 16
)

// parseParams reads "m=19456,t=2,p=1" and nothing like it. argon2 needs 8 KiB for a lane.
func parseParams(s string) (params, error) {
	form := paramsForm.FindStringSubmatch(s)
	if form == nil {
		return params{}, fmt.Errorf("the password hash is %q, and not like %q (memory in KiB, passes, lanes)", s, DefaultHash)
	}
	var n [3]uint64
	for i := range n {
		n[i], _ = strconv.ParseUint(form[i+1], 10, 64) // ten digits always fit
	}
	if n[0] > memoryMost || n[1] > timeMost || n[2] > threadsMost || n[0] < 8*n[2] {
		return params{}, fmt.Errorf("the password hash is %q, out of range: m 8 for each p to %d, t 1 to %d, p 1 to %d",
			s, memoryMost, timeMost, threadsMost)
	}
	return params{memory: uint32(n[0]), time: uint32(n[1]), threads: uint8(n[2])}, nil
}

// String gives the params as parseParams reads them.
func (p params) String() string { return fmt.Sprintf("m=%d,t=%d,p=%d", p.memory, p.time, p.threads) }

// phc is a stored hash, which says how it was made.
type phc struct {
	params
	salt, key []byte
}

var phcForm = regexp.MustCompile(`^\$argon2id\$v=19\$([^$]*)\$([A-Za-z0-9+/]*)\$([A-Za-z0-9+/]*)$`)

// parsePHC reads $argon2id$v=19$m=…,t=…,p=…$salt$hash (the PHC string format).
func parsePHC(s string) (phc, error) {
	form := phcForm.FindStringSubmatch(s)
	if form == nil {
		return phc{}, errors.New("a stored hash is not of argon2id")
	}
	p, err := parseParams(form[1])
	if err != nil {
		return phc{}, err
	}
	salt, err := base64.RawStdEncoding.Strict().DecodeString(form[2])
	if err != nil {
		return phc{}, fmt.Errorf("a stored salt: %w", err)
	}
	key, err := base64.RawStdEncoding.Strict().DecodeString(form[3])
	if err != nil {
		return phc{}, fmt.Errorf("a stored hash: %w", err)
	}
	if len(salt) < 8 || len(key) < 16 {
		return phc{}, errors.New("a stored hash is too short")
	}
	return phc{params: p, salt: salt, key: key}, nil
}

// String gives h as parsePHC reads it.
func (h phc) String() string {
	return fmt.Sprintf("$argon2id$v=%d$%s$%s$%s", argon2.Version, h.params,
		base64.RawStdEncoding.EncodeToString(h.salt), base64.RawStdEncoding.EncodeToString(h.key))
}

// hasher hashes passwords, few at a time. Its methods may be called by several goroutines.
type hasher struct {
	params params
	nobody phc           // fits no password, for the same work when there is no account
	slots  chan struct{} // held while hashing
	queue  chan struct{} // held while waiting for a slot, by who need not be waited for
	made   atomic.Uint64 // hashes computed
}

func newHasher(p params, sideBySide int) *hasher {
	nobody := phc{params: p, salt: make([]byte, saltSize), key: make([]byte, keySize)}
	_, _ = rand.Read(nobody.salt) // crypto/rand.Read never fails since Go 1.24
	_, _ = rand.Read(nobody.key)
	return &hasher{
		params: p, nobody: nobody,
		slots: make(chan struct{}, sideBySide),
		queue: make(chan struct{}, queueMost),
	}
}

// in calls do when it may hash. It fails with unavailable at once when the queue is full,
// and when ctx ends before its turn; patient callers wait however long the queue is.
func (h *hasher) in(ctx context.Context, patient bool, do func() error) error {
	select {
	case h.slots <- struct{}{}:
	default:
		if err := h.wait(ctx, patient); err != nil {
			return err
		}
	}
	defer func() { <-h.slots }()
	return do()
}

func (h *hasher) wait(ctx context.Context, patient bool) error {
	if !patient {
		select {
		case h.queue <- struct{}{}:
			defer func() { <-h.queue }()
		default:
			return busy()
		}
	}
	select {
	case h.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return busy()
	}
}

func busy() error { return fault.New(fault.Unavailable, "busy, please try again") }

// hash gives what to store of a prepared password. Call it within in.
func (h *hasher) hash(password string) string {
	made := phc{params: h.params, salt: make([]byte, saltSize)}
	_, _ = rand.Read(made.salt)
	made.key = h.derive(password, made, keySize)
	return made.String()
}

// fits tells whether a prepared password is the one that was stored, in a time that does
// not depend on where they differ. An empty stored is that of an account that does not
// exist: the same work, and false. Call it within in.
func (h *hasher) fits(password, stored string) (bool, error) {
	have := h.nobody
	if stored != "" {
		var err error
		if have, err = parsePHC(stored); err != nil {
			return false, err
		}
	}
	key := h.derive(password, have, len(have.key))
	return subtle.ConstantTimeCompare(key, have.key) == 1 && stored != "", nil
}

func (h *hasher) derive(password string, as phc, size int) []byte {
	h.made.Add(1)
	return argon2.IDKey([]byte(password), as.salt, as.time, as.memory, as.threads, uint32(size))
}
