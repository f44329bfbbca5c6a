package load

import (
	"testing"
	"time"
)

// A quantile is within a step of what was counted, whatever its size.
func TestHistogramSteps(t *testing.T) {
	t.Parallel()
	for _, d := range []time.Duration{
		0, time.Microsecond, 31 * time.Microsecond, 32 * time.Microsecond, 33 * time.Microsecond, 63 * time.Microsecond,
		64 * time.Microsecond, time.Millisecond, 6543 * time.Microsecond, time.Second, 100 * time.Second,
	} {
		var h histogram
		h.add(d)
		h.add(2 * time.Hour) // so that the most is not what bounds it
		got := h.quantile(0.25)
		if off := (got - d).Abs(); off > d/32+time.Microsecond {
			t.Errorf("%s is told as %s", d, got)
		}
	}
}

func TestHistogramQuantiles(t *testing.T) {
	t.Parallel()
	var h histogram
	if got := h.quantile(0.5); got != 0 {
		t.Errorf("of none: %s", got)
	}
	for i := range 1000 {
		h.add(time.Duration(i+1) * time.Millisecond)
	}
	tests := []struct {
		q    float64
		want time.Duration
	}{{0, time.Millisecond}, {0.5, 501 * time.Millisecond}, {0.99, 991 * time.Millisecond}, {1, time.Second}}
	for _, tt := range tests {
		if got := h.quantile(tt.q); (got - tt.want).Abs() > tt.want/32+time.Microsecond {
			t.Errorf("quantile %v: %s, want %s", tt.q, got, tt.want)
		}
	}
}
