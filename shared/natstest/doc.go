// Package natstest is a real NATS server inside a test: [Run] starts one without a port,
// with JetStream in the test's temporary folder, and it is gone with the test.
//
// A service under test gets [Server.Dialer]; a neighbour that it needs is played by
// [Answer], a user who is signed in by [Server.SignIn].
//
// [Server.Restart] and [Absent] are for what must outlive NATS, [RunCluster] for what must
// hold on three replicas.
package natstest
