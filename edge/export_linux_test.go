package edge

// Descriptors gives those of the connections that the edge waits for itself.
func (e *Edge) Descriptors() (all []int) {
	for _, c := range e.sessions.all() {
		if s, ok := c.sock.(*rawSocket); ok {
			all = append(all, s.fd)
		}
	}
	return all
}
