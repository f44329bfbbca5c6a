// Package edgeapi is what an edge answers to the services: what concerns one user goes to
// the edge that holds the session, as a method whose * is the edge's id.
package edgeapi
