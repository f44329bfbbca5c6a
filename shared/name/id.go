package name

import (
	"crypto/sha256"
	"encoding/base32"
	"strings"
)

// UserID gives the id of the user with that canonical name: 26 letters and digits, safe as
// a token of a NATS subject and as a key.
//
// It is the name's hash on purpose: every service finds the id of Hall-User by itself,
// without asking auth and before the account exists. 128 bits of SHA-256 make two names
// with one id as unlikely as a broken disk. The id is no secret: who knows the name knows
// the id.
func UserID(canonical string) string { return id("gamehall user", canonical) }

// RoomID gives the id of the room with that key (see [Room]), made as [UserID] is. A room
// that is created again under the same name has the same id.
func RoomID(key string) string { return id("gamehall room", key) }

func id(kind, s string) string {
	sum := sha256.Sum256([]byte(kind + "\x00" + s))
	return strings.ToLower(base32.HexEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:16]))
}
