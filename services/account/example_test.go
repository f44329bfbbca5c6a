package account_test

import (
	"fmt"
	"testing"
	"time"

	"gamehall/services/account"
	"gamehall/shared/accountapi"
	"gamehall/shared/bus"
	"gamehall/shared/natstest"
)

func Example() {
	natstest.Example(func(t testing.TB) {
		t.Helper()
		ns := natstest.Run(t)
		ann := ns.SignIn(t, "netease1", "edge1")
		s, err := account.Start(t.Context(), account.Config{
			NATS: ns.Dialer(),
			Data: t.TempDir(),
			Bare: true,
			Log:  natstest.Quiet(),
			Now:  func() time.Time { return ann.Since.Add(580 * time.Second) },
		})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Stop(t.Context())

		nc, me := ns.Connect(t), bus.As(t.Context(), "netease1")
		online, err := accountapi.OnlineTime.Call(me, nc, accountapi.OnlineTimeRequest{})
		fmt.Println(online.Seconds, err)
		who, err := accountapi.Who.Call(me, nc, accountapi.WhoRequest{})
		fmt.Println(who.Total, who.Users[0].User, who.Users[0].State, err)
	})
	// Output:
	// 580 <nil>
	// 1 netease1 alive <nil>
}
