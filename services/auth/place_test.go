package auth

import (
	"strings"
	"testing"
)

func TestEdgeID(t *testing.T) {
	t.Parallel()
	tests := map[string]bool{
		"": true, "a": true, "edge1.5889863053a3292b": true, strings.Repeat("a", tokenMost): true,
		".": false, "a.": false, ".a": false, "a.b.c": false, "*": false, "a.*": false, ">": false, "a.>": false,
		"a b": false, "a\nb": false, "é": false, strings.Repeat("a", tokenMost+1): false,
	}
	for id, want := range tests {
		if got := edgeID(id); got != want {
			t.Errorf("%q is an edge's id: %v, want %v", id, got, want)
		}
	}
}
