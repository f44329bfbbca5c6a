package authapi

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// secretSize is the length of a token's secret part: 128 random bits in hexadecimal.
const secretSize = 32

// Token makes the token that a client resumes a session with, of its user's id and 128
// random bits in hexadecimal, such as bus.NewID gives.
func Token(userID, secret string) string { return userID + "." + secret }

// ParseToken gives the user's id and the secret of a token; ok is false when it cannot be
// one that [Token] made.
func ParseToken(token string) (userID, secret string, ok bool) {
	userID, secret, ok = strings.Cut(token, ".")
	return userID, secret, ok && plain(userID) && userID != "" && len(userID) <= 64 && plain(secret) && len(secret) == secretSize
}

// plain tells whether s holds only what ids are made of.
func plain(s string) bool {
	for _, b := range []byte(s) {
		if (b < 'a' || b > 'z') && (b < '0' || b > '9') {
			return false
		}
	}
	return true
}

// HashToken is what is stored of a token's secret. It has 128 random bits, so a fast hash
// keeps it (NIST SP 800-63B, look-up secrets).
func HashToken(secret string) string {
	sum := sha256.Sum256([]byte("gamehall token\x00" + secret))
	return hex.EncodeToString(sum[:])
}
