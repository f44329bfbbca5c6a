package name

import (
	"testing"
	"unicode"
)

func TestSkeleton(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		a, b string
		same bool
	}{
		{"itself", "netease1", "netease1", true},
		{"another digit", "netease1", "netease2", false},
		{"one and l", "netease1", "neteasel", true},
		{"zero and o", "b0b", "bob", true},
		{"rn and m", "sarn", "sam", true},
		{"whole script in cyrillic", "сосо", "coco", true},
		{"cyrillic letters drawn as capitals", "ток", "tok", true},
		{"greek", "ορο", "opo", true},
		{"accents are another name", "zoé", "zoe", false},
		{"han", "网易游戏", "网易游戲", false},
		{"i and l stay apart", "ali", "all", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if a, b := Skeleton(tt.a), Skeleton(tt.b); (a == b) != tt.same {
				t.Errorf("Skeleton(%q) = %+q, Skeleton(%q) = %+q; want same %v", tt.a, a, tt.b, b, tt.same)
			}
		})
	}
}

// TestSkeletonIsStable asks every code point that has a look: a skeleton's skeleton is
// itself, or look-alikes of look-alikes would slip through. Han and Hangul, most of all
// code points, fold to nothing else and are left to the fuzz test.
func TestSkeletonIsStable(t *testing.T) {
	t.Parallel()
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if !visible(r) || !unicode.IsGraphic(r) || unicode.In(r, unicode.Han, unicode.Hangul) {
			continue
		}
		s := Skeleton("a" + string(r) + "b")
		if again := Skeleton(s); again != s {
			t.Errorf("U+%04X: skeleton %+q, and of that %+q", r, s, again)
		}
	}
}
