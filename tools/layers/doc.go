// Package layers is the test of who may import whom, and of every package having its
// comment. [Check] reads the Go files of a tree; `go test ./tools/layers` runs it on ours.
//
// Of our own code,
//
//   - a service imports shared, and nothing of another service, the edge or the tools;
//   - the edge imports shared and its own parts;
//   - shared imports shared: fault nothing; bus and name fault; a contract (shared/…api)
//     fault, bus, name and event; the rest what it likes;
//   - tools import all, and nobody but tools imports tools;
//   - shared/natstest and shared/storagetest are for test files, and for tools.
//
// Tests are held to the same, save that within shared they may use all of shared: a
// service's test plays its neighbours instead of importing them. Whatever lies outside
// services, edge, shared and tools is a fault, too, so that a new place gets its rule here.
package layers
