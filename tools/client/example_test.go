package client_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/go-json-experiment/json"

	"gamehall/shared/wire"
	"gamehall/tools/client"
)

// As a pipe the client can be scripted: commands in, the hall's lines out. This hall knows
// how to answer a ping, and no more.
func ExampleRun() {
	hall, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer hall.Close()
	go func() {
		conn, err := hall.Accept()
		if err != nil {
			return
		}
		frame, err := wire.ReadFrame(conn, wire.MaxLine)
		if err != nil {
			return
		}
		var ping struct {
			ID string `json:"id"`
		}
		_ = json.Unmarshal(frame, &ping)
		_, _ = conn.Write(wire.AppendFrame(nil, wire.ReplyObject(ping.ID, wire.Reply{Type: wire.Ping})))
	}()

	var out strings.Builder
	cfg := client.Config{Addr: hall.Addr().String()}
	if err := client.Run(context.Background(), cfg, strings.NewReader("/PING\n"), &out, os.Stderr); err != nil {
		fmt.Println(err)
	}
	_, text, _ := strings.Cut(out.String(), " system: ") // what is before it is the time
	fmt.Print(text)
	// Output: pong
}
