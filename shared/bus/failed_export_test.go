package bus

// EndMicro ends what micro serves, as a failure would.
func (s *Service) EndMicro() { _ = s.micro.Stop() }
