package bus

import (
	"context"
	"time"
)

// DrainFor is how long a part that was told to stop answers what it had accepted.
const DrainFor = 5 * time.Second

// ServeUntil waits for ctx to end and then stops a part, which has [DrainFor] to answer what
// it had accepted. It is the second half of every part's Run.
func ServeUntil(ctx context.Context, stop func(context.Context) error) error {
	<-ctx.Done()
	draining, cancel := context.WithTimeout(context.WithoutCancel(ctx), DrainFor)
	defer cancel()
	return stop(draining)
}
