package bus_test

import (
	"context"
	"fmt"
	"testing"

	"gamehall/shared/bus"
	"gamehall/shared/fault"
	"gamehall/shared/natstest"
)

// Cheer is a contract: a method's subject and its types, written once.
const Cheer bus.Method[CheerRequest, CheerResponse] = "hall.example.cheer"

// CheerRequest is how often.
type CheerRequest struct {
	Times int `json:"times"`
}

// Validate is called before the handler.
func (r CheerRequest) Validate() error {
	if r.Times < 1 || r.Times > 3 {
		return fault.New(fault.BadRequest, "times must be 1 to 3")
	}
	return nil
}

// CheerResponse is the cheer.
type CheerResponse struct {
	Cheer string `json:"cheer"`
}

func Example() {
	natstest.Example(func(t testing.TB) {
		t.Helper()
		ns, ctx := natstest.RunBare(t), natstest.Context(t)
		svc, err := bus.NewService(ctx, bus.Config{Name: "example", Dialer: ns.Dialer()})
		if err != nil {
			t.Fatal(err)
		}
		err = bus.Handle(svc, Cheer, func(_ context.Context, r CheerRequest) (CheerResponse, error) {
			return CheerResponse{Cheer: fmt.Sprint(r.Times, " times hooray")}, nil
		}, bus.Anyone())
		if err != nil {
			t.Fatal(err)
		}
		if err := svc.Ready(ctx); err != nil {
			t.Fatal(err)
		}

		nc := ns.Connect(t)
		resp, err := Cheer.Call(ctx, nc, CheerRequest{Times: 3})
		fmt.Println(resp.Cheer, err)
		_, err = Cheer.Call(ctx, nc, CheerRequest{Times: 4})
		fmt.Println(fault.CodeOf(err), err)

		if err := svc.Stop(ctx); err != nil {
			t.Fatal(err)
		}
	})
	// Output:
	// 3 times hooray <nil>
	// bad_request times must be 1 to 3
}
