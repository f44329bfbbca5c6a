package natstest_test

import (
	"context"
	"fmt"
	"testing"

	"gamehall/shared/accountapi"
	"gamehall/shared/bus"
	"gamehall/shared/natstest"
)

func Example() {
	natstest.Example(func(t testing.TB) {
		t.Helper()
		ns := natstest.Run(t)
		natstest.Answer(t, ns, accountapi.OnlineTime, func(context.Context, accountapi.OnlineTimeRequest) (accountapi.OnlineTimeResponse, error) {
			return accountapi.OnlineTimeResponse{Seconds: 580}, nil
		})
		resp, err := accountapi.OnlineTime.Call(bus.As(t.Context(), "ann"), ns.Connect(t), accountapi.OnlineTimeRequest{})
		fmt.Println(resp.Seconds, err)
	})
	// Output: 580 <nil>
}
