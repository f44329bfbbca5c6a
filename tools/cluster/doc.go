// Package cluster runs a hall as it runs on several machines, as processes of this one: three
// NATS servers, two edges, and two copies of each service. It is what hall cluster and task
// up:cluster start, and what docker/compose.yaml starts in containers.
//
// [Plan] says which processes there are and how each is called; [Run] keeps them running until
// its context ends: one that ends by itself is reported and started again a moment later. At
// the end the edges are stopped first, then the services, then NATS, so that nothing which was
// accepted is left unanswered.
//
// # Who owns what
//
// Run owns a goroutine for each process, which alone starts it, waits for it and stops it.
package cluster
