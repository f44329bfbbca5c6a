package game21

import (
	"testing"
	"time"
)

// utc reads "2006-01-02 15:04:05".
func utc(t testing.TB, s string) time.Time {
	t.Helper()
	at, err := time.Parse(time.DateTime, s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestFullPeriod(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		at     string // UTC
		period time.Duration
		zone   string
		want   string // UTC
	}{
		{"within the hour", "2026-11-20 10:59:59", time.Hour, "UTC", "2026-11-20 11:00:00"},
		{"on the hour is the next", "2026-11-20 11:00:00", time.Hour, "UTC", "2026-11-20 12:00:00"},
		{"over midnight", "2026-12-31 23:30:00", time.Hour, "UTC", "2027-01-01 00:00:00"},
		{"short", "2026-11-20 10:59:59", 8 * time.Second, "UTC", "2026-11-20 11:00:00"},
		{"a period that does not divide the day", "2026-11-20 23:00:00", 7 * time.Hour, "UTC", "2026-11-21 00:00:00"},
		{"and starts anew", "2026-11-21 00:00:00", 7 * time.Hour, "UTC", "2026-11-21 07:00:00"},
		{"half an hour off", "2026-11-20 10:10:00", time.Hour, "Asia/Kolkata", "2026-11-20 10:30:00"},
		{"a day is the zone's", "2026-11-20 10:10:00", 24 * time.Hour, "Asia/Kolkata", "2026-11-20 18:30:00"},
		{"a week", "2026-11-20 10:10:00", 7 * 24 * time.Hour, "UTC", "2026-11-23 00:00:00"}, // Monday, as the zero time
		// Berlin went from 02:00 to 03:00 at 01:00 UTC on 29 March 2026 …
		{"before clocks go forward", "2026-03-29 00:30:00", time.Hour, "Europe/Berlin", "2026-03-29 01:00:00"},
		{"an hour is left out", "2026-03-29 00:30:00", 2 * time.Hour, "Europe/Berlin", "2026-03-29 02:00:00"},
		{"midnight after it", "2026-03-28 23:30:00", 24 * time.Hour, "Europe/Berlin", "2026-03-29 22:00:00"},
		// … and from 03:00 to 02:00 at 01:00 UTC on 25 October.
		{"before clocks go back", "2026-10-25 00:30:00", time.Hour, "Europe/Berlin", "2026-10-25 01:00:00"},
		{"an hour comes twice", "2026-10-25 01:00:00", time.Hour, "Europe/Berlin", "2026-10-25 02:00:00"},
		{"midnight after that", "2026-10-24 22:30:00", 24 * time.Hour, "Europe/Berlin", "2026-10-25 23:00:00"},
		// Lord Howe Island moves by half an hour, to 01:30 at 15:00 UTC on 4 April.
		{"half an hour back", "2026-04-04 14:45:00", time.Hour, "Australia/Lord_Howe", "2026-04-04 15:30:00"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			zone, err := time.LoadLocation(tt.zone)
			if err != nil {
				t.Fatal(err)
			}
			got := fullPeriod(utc(t, tt.at), tt.period, zone)
			if want := utc(t, tt.want); !got.Equal(want) {
				t.Errorf("after %s in %s: %v (%v), want %v", tt.at, tt.zone, got, got.In(zone), want)
			}
		})
	}
}

func TestStart(t *testing.T) {
	t.Parallel()
	ready := utc(t, "2026-11-20 10:15:00")
	tests := []struct {
		name  string
		first time.Duration
		now   time.Duration // after ready
		want  string
	}{
		{"on the hour", 0, time.Second, "2026-11-20 11:00:00"},
		{"first", 2 * time.Second, time.Second, "2026-11-20 10:15:02"},
		{"first has passed", 2 * time.Second, time.Minute, "2026-11-20 10:16:02"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := pace{period: time.Hour, first: tt.first, zone: time.UTC}
			if got := p.start(ready, ready.Add(tt.now)); !got.Equal(utc(t, tt.want)) {
				t.Errorf("%v, want %s", got, tt.want)
			}
		})
	}
}

