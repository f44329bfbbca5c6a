package streams_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"gamehall/shared/fault"
	"gamehall/shared/natstest"
	"gamehall/shared/streams"
)

// A Retry within a Retry ends with its attempt; the outer one has its own time.
func TestRetryWithinRetry(t *testing.T) {
	t.Parallel()
	tries := 0
	err := streams.Retry(natstest.Context(t), func(ctx context.Context) error {
		if tries++; tries == 2 {
			return nil
		}
		return streams.Retry(ctx, func(ctx context.Context) error {
			<-ctx.Done() // nobody answers
			return ctx.Err()
		})
	})
	if err != nil || tries != 2 {
		t.Errorf("%d tries, error %v; want the second one to be made", tries, err)
	}
	short, cancel := context.WithTimeout(natstest.Context(t), 10*time.Millisecond)
	defer cancel()
	err = streams.Retry(short, func(context.Context) error { return context.DeadlineExceeded })
	if fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("error %v, want unavailable", err)
	}
	// People are told nothing of Go; who logs it is told all.
	f, _ := fault.From(err)
	if want := "the hall's memory does not answer, please try again"; f.Message != want {
		t.Errorf("people are told %q, want %q", f.Message, want)
	}
	if !strings.Contains(err.Error(), context.DeadlineExceeded.Error()) {
		t.Errorf("the log is told %q", err)
	}
}
