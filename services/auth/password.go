package auth

import (
	"unicode/utf8"

	"golang.org/x/text/secure/precis"
	"golang.org/x/text/unicode/norm"

	"gamehall/shared/fault"
)

// The length of a password. Its least is a setting.
const (
	passwordMin   = 8   // code points, by default (OWASP ASVS 6.2)
	passwordMax   = 128 // code points
	passwordBytes = 512 // four for each; checked before anything is done with it
)

// preparePassword gives the form in which a password is compared and hashed, that of the
// PRECIS profile OpaqueString (RFC 8265 section 4.2): spaces of any kind are plain ones and
// the text is in NFC, so that it does not matter which keyboard composed an é. Nothing is
// trimmed or cut off. It fails with bad_password for more than 512 bytes, text that is not
// UTF-8, and characters that the profile refuses, such as NUL and other controls.
func preparePassword(typed string) (string, error) {
	if len(typed) > passwordBytes {
		return "", fault.New(fault.BadPassword, "a password has at most %d characters and %d bytes, please choose another one", passwordMax, passwordBytes)
	}
	if !utf8.ValidString(typed) {
		return "", fault.New(fault.BadPassword, "the password is not valid UTF-8, please choose another one")
	}
	// Composed first: the profile refuses some parts of characters that it accepts whole.
	prepared, err := precis.OpaqueString.String(norm.NFC.String(typed))
	if err != nil {
		return "", fault.New(fault.BadPassword, "a password has no control characters and no others without a meaning, please choose another one")
	}
	return prepared, nil
}

// newPassword prepares a password that is to be set: it has least to 128 code points.
func newPassword(typed string, least int) (string, error) {
	prepared, err := preparePassword(typed)
	if err != nil {
		return "", err
	}
	if n := utf8.RuneCountInString(prepared); n < least || n > passwordMax {
		return "", fault.New(fault.BadPassword, "a password has %d to %d characters, please choose another one", least, passwordMax)
	}
	return prepared, nil
}
