package cluster_test

import (
	"fmt"

	"gamehall/tools/cluster"
)

func Example() {
	plan := cluster.Plan(cluster.Config{
		Dir:  "data",
		TCP:  cluster.Address{Host: "127.0.0.1", Port: 7021},
		HTTP: cluster.Address{Host: "127.0.0.1", Port: 7080},
		NATS: cluster.Address{Host: "127.0.0.1", Port: 4221}, Routes: cluster.Address{Host: "127.0.0.1", Port: 6221},
	})
	for _, p := range plan {
		fmt.Print(p.Name, " ")
	}
	// Output: n1 n2 n3 auth-1 auth-2 account-1 account-2 chat-1 chat-2 room-1 room-2 game21-1 game21-2 edge1 edge2
}
