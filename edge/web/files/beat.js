// A worker that ticks. Browsers let the timers of a hidden page run once a minute, and the
// hall takes a client for dead that is silent for 30 seconds; workers are not slowed.
setInterval(() => postMessage(0), 10_000);
