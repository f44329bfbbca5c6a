//go:build unix

package storage

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// nobody is the user that a child becomes when the tests run as root, whom no mode stops.
const nobody = 65534

// TestOpenReadOnly opens in a child, which is never root.
func TestOpenReadOnly(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		file, dir os.FileMode
		want      string // empty: opens
	}{
		{"writable", 0o600, 0o700, ""}, // or the others would prove nothing
		{"file is read-only", 0o400, 0o700, "it cannot be written"},
		{"file is unreadable", 0o000, 0o700, "it cannot be written"},
		{"folder is read-only", 0o600, 0o500, "its folder cannot be written"},
		{"folder is closed", 0o600, 0o000, "permission denied"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "data")
			path := filepath.Join(dir, "hall.db")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := open(t, path, createRows()).Close(); err != nil {
				t.Fatal(err)
			}
			cmd := command(t, "open", path)
			if os.Getuid() == 0 {
				becomeNobody(t, cmd, dir, path)
			}
			for name, mode := range map[string]os.FileMode{path: tt.file, dir: tt.dir} {
				if err := os.Chmod(name, mode); err != nil && os.Getuid() == 0 {
					t.Fatal(err)
				}
			}
			defer os.Chmod(dir, 0o700) // so that the folder can be removed
			out, err := cmd.Output()
			if tt.want == "" {
				if err != nil {
					t.Errorf("child: %v: %s", err, out)
				}
				return
			}
			if err == nil || !strings.Contains(string(out), tt.want) || !strings.Contains(string(out), path) {
				t.Errorf("child: %v: %q; want an error with the path and %q", err, out, tt.want)
			}
		})
	}
}

// becomeNobody makes cmd run as nobody, who owns the files and may pass the folders above.
func becomeNobody(t *testing.T, cmd *exec.Cmd, files ...string) {
	t.Helper()
	for _, f := range files {
		if err := os.Chown(f, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	temp := filepath.Clean(os.TempDir())
	for dir := filepath.Dir(files[0]); dir != temp && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
}
