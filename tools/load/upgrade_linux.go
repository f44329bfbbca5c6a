package load

import (
	"bytes"
	"fmt"
)

// upgraded looks for the end of the answer to the upgrade, and gives how long it is; 0 when it is
// not whole.
func (f *fleet) upgraded(i int, data []byte) (int, error) {
	end := bytes.Index(data, []byte("\r\n\r\n"))
	if end < 0 {
		return 0, nil
	}
	if !bytes.HasPrefix(data, []byte("HTTP/1.1 101 ")) {
		return 0, fmt.Errorf("client %d: the server refuses a WebSocket: %.80q", i, data)
	}
	f.become(i, open)
	return end + len("\r\n\r\n"), nil
}
