package check

import "testing"

// Who waits for a command is no leak, who carries one out may be.
func TestCountGoroutines(t *testing.T) {
	t.Parallel()
	const frame = "#\t0xde9019\tgamehall/shared/bus.(*pool).work+0x139\t/hall/shared/bus/pool.go:109\n"
	profile := "goroutine profile: total 60\n" +
		"51 @ 0x4916ee 0x4204ce\n" + frame + "\n" +
		"6 @ 0x4916ee 0x4932f3\n#\t0x4932f2\tgamehall/services/auth.(*Service).signIn+0x10\t/hall/services/auth/signin.go:9\n" + frame + "\n" +
		"3 @ 0x4916ee\n\n"
	if got := countGoroutines(profile); got != 9 {
		t.Errorf("%d, want 9", got)
	}
	first := "goroutine profile: total 5\n4 @ 0x1\n" + frame
	if got := countGoroutines(first); got != 1 {
		t.Errorf("parked alone: %d, want 1", got)
	}
	if got := countGoroutines("404 page not found"); got != 0 {
		t.Errorf("no profile: %d", got)
	}
}
