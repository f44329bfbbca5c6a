package web

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

//go:embed files
var embedded embed.FS

// policy lets the page use what this server serves, and nothing else: no inline script or
// style, no other site's, nothing typed can become code (W3C Content Security Policy 3;
// 'self' of connect-src is the WebSocket of the same host, too).
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'none'; base-uri 'none'; frame-ancestors 'none'"

// permissions takes from the page what it never asks for.
const permissions = "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), " +
	"microphone=(), midi=(), payment=(), usb=()"

// types are all kinds of files there are. The system's table is not asked: it differs from
// machine to machine, and with nosniff a wrong type is a page that does not load.
var types = map[string]string{
	".css":  "text/css; charset=utf-8",
	".html": "text/html; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
}

// file is what is served under one path.
type file struct {
	data []byte
	kind string
	etag string
}

// Handler serves the client: its page at /, each of its files under its name, and 404 for
// everything else. A browser asks each time whether what it has is the newest, so that it
// never runs the files of two versions together.
func Handler() http.Handler { return handler(load(embedded)) }

// load reads the files by the path that they are served under. The files are compiled in:
// one that cannot be read or has no type is a mistake that the first start shows.
func load(from fs.FS) map[string]file {
	files := map[string]file{}
	err := fs.WalkDir(from, "files", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(from, name)
		if err != nil {
			return err
		}
		kind, known := types[path.Ext(name)]
		if !known {
			return fmt.Errorf("no content type for %s", name)
		}
		sum := sha256.Sum256(data)
		at := strings.TrimPrefix(name, "files")
		if at == "/index.html" {
			at = "/"
		}
		files[at] = file{data: data, kind: kind, etag: `"` + hex.EncodeToString(sum[:16]) + `"`}
		return nil
	})
	if err != nil {
		panic(fmt.Sprintf("web: %v", err))
	}
	return files
}

func handler(files map[string]file) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		head := w.Header()
		head.Set("Content-Security-Policy", policy)
		head.Set("Permissions-Policy", permissions)
		head.Set("Cross-Origin-Opener-Policy", "same-origin")
		head.Set("Cross-Origin-Resource-Policy", "same-origin")
		head.Set("Referrer-Policy", "no-referrer")
		head.Set("X-Content-Type-Options", "nosniff")
		head.Set("X-Frame-Options", "DENY")
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			head.Set("Allow", "GET, HEAD")
			http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
			return
		}
		// A table and no file system: there is nothing to climb out of.
		f, found := files[r.URL.Path]
		if !found {
			http.Error(w, "no such page", http.StatusNotFound)
			return
		}
		head.Set("Content-Type", f.kind)
		head.Set("ETag", f.etag)
		head.Set("Cache-Control", "no-cache")
		if has(r.Header.Values("If-None-Match"), f.etag) {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		head.Set("Content-Length", fmt.Sprint(len(f.data)))
		if r.Method == http.MethodHead {
			return
		}
		_, _ = w.Write(f.data) // the browser has gone: nobody to tell
	})
}

// has tells whether an If-None-Match names the etag (RFC 9110, section 13.1.2).
func has(header []string, etag string) bool {
	for _, line := range header {
		for tag := range strings.SplitSeq(line, ",") {
			tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/")
			if tag == etag || tag == "*" {
				return true
			}
		}
	}
	return false
}
