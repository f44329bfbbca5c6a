package client

import (
	"bufio"
	"fmt"
	"net"
	"sync"
	"time"

	"gamehall/shared/wire"
)

// The times of a connection, as the protocol has them.
const (
	pingEvery   = 10 * time.Second
	silenceMost = 30 * time.Second // without a byte from the server the connection is dead
	writeWithin = 10 * time.Second // a server that takes nothing for so long is dead, too
)

// pingID is the id of a heartbeat. Its reply is of no interest.
const pingID = "ping"

// conn is one connection to the edge. Two goroutines own its socket: one reads messages into
// in, the other writes frames and sends the heartbeat, whatever else goes on.
type conn struct {
	nc    net.Conn
	in    chan wire.Message // closed when the connection has ended; then err says why
	err   error
	first string // its first 4 bytes, once in is closed; empty when there were none
	out   chan []byte
	done  chan struct{} // closed by close
	once  sync.Once
	wg    sync.WaitGroup
}

func newConn(nc net.Conn) *conn {
	c := &conn{nc: nc, in: make(chan wire.Message, 16), out: make(chan []byte, 16), done: make(chan struct{})}
	c.wg.Go(c.read)
	c.wg.Go(c.write)
	return c
}

// send queues a command. What cannot be sent any more is dropped: the end of in tells.
func (c *conn) send(cmd wire.Command) {
	select {
	case c.out <- wire.AppendFrame(nil, wire.CommandObject(cmd)):
	case <-c.done:
	}
}

// close ends the connection and waits for both goroutines.
func (c *conn) close() {
	c.hangUp()
	c.wg.Wait()
}

func (c *conn) hangUp() {
	c.once.Do(func() {
		close(c.done)
		_ = c.nc.Close() // its end is all that is wanted
	})
}

func (c *conn) read() {
	defer close(c.in)
	defer c.hangUp()
	r := bufio.NewReaderSize(awake{c.nc}, 16<<10)
	first, err := r.Peek(4)
	c.first = string(first)
	if err != nil {
		c.err = err
		return
	}
	for {
		data, err := wire.ReadFrame(r, wire.MaxServerFrame)
		if err != nil {
			c.err = err
			return
		}
		m, err := wire.ParseMessage(data)
		if err != nil {
			c.err = fmt.Errorf("this does not speak as a hall: %w", err)
			return
		}
		select {
		case c.in <- m:
		case <-c.done:
			c.err = net.ErrClosed
			return
		}
	}
}

// awake reads from a connection, each time for as long as silence may last.
type awake struct{ nc net.Conn }

func (a awake) Read(p []byte) (int, error) {
	if err := a.nc.SetReadDeadline(time.Now().Add(silenceMost)); err != nil {
		return 0, err
	}
	return a.nc.Read(p)
}

func (c *conn) write() {
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	heartbeat := wire.AppendFrame(nil, wire.CommandObject(wire.Command{ID: pingID, Type: wire.Ping}))
	for {
		var data []byte
		select {
		case data = <-c.out:
		case <-ping.C:
			data = heartbeat
		case <-c.done:
			return
		}
		err := c.nc.SetWriteDeadline(time.Now().Add(writeWithin))
		if err == nil {
			_, err = c.nc.Write(data)
		}
		if err != nil {
			c.hangUp() // the reader sees that
			return
		}
	}
}
