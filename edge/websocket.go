package edge

import (
	"encoding/base64"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/gobwas/ws"

	"gamehall/shared/fault"
)

// subprotocol is what a WebSocket client has to ask for: it tells that it speaks the hall's
// protocol, in this version.
const subprotocol = "hall.v1"

// upgrade makes a connection of a WebSocket handshake (RFC 6455, section 4.2). What is wrong
// is refused before the upgrade: an origin that is not this server's (CWE-1385), another
// subprotocol, too many connections.
func (e *Edge) upgrade(w http.ResponseWriter, r *http.Request) {
	if !e.originAllowed(r) {
		answer(w, http.StatusForbidden, "the Origin header must be this server's own (or one of --allow-origin)")
		return
	}
	if !offers(r, subprotocol) {
		answer(w, http.StatusBadRequest, "ask for the subprotocol "+subprotocol)
		return
	}
	if !goodKey(r) {
		answer(w, http.StatusBadRequest, "Sec-WebSocket-Key must be 16 bytes in base64")
		return
	}
	// Counted before the upgrade, so that a refusal is an HTTP answer.
	c := e.visitor(addrOf(r.RemoteAddr))
	if err := e.allowed(c); err != nil {
		status := http.StatusServiceUnavailable
		if fault.CodeOf(err) == fault.RateLimited {
			status = http.StatusTooManyRequests
		}
		answer(w, status, err.Error())
		return
	}
	upgrader := ws.HTTPUpgrader{Protocol: func(p string) bool { return p == subprotocol }}
	nc, rw, _, err := upgrader.Upgrade(r, w)
	if err != nil {
		e.addresses.close(c)
		e.log.Debug("no websocket", "addr", r.RemoteAddr, "error", err)
		if nc != nil {
			_ = nc.Close() // it was answered
		}
		return
	}
	if err := e.receive(c, nc); err != nil {
		e.log.Error("no websocket", "addr", r.RemoteAddr, "error", err)
		_ = nc.Close() // nothing was said yet
		return
	}
	c.dialect = messages
	e.speak(messages)
	in := &input{c: c}
	early, err := rw.Reader.Peek(rw.Reader.Buffered())
	if err != nil || !in.preload(early) {
		e.gone(c)
		return
	}
	e.run(c, in)
}

// originAllowed tells whether a page of the request's origin may connect. A client that is
// no browser sends the server's own address as its origin.
func (e *Edge) originAllowed(r *http.Request) bool {
	origin := r.Header.Values("Origin")
	if len(origin) != 1 {
		return false
	}
	u, err := url.Parse(origin[0])
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || origin[0] != u.Scheme+"://"+u.Host {
		return false // no origin as RFC 6454, section 6.2, writes it
	}
	if slices.Contains(e.cfg.AllowOrigins, origin[0]) {
		return true
	}
	return strings.EqualFold(u.Host, r.Host) && !rebound(r)
}

// rebound tells whether a request that came over loopback names another host: a page whose
// name was made to mean this machine (DNS rebinding) would be trusted like its user. A proxy
// on this machine needs --allow-origin.
func rebound(r *http.Request) bool {
	if !addrOf(r.RemoteAddr).IsLoopback() {
		return false
	}
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if strings.EqualFold(host, "localhost") {
		return false
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err != nil || !addr.Unmap().IsLoopback()
}

// goodKey tells whether the client sent a nonce of 16 bytes (RFC 6455, section 4.1), once. The
// library looks only at how long it is.
func goodKey(r *http.Request) bool {
	keys := r.Header.Values("Sec-WebSocket-Key")
	if len(keys) != 1 {
		return false
	}
	nonce, err := base64.StdEncoding.Strict().DecodeString(keys[0])
	return err == nil && len(nonce) == 16
}

// offers tells whether the client asks for the subprotocol.
func offers(r *http.Request, want string) bool {
	for _, header := range r.Header.Values("Sec-WebSocket-Protocol") {
		for p := range strings.SplitSeq(header, ",") {
			if strings.TrimSpace(p) == want {
				return true
			}
		}
	}
	return false
}
