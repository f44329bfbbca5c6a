//go:build !linux

package edge

// poller is not there: each idle connection has a goroutine that waits for it.
type poller struct{}

func newParking() (*poller, error) { return nil, nil } //nolint:nilnil // there is none
func newClogged() (*poller, error) { return nil, nil } //nolint:nilnil // nor one for full sockets

func (p *poller) forget(*conn) {}
func (p *poller) run()         {}
func (p *poller) close()       {}
