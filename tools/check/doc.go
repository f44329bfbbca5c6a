// Package check starts the hall as real processes, breaks them, and looks whether what the
// hall promises held: hall check. [Run] is all of it.
//
// A run is three NATS servers in a cluster, two edges and two copies of each service, each a
// process of its own in a temporary folder, and a crowd of clients that do all that clients
// can do and write down what they asked, were answered and were told (package history).
// Between every process and each NATS server, between the servers, and between each client
// and each edge stands a link that can be cut or held (package proxy). A schedule, drawn from
// a seed, says what breaks when: processes are killed, asked to stop, frozen; links are held,
// cut, slow. What died is started again. In the end everything is healed, the clients wait
// until they have heard everything, the processes are drained, and the streams are read from
// each NATS server. Package verify then judges the history.
//
// What clients cannot see is heard by a spy: which edge is given which whisper. That a run would
// notice a defect of the hall is tried by package mutants.
//
// The same seed gives the same schedule. The hall's own timing is the machine's, so a run that
// failed need not fail again; its folder is kept.
package check
