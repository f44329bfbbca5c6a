package name

import (
	"strings"
	"unicode"

	"github.com/ergochat/confusables"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Skeleton gives the form that all look-alikes of a canonical name share, for a unique
// column: netease1 and neteasel, sam and sarn, ann and its Cyrillic double. It is that of
// UTS #39, section 4, case-folded, with one thing added: the table leaves small letters
// that are drawn like capitals (Cyrillic т) apart from the Latin letter whose capital they
// double, so such a letter goes by its capital's skeleton.
//
// A skeleton is for comparing only, never for showing.
func Skeleton(canonical string) string {
	s := fold(canonical)
	// Folding turns prototypes such as O into letters that have prototypes of their own,
	// and the other way round; four turns settle every code point (the test asks all).
	for range 4 {
		var b strings.Builder
		for _, r := range norm.NFD.String(s) {
			b.WriteString(prototype(r))
		}
		s = fold(b.String())
	}
	return s
}

// prototype gives the skeleton of one rune.
func prototype(r rune) string {
	p := confusables.Skeleton(string(r))
	if r <= unicode.MaxASCII || isASCII(p) {
		return p
	}
	if capital := confusables.Skeleton(string(unicode.ToUpper(r))); isASCII(capital) {
		return capital
	}
	return p
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII })
}

// fold gives the form in which canonical caseless matching compares (Unicode section 3.13,
// D145), in NFC. It folds twice because normalising can bring back what folding removed.
func fold(s string) string {
	for range 2 {
		// A Caser is not for several goroutines at a time and cheap to make.
		s = cases.Fold().String(norm.NFD.String(s))
	}
	return norm.NFC.String(s)
}

// looksLike tells whether s could be taken for the reserved word: by its skeleton, whatever
// its case, and whatever accents or punctuation stand around its letters.
func looksLike(s, word string) bool {
	want := Skeleton(word)
	// Both: a capital I as typed looks like an l, which folding would hide.
	return Skeleton(lettersOf(s)) == want || Skeleton(lettersOf(fold(s))) == want ||
		fold(confusables.Skeleton(lettersOf(s))) == fold(confusables.Skeleton(word))
}

// lettersOf gives the letters and digits of s alone.
func lettersOf(s string) string {
	return strings.Map(func(r rune) rune {
		if letterOrDigit(r) {
			return r
		}
		return -1
	}, norm.NFD.String(s))
}

func letterOrDigit(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
