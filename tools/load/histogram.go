package load

import (
	"math/bits"
	"time"
)

// A histogram counts durations in steps of at most 1/32 of their size, from 1 µs to over an
// hour. The zero histogram is empty.
type histogram struct {
	counts [histogramSteps * histogramDoublings]uint64
	n      uint64
	most   time.Duration
}

const (
	histogramSteps     = 32 // of each doubling
	histogramDoublings = 28
)

// add counts d.
func (h *histogram) add(d time.Duration) {
	h.counts[histogramSlot(d)]++
	h.n++
	h.most = max(h.most, d)
}

func histogramSlot(d time.Duration) int {
	us := uint64(max(d, 0) / time.Microsecond)
	if us < histogramSteps {
		return int(us)
	}
	doubling := bits.Len64(us) - bits.Len(histogramSteps-1) // at least 1
	slot := doubling*histogramSteps + int(us>>(doubling-1)) - histogramSteps
	return min(slot, histogramSteps*histogramDoublings-1)
}

// histogramValue is the middle of a slot.
func histogramValue(slot int) time.Duration {
	if slot < histogramSteps {
		return time.Duration(slot)*time.Microsecond + time.Microsecond/2
	}
	doubling := slot / histogramSteps
	low := uint64(slot%histogramSteps+histogramSteps) << (doubling - 1)
	width := uint64(1) << (doubling - 1)
	return time.Duration(low)*time.Microsecond + time.Duration(width)*time.Microsecond/2
}

// quantile is the duration that the share q of all does not exceed; 0 if there are none.
func (h *histogram) quantile(q float64) time.Duration {
	if h.n == 0 {
		return 0
	}
	rank := uint64(q * float64(h.n))
	sum := uint64(0)
	for slot := range h.counts {
		sum += h.counts[slot]
		if sum > rank {
			return min(histogramValue(slot), h.most)
		}
	}
	return h.most
}