func TestFollowing(t *testing.T) {
	t.Parallel()
	const h = time.Hour
	tests := []struct {
		name           string
		period, first  time.Duration
		planned        string
		opened, stored string // by the opener's and by the server's clock
		want           string
	}{
		{"the next hour", h, 0, "2026-11-20 11:00:00", "2026-11-20 11:00:00", "2026-11-20 11:00:00", "2026-11-20 12:00:00"},
		{"opened late", h, 0, "2026-11-20 11:00:00", "2026-11-20 11:00:20", "2026-11-20 11:00:20", "2026-11-20 12:00:00"},
		{"the opener is ahead of the server", h, 0, "2026-11-20 11:00:00", "2026-11-20 11:00:00", "2026-11-20 10:55:00", "2026-11-20 12:00:00"},
		{"the opener is behind the server", h, 0, "2026-11-20 11:00:00", "2026-11-20 11:00:00", "2026-11-20 11:05:00", "2026-11-20 12:00:00"},
		{"the round ends on the hour", h, 0, "2026-11-20 11:00:00", "2026-11-20 11:58:00", "2026-11-20 11:58:00", "2026-11-20 12:00:00"},
		{"the round ends after the hour", h, 0, "2026-11-20 11:00:00", "2026-11-20 11:59:00", "2026-11-20 11:59:00", "2026-11-20 13:00:00"},
		{"from the first", h, 1, "2026-11-20 10:15:02", "2026-11-20 10:15:02", "2026-11-20 10:15:02", "2026-11-20 11:15:02"},
		{"lateness does not add up", h, 1, "2026-11-20 10:15:02", "2026-11-20 10:15:20", "2026-11-20 10:15:20", "2026-11-20 11:15:02"},
		{"planned anew while it was being opened", h, 1, "2026-11-20 11:15:02", "2026-11-20 10:15:20", "2026-11-20 10:15:20", "2026-11-20 11:15:20"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := pace{period: tt.period, duration: 2 * time.Minute, first: tt.first, zone: time.UTC}
			o := Open{OpenedAt: utc(t, tt.opened), EndsAt: utc(t, tt.stored).Add(p.duration)}
			if got := p.following(utc(t, tt.planned), o); !got.Equal(utc(t, tt.want)) {
				t.Errorf("%v, want %s", got, tt.want)
			}
		})
	}
}

func TestTiming(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		period time.Duration
		first  time.Duration
		late   time.Duration // negative: it is to come
		up     time.Duration
		want   timing
		in     time.Duration
	}{
		{"to come", time.Hour, 0, -time.Minute, time.Hour, wait, time.Minute},
		{"due", time.Hour, 0, 0, time.Hour, start, 0},
		{"due as the copy starts", time.Hour, 0, 0, 0, start, 0},
		{"late for an election", time.Hour, 0, 20 * time.Second, time.Hour, start, 0},
		{"missed asleep", time.Hour, 0, 40 * time.Second, time.Hour, missed, 0},
		{"short periods are missed sooner", 8 * time.Second, 0, 5 * time.Second, time.Hour, missed, 0},
		{"past as the copy starts: others may be there", time.Hour, 0, 10 * time.Millisecond, 0, wait, time.Second},
		{"past by much: the same", time.Hour, 0, 10 * time.Hour, 400 * time.Millisecond, wait, 600 * time.Millisecond},
		{"nobody was there", time.Hour, 0, 10 * time.Hour, time.Second, missed, 0},
		{"a first round that is sooner than that", time.Hour, time.Second, 10 * time.Hour, 500 * time.Millisecond, missed, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			now := utc(t, "2026-11-20 11:00:00")
			p := pace{period: tt.period, first: tt.first, zone: time.UTC}
			got, in := p.timing(now.Add(-tt.late), now, tt.up)
			if got != tt.want || in != tt.in {
				t.Errorf("%v in %v, want %v in %v", got, in, tt.want, tt.in)
			}
		})
	}
}
