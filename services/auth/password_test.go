package auth

import (
	"strings"
	"testing"

	"gamehall/shared/fault"
)

func TestNewPassword(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, typed string
		want        string // how it is hashed; the code otherwise
		code        fault.Code
	}{
		{name: "plain", typed: "password", want: "password"},
		{name: "seven", typed: "sesam12", code: fault.BadPassword},
		{name: "spaces stay", typed: "  pass  word ", want: "  pass  word "},
		{name: "wide and narrow spaces are plain ones", typed: "pass\u3000\u00a0word", want: "pass  word"},
		{name: "case stays", typed: "PassWord", want: "PassWord"},
		{name: "width stays", typed: "ｐassword", want: "ｐassword"},
		{name: "composed", typed: "caf\u00e9café", want: "caf\u00e9café"},
		{name: "decomposed", typed: "cafe\u0301cafe\u0301", want: "café" + "café"},
		{name: "decomposed Hangul", typed: "\u1112\u1161\u11ab\u1100\u1173\u11afabcdef", want: "한글abcdef"},
		{name: "emoji", typed: "🐎🔋🖇🐎🔋🖇🐎🔋", want: "🐎🔋🖇🐎🔋🖇🐎🔋"},
		{name: "seven after composing", typed: "passwe\u0301", code: fault.BadPassword},
		{name: "128", typed: strings.Repeat("x", 128), want: strings.Repeat("x", 128)},
		{name: "129", typed: strings.Repeat("x", 129), code: fault.BadPassword},
		{name: "73 bytes are not cut", typed: strings.Repeat("x", 73), want: strings.Repeat("x", 73)},
		{name: "512 bytes", typed: strings.Repeat("🐎", 128), want: strings.Repeat("🐎", 128)},
		{name: "513 bytes", typed: strings.Repeat("🐎", 128) + "x", code: fault.BadPassword},
		{name: "a mebibyte", typed: strings.Repeat("x", 1<<20), code: fault.BadPassword},
		{name: "NUL", typed: "pass\x00word", code: fault.BadPassword},
		{name: "escape", typed: "pass\x1bword", code: fault.BadPassword},
		{name: "not UTF-8", typed: "pass\xffword", code: fault.BadPassword},
		{name: "empty", typed: "", code: fault.BadPassword},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := newPassword(tt.typed, passwordMin)
			wantCode(t, err, tt.code)
			if got != tt.want {
				t.Errorf("prepared %q, want %q", got, tt.want)
			}
			if err != nil && tt.typed != "" && strings.Contains(err.Error(), tt.typed) {
				t.Errorf("the error shows the password: %v", err)
			}
		})
	}
}

func TestLeastIsASetting(t *testing.T) {
	t.Parallel()
	if _, err := newPassword("secret", 6); err != nil {
		t.Errorf("six of at least six: %v", err)
	}
	_, err := newPassword("secre", 6)
	if fault.CodeOf(err) != fault.BadPassword || !strings.Contains(err.Error(), "6 to 128") {
		t.Errorf("five of at least six: %v", err)
	}
}
