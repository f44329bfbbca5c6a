package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gofrs/flock"
)

// lockData makes the data folder if it is missing and locks it, so that two halls never
// write the same files. The lock goes with the process, however that dies; the pid beside
// it is for people. Who called unlocks.
func lockData(dir string) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the data folder: %w: choose another with --data", err)
	}
	pid := filepath.Join(dir, "pid")
	lock := flock.New(filepath.Join(dir, "lock"))
	locked, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock the data folder: %w: make it writable, or choose another with --data", err)
	}
	if !locked {
		return nil, fmt.Errorf("the data folder %s is in use by another hall%s: stop that one, or choose another folder with --data", dir, holder(pid))
	}
	if err := os.WriteFile(pid, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("write to the data folder: %w: make it writable, or choose another with --data", err), lock.Unlock())
	}
	return func() {
		// Neither matters any more: the process ends, and the next one writes the pid anew.
		_ = os.Remove(pid)
		_ = lock.Unlock()
	}, nil
}

// holder tells the pid of who holds the lock, if it wrote that down yet.
func holder(file string) string {
	text, err := os.ReadFile(file)
	if pid := strings.TrimSpace(string(text)); err == nil && pid != "" {
		return fmt.Sprintf(" (pid %s)", pid)
	}
	return ""
}

// newFile writes a file that only its owner may read, whole or not at all; it fails with
// [fs.ErrExist] if somebody was faster.
func newFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Link(f.Name(), path)
	}
	return errors.Join(err, os.Remove(f.Name()))
}

// replaceFile writes a file that only its owner may read, whole or not at all.
func replaceFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		if gone := os.Remove(f.Name()); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}
	return err
}
