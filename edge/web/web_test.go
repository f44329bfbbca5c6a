package web

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

func serve(t *testing.T, method, target string, header http.Header) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, "/", nil)
	r.URL.Path = target // unchanged, as only a client of our own would send it
	if header != nil {
		r.Header = header
	}
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, r)
	return w
}

// names lists every path that is served.
func names(t *testing.T) []string {
	t.Helper()
	all := []string{"/"}
	entries, err := fs.ReadDir(embedded, "files")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != "index.html" {
			all = append(all, "/"+e.Name())
		}
	}
	if len(all) < 5 {
		t.Fatalf("only %v is embedded", all)
	}
	return all
}

func TestEveryFileIsServed(t *testing.T) {
	t.Parallel()
	for _, name := range names(t) {
		get := serve(t, http.MethodGet, name, nil)
		want := types[path.Ext(name)]
		if name == "/" {
			want = types[".html"]
		}
		if get.Code != http.StatusOK || get.Header().Get("Content-Type") != want || get.Body.Len() == 0 {
			t.Errorf("GET %s: %d, %s, want 200, %s", name, get.Code, get.Header().Get("Content-Type"), want)
		}
		length := get.Header().Get("Content-Length")
		if length != strconv.Itoa(get.Body.Len()) {
			t.Errorf("GET %s: %d bytes, but Content-Length %s", name, get.Body.Len(), length)
		}
		head := serve(t, http.MethodHead, name, nil)
		if head.Code != http.StatusOK || head.Body.Len() != 0 || head.Header().Get("Content-Length") != length {
			t.Errorf("HEAD %s: %d with %d bytes, Content-Length %s", name, head.Code, head.Body.Len(), head.Header().Get("Content-Length"))
		}
	}
}

// TestHeaders: whatever is answered, refusals too, binds the browser.
func TestHeaders(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
			"connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
		"X-Content-Type-Options":     "nosniff",
		"X-Frame-Options":            "DENY",
		"Referrer-Policy":            "no-referrer",
		"Cross-Origin-Opener-Policy": "same-origin",
		"Permissions-Policy":         permissions,
	}
	for _, resp := range []*httptest.ResponseRecorder{
		serve(t, http.MethodGet, "/", nil),
		serve(t, http.MethodGet, "/app.js", nil),
		serve(t, http.MethodGet, "/nothing", nil),
		serve(t, http.MethodPost, "/", nil),
	} {
		for name, value := range want {
			if got := resp.Header().Get(name); got != value {
				t.Errorf("%d: %s is %q, want %q", resp.Code, name, got, value)
			}
		}
	}
}

func TestMethods(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND"} {
		resp := serve(t, method, "/", nil)
		if resp.Code != http.StatusMethodNotAllowed || resp.Header().Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: %d, Allow %q", method, resp.Code, resp.Header().Get("Allow"))
		}
	}
}

// TestNotFound: only what is meant to be served is, however a path is written.
func TestNotFound(t *testing.T) {
	t.Parallel()
	for _, target := range []string{
		"/nothing", "/index.html", "/files/app.js", "/web.go", "/app.js/", "/APP.JS", "//app.js", "/./app.js",
		"/../web.go", "/files/../../web.go", "/..%2fweb.go", "/%2e%2e/web.go", `/..\web.go`, "/app.js\x00", "", "app.js",
		"/.git/config", "/etc/passwd", "//etc/passwd", "/favicon.ico",
	} {
		if resp := serve(t, http.MethodGet, target, nil); resp.Code != http.StatusNotFound {
			t.Errorf("GET %q: %d, want 404", target, resp.Code)
		}
	}
}

// TestTraversalThroughMux: behind a mux, which cleans paths by redirects, nothing more is
// found.
func TestTraversalThroughMux(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.Handle("/", Handler())
	server := httptest.NewServer(mux)
	defer server.Close()
	for _, target := range []string{"/../web.go", "/%2e%2e/web.go", "/files/..%2f..%2fweb.go", "//..//web.go"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+target, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != http.StatusNotFound {
			t.Errorf("GET %s: %d, want 404", target, resp.StatusCode)
		}
	}
}

// TestUpgradesAreSeen: a browser asks each time, and is told of another version.
func TestUpgradesAreSeen(t *testing.T) {
	t.Parallel()
	now := serve(t, http.MethodGet, "/app.js", nil)
	etag := now.Header().Get("ETag")
	if now.Header().Get("Cache-Control") != "no-cache" || len(etag) < 10 || !strings.HasPrefix(etag, `"`) {
		t.Fatalf("Cache-Control %q, ETag %q", now.Header().Get("Cache-Control"), etag)
	}
	for _, known := range []string{etag, "W/" + etag, `"other", ` + etag, "*"} {
		resp := serve(t, http.MethodGet, "/app.js", http.Header{"If-None-Match": {known}})
		if resp.Code != http.StatusNotModified || resp.Header().Get("ETag") != etag {
			t.Errorf("If-None-Match %s: %d", known, resp.Code)
		}
	}
	if resp := serve(t, http.MethodGet, "/app.js", http.Header{"If-None-Match": {`"other"`}}); resp.Code != http.StatusOK {
		t.Errorf("another version: %d, want 200", resp.Code)
	}
	one := load(fstest.MapFS{"files/app.js": {Data: []byte("1")}})["/app.js"]
	two := load(fstest.MapFS{"files/app.js": {Data: []byte("2")}})["/app.js"]
	if one.etag == two.etag {
		t.Error("two versions have one ETag")
	}
}

// TestFilesKeepThePolicy: what the policy forbids would not work, and what a browser would
// load from elsewhere is not there.
func TestFilesKeepThePolicy(t *testing.T) {
	t.Parallel()
	forbidden := map[string]*regexp.Regexp{
		"markup made of strings": regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|srcdoc`),
		"code made of strings":   regexp.MustCompile(`\beval\(|new Function\(|setTimeout\(\s*['"]`),
		"inline style":           regexp.MustCompile(`\sstyle=|<style`),
		"inline code":            regexp.MustCompile(`\son[a-z]+="|javascript:|<script>`),
		"another server":         regexp.MustCompile(`(?:src|href|url|import|fetch)\W{1,3}(?:https?:)?//`),
	}
	served := load(embedded)
	link := regexp.MustCompile(`(?:src|href)="(/[^"]*)"|from '\.(/[^']+)'|Worker\('(/[^']+)'\)`)
	for name, f := range served {
		for what, pattern := range forbidden {
			if found := pattern.Find(f.data); found != nil {
				t.Errorf("%s has %s: %s", name, what, found)
			}
		}
		for _, m := range link.FindAllSubmatch(f.data, -1) {
			at := string(m[1]) + string(m[2]) + string(m[3])
			if _, found := served[at]; !found {
				t.Errorf("%s asks for %s, which is not served", name, at)
			}
		}
	}
}
