package edge_test

import (
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"net/http"

	"gamehall/shared/natstest"
)

// frameClient speaks frames.
type frameClient struct {
	t  *testing.T
	nc net.Conn
}

func (h *hall) frames(t *testing.T) *frameClient {
	t.Helper()
	nc, err := new(net.Dialer).DialContext(natstest.Context(t), "tcp", h.edge.TCPAddr().String())
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	return &frameClient{t: t, nc: nc}
}

func (c *frameClient) send(object string) {
	c.t.Helper()
	b := binary.BigEndian.AppendUint32(nil, uint32(len(object)))
	if _, err := c.nc.Write(append(b, object...)); err != nil {
		c.t.Fatal(err)
	}
}

func (c *frameClient) next() string {
	c.t.Helper()
	_ = c.nc.SetReadDeadline(time.Now().Add(natstest.Wait))
	var size [4]byte
	if _, err := io.ReadFull(c.nc, size[:]); err != nil {
		c.t.Fatalf("read: %v", err)
	}
	b := make([]byte, binary.BigEndian.Uint32(size[:]))
	if _, err := io.ReadFull(c.nc, b); err != nil {
		c.t.Fatalf("read: %v", err)
	}
	return string(b)
}

func TestDoors(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	ann := h.signIn(t, "ann")
	bob := h.frames(t)
	bob.send(`{"id":"1","type":"signin","username":"bob","password":"123"}`)
	t.Log(bob.next())
	ann.want("system: bob joined the hall")
	d := ws.Dialer{Protocols: []string{"hall.v1"}, Header: ws.HandshakeHeaderHTTP(http.Header{"Origin": {"http://" + h.edge.HTTPAddr().String()}})}
	nc, _, _, err := d.Dial(natstest.Context(t), "ws://"+h.edge.HTTPAddr().String()+"/ws")
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if err := wsutil.WriteClientText(nc, []byte(`{"id":"1","type":"signin","username":"cat","password":"123"}`)); err != nil {
		t.Fatal(err)
	}
	b, err := wsutil.ReadServerText(nc)
	t.Log(string(b), err)
	t.Log(bob.next())
	ann.want("system: cat joined the hall")
	if err := wsutil.WriteClientText(nc, []byte(`{"id":"2","type":"say","text":"hi"}`)); err != nil {
		t.Fatal(err)
	}
	ann.want("cat: hi")
	for range 2 {
		b, err := wsutil.ReadServerText(nc)
		t.Log(string(b), err)
	}
	t.Log(bob.next())
	bob.send(`{"id":"2","type":"nope"}`)
	t.Log(bob.next())
	if err := ws.WriteFrame(nc, ws.MaskFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(1000, "")))); err != nil {
		t.Fatal(err)
	}
	hd, err := ws.ReadHeader(nc)
	t.Log(hd, err)
}
