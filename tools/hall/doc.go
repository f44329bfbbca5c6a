// Command hall is the program: it runs the hall, whole or in parts.
//
//	hall up            everything in one process, NATS embedded
//	hall run PART…     edge, auth, account, chat, room, game21: one or several, against --nats
//	hall nats          the embedded server alone, or as one of a cluster
//	hall cluster       what several machines would run, as processes of this one
//	hall keys DIR      nkeys for docker/nats.conf
//	hall health URL    health check of a container
//	hall client [ADDR] the terminal client
//
// Every flag has the environment variable of the same name: --game21-period is
// HALL_GAME21_PERIOD. What is logged goes to standard error; standard output tells people
// where to connect.
//
// It ends with 0 after Ctrl-C or SIGTERM, with 1 when something fails, and with 2 when it
// was called wrongly.
//
// # A cluster
//
// Three servers, each with a folder and a name of its own, and parts that know all of them.
// Whichever comes first makes the file with the administrator's password, and all the others
// read it; who starts too early waits.
//
//	R=127.0.0.1:6221,127.0.0.1:6222,127.0.0.1:6223
//	hall nats --nats-admin admin.txt --routes $R --name n1 --data n1 --nats-listen 127.0.0.1:4221 --cluster 127.0.0.1:6221
//	hall nats --nats-admin admin.txt --routes $R --name n2 --data n2 --nats-listen 127.0.0.1:4222 --cluster 127.0.0.1:6222
//	hall nats --nats-admin admin.txt --routes $R --name n3 --data n3 --nats-listen 127.0.0.1:4223 --cluster 127.0.0.1:6223
//	N=nats://127.0.0.1:4221,nats://127.0.0.1:4222,nats://127.0.0.1:4223
//	hall run auth account chat room game21 --replicas 3 --nats $N --nats-admin admin.txt
//	hall run edge                          --replicas 3 --nats $N --nats-admin admin.txt
//
// # Who owns what
//
// A [house] owns the parts: it starts them one after the other, and stops them, the edge
// first, so that nothing which was accepted is left unanswered. Each part has NATS
// connections and a database of its own. The embedded server is last to go.
package main
