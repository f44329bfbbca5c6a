package name

import (
	"strings"
	"unicode/utf8"

	"gamehall/shared/fault"
)

// TextMax is the length of a chat text in bytes, after trimming. A line with its command
// and, in JSON, its escapes stays below the 4,096 bytes of a line or frame in most texts.
const TextMax = 2000

// Text gives a line of chat without the spaces around it. It repairs nothing else: it fails
// with bad_request when the text is empty, not UTF-8, or holds a control character (tab and
// line ends too), an override or isolate of direction or a line or paragraph separator, and
// with too_long over [TextMax] bytes. Marks of direction (U+200E, U+200F, U+061C) are part
// of right-to-left writing and allowed.
func Text(typed string) (string, error) {
	if !utf8.ValidString(typed) {
		return "", fault.New(fault.BadRequest, "the text is not valid UTF-8, please send it as UTF-8")
	}
	text := trim(typed)
	if text == "" {
		return "", fault.New(fault.BadRequest, "the text is empty, please write something")
	}
	if len(text) > TextMax {
		return "", fault.New(fault.TooLong, "text too long (%d bytes at most)", TextMax)
	}
	for _, r := range text {
		if isControl(r) || isOverride(r) || isSeparator(r) {
			return "", fault.New(fault.BadRequest, "the text holds the control character U+%04X, please leave it out", r)
		}
	}
	return strings.Clone(text), nil
}
