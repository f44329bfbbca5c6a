package name

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/secure/precis"

	"gamehall/shared/fault"
)

// The length of a username in code points, after mapping. Three keeps single letters from
// being grabbed; twenty fits the column that the terminal client gives a name.
const (
	userMin = 3
	userMax = 20
)

// typedMax is the most bytes that are looked at, so that a name of 16 KiB costs nothing.
// Twenty code points that are typed as a letter with three marks each stay far below.
const typedMax = 512

// User gives the canonical form of a username as typed, the one the hall stores and shows:
// case-mapped, width-mapped and NFC by the profile UsernameCaseMapped (RFC 8265). User of a
// canonical name is that name again.
//
// It fails with bad_username unless the result has 3 to 20 code points of one script
// (beside digits, punctuation and marks that all scripts share), at least one letter or
// digit, no space, no / . * > [ ] : and no control or bidi character, begins with no
// combining mark, and does not look like "system".
func User(typed string) (string, error) {
	if !utf8.ValidString(typed) || len(typed) > typedMax {
		return "", badUser("a username has %d to %d characters, please choose another one", userMin, userMax)
	}
	for _, r := range typed {
		if invisible(r) || unicode.Is(unicode.Z, r) || isControl(r) {
			return "", badUser("a username has no spaces, control or invisible characters, please choose another one")
		}
		if strings.ContainsRune(userForbidden, r) {
			return "", badUser("a username has none of / . * > [ ] : please choose another one")
		}
	}
	canonical, err := precis.UsernameCaseMapped.String(typed)
	if err != nil {
		return "", badUser("a username is made of letters, digits and plain punctuation, please choose another one")
	}
	// RFC 8265 section 3.3.3 warns that the mapping of a few strings is not stable. A name
	// that changes when its owner signs in with what the hall shows is refused.
	again, err := precis.UsernameCaseMapped.String(canonical)
	if err != nil || again != canonical {
		return "", badUser("a username is made of letters, digits and plain punctuation, please choose another one")
	}
	if err := checkUser(canonical); err != nil {
		return "", err
	}
	return canonical, nil
}

// userForbidden cannot be in a username: / begins a command, . * > mean something in a
// subject, [ ] frame the room in a line and : ends the sender.
const userForbidden = "/.*>[]:"

// checkUser applies the hall's own rules to a name that PRECIS has mapped. The mapping can
// bring forth what was not there when typed (a full-width solidus becomes /).
func checkUser(canonical string) error {
	if n := utf8.RuneCountInString(canonical); n < userMin || n > userMax {
		return badUser("a username has %d to %d characters, please choose another one", userMin, userMax)
	}
	if strings.ContainsAny(canonical, userForbidden) {
		return badUser("a username has none of / . * > [ ] : please choose another one")
	}
	if leadingMark(canonical) || !strings.ContainsFunc(canonical, letterOrDigit) {
		return badUser("a username needs a letter or a digit, please choose another one")
	}
	if !oneScript(canonical) {
		return badUser("a username uses the letters of one script only, please choose another one")
	}
	if looksLike(canonical, "system") {
		return badUser("the username looks like %q, which is the hall itself, please choose another one", "system")
	}
	return nil
}

func badUser(format string, args ...any) error {
	return fault.New(fault.BadUsername, format, args...)
}

// oneScript tells whether s uses at most one script beside Common and Inherited. A rune
// that no table knows counts as a script of its own, so it is refused beside any other
// and, having no category, by PRECIS alone.
func oneScript(s string) bool {
	seen := ""
	for _, r := range s {
		script := scriptOf(r)
		switch {
		case script == "Common" || script == "Inherited":
		case seen == "":
			seen = script
		case seen != script:
			return false
		}
	}
	return true
}

func scriptOf(r rune) string {
	if r <= unicode.MaxASCII {
		if unicode.IsLetter(r) {
			return "Latin"
		}
		return "Common"
	}
	for script, table := range unicode.Scripts {
		if unicode.Is(table, r) {
			return script
		}
	}
	return "Unknown"
}
