package main

import (
	"bufio"
	"net"
	"testing"
)

// TestResumeFromElsewhere: a token works from whatever address its client has by now, here another
// one of loopback's, which Linux has without being asked.
func TestResumeFromElsewhere(t *testing.T) {
	t.Parallel()
	h := openTwoEdges(t)
	v := travel(t, dialFrames(t, h.at[0].tcp), "netease1")
	v.lose()
	from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	nc, err := from.DialContext(t.Context(), "tcp", h.at[0].tcp)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	v.resume(&program{t: t, nc: nc, in: bufio.NewReader(nc)}, v.sinceJSON())
	h.tell(t, "lobby", "", 0, 1)
	v.until(1, "lobby")
}
