//go:build !linux

package edge

// poller is not there: each idle connection has a goroutine that waits for it.
type poller struct{}

func newPoller() (*poller, error) { return nil, nil } //nolint:nilnil // there is none

func (p *poller) watch(int, *conn) bool { return false }
func (p *poller) forget(*conn)          {}
func (p *poller) run()                  {}
func (p *poller) close()                {}
