package verify_test

import (
	"strings"
	"testing"
	"time"

	"gamehall/tools/check/verify"
)

// A report is written with all that it has: times, too.
func TestReportAsJSON(t *testing.T) {
	t.Parallel()
	r := verify.Report{
		Verdict: verify.Violated, Broken: map[verify.ID]int{verify.I1: 2},
		Windows:   []verify.Window{{AckGap: time.Microsecond}},
		Latencies: []verify.Latency{{Of: "say", P99: time.Millisecond}},
	}
	data, err := r.JSON()
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"verdict": "violated"`, `"I1": 2`, `"ack_gap": 1000,`, `"p99": 1000000,`} {
		if !strings.Contains(string(data), part) {
			t.Errorf("%s is not in the report:\n%s", part, data)
		}
	}
}
