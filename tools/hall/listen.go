package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strconv"
	"strings"
	"syscall"
)

// listen is an address to listen on.
type listen struct {
	host string
	port int
}

// UnmarshalText reads host:port. An empty host is every address of the machine, port 0 one
// that is free.
func (l *listen) UnmarshalText(text []byte) error {
	host, port, err := net.SplitHostPort(string(text))
	if err != nil {
		return fmt.Errorf("%q is not host:port", text)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return fmt.Errorf("%q has no port from 0 to 65535", text)
	}
	l.host, l.port = host, int(n)
	return nil
}

func (l listen) String() string { return net.JoinHostPort(l.host, strconv.Itoa(l.port)) }

// loopback tells whether only this machine can connect.
func (l listen) loopback() bool { return loopbackHost(l.host) }

// loopbackHost tells whether host is this machine for itself. Of names only localhost is:
// what another one means may change.
func loopbackHost(host string) bool {
	ip := net.ParseIP(host)
	return ip.IsLoopback() || strings.EqualFold(host, "localhost")
}

// reachable is where an address of ours is reached from this machine.
func reachable(address string) (host, port string) {
	host, port, _ = net.SplitHostPort(address) // a listener made it
	if ip := net.ParseIP(host); ip.IsUnspecified() {
		host = "localhost"
	}
	return host, port
}

// free tells why nobody can listen there, where flag says. It is asked before anything is
// started; that somebody else is faster shows when we really listen.
func free(ctx context.Context, flag string, at listen) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", at.String())
	if err != nil {
		return unlistened(flag, at, err)
	}
	return l.Close()
}

// unlistened is the error of a listener, with what to do.
func unlistened(flag string, at listen, err error) error {
	var unknown *net.DNSError
	advice := "choose another address with " + flag
	switch {
	case errors.As(err, &unknown):
		advice = "its host must be an address of this machine, such as 127.0.0.1, or 0.0.0.0 for all of them"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		advice = "this machine has no such address: choose 127.0.0.1, another one that it has, or 0.0.0.0 for all of them"
	case errors.Is(err, fs.ErrPermission):
		advice = "ports below 1024 are often for root only: choose a higher one"
	case errors.Is(err, syscall.EADDRINUSE):
		advice = "stop what listens there, or " + advice
	}
	return fmt.Errorf("%s %s: %w: %s", flag, at, err, advice)
}
