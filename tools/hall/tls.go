package main

import "log/slog"

// tlsFlags are how the edge's ports speak TLS.
type tlsFlags struct {
	TLSCert string `name:"tls-cert" type:"path" placeholder:"FILE" help:"Certificate and its chain in PEM: with it both ports of the edge speak TLS, and nothing else." group:"Edge" part:"edge"`
	TLSKey  string `name:"tls-key" type:"path" placeholder:"FILE" help:"Key of --tls-cert in PEM." group:"Edge" part:"edge"`
}

func (f tlsFlags) check() error {
	switch {
	case f.TLSCert != "" && f.TLSKey == "":
		return wrongUse("--tls-cert needs --tls-key, the certificate's key")
	case f.TLSCert == "" && f.TLSKey != "":
		return wrongUse("--tls-key needs --tls-cert, the key's certificate")
	}
	return nil
}

func (f tlsFlags) secured() bool { return f.TLSCert != "" }

// warnPlain says so when passwords leave this machine for everybody on the way to read.
func (f *partFlags) warnPlain(log *slog.Logger) {
	if f.secured() || f.TCP.loopback() && f.HTTP.loopback() {
		return
	}
	log.Warn("players' passwords cross the network unencrypted: give --tls-cert and --tls-key, or put a proxy with TLS before it",
		"tcp", f.TCP.String(), "http", f.HTTP.String())
}
