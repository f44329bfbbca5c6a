package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"gamehall/tools/check/verify"
)

// mutant is one patch.
type mutant struct {
	name   string
	says   string // what is wrong with the hall then
	flags  []string
	caught []verify.ID // one of them must be broken
	patch  string      // the file, an absolute path; empty is the hall as it is
	short  bool        // a run of the hall as it is may have too few commands to pass
}

// control is the hall without a defect: all kinds of faults, and nothing may be found.
func control() mutant {
	return mutant{name: "control", says: "The hall as it is.", flags: strings.Fields("--for 1m --clients 32 --seed 1")}
}

// mutants reads the patches of a folder, by their names.
func mutants(folder string) ([]mutant, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.patch"))
	if err != nil {
		return nil, err
	}
	all := make([]mutant, 0, len(files))
	for _, file := range files {
		m, err := read(file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, m)
	}
	return all, nil
}

// read reads the head of a patch: what it says, how it is checked, and what must be found.
func read(file string) (mutant, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return mutant{}, err
	}
	head, _, found := strings.Cut(string(data), "\ndiff --git ")
	if !found {
		return mutant{}, errors.New("there is no diff in it")
	}
	m := mutant{name: strings.TrimSuffix(filepath.Base(file), ".patch"), patch: file}
	var says []string
	for line := range strings.Lines(head) {
		line = strings.TrimSpace(line)
		if flags, ok := strings.CutPrefix(line, "Check: "); ok {
			m.flags = strings.Fields(flags)
		} else if ids, ok := strings.CutPrefix(line, "Caught: "); ok {
			for _, id := range strings.Fields(ids) {
				if !slices.Contains(verify.IDs(), verify.ID(id)) {
					return mutant{}, fmt.Errorf("it is to be caught by %s, which hall check does not look at", id)
				}
				m.caught = append(m.caught, verify.ID(id))
			}
		} else if line != "" {
			says = append(says, line)
		}
	}
	if m.says = strings.Join(says, " "); m.says == "" || len(m.flags) == 0 || len(m.caught) == 0 {
		return mutant{}, errors.New("its head must say what it is, how it is checked (Check:) and what finds it (Caught:)")
	}
	return m, nil
}

// overlay patches copies of the files that the patch changes, in scratch, and gives what go build
// is told with -overlay, and the packages in which those files are.
func (m mutant) overlay(ctx context.Context, root, scratch string) (file string, packages []string, err error) {
	files, err := m.files(ctx, scratch)
	if err != nil {
		return "", nil, err
	}
	replace := map[string]string{}
	for _, name := range files {
		data, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return "", nil, err
		}
		copied := filepath.Join(scratch, name)
		if err := os.MkdirAll(filepath.Dir(copied), 0o700); err != nil {
			return "", nil, err
		}
		if err := os.WriteFile(copied, data, 0o600); err != nil {
			return "", nil, err
		}
		replace[filepath.Join(root, name)] = copied
		if dir := "./" + filepath.ToSlash(filepath.Dir(name)); !slices.Contains(packages, dir) {
			packages = append(packages, dir)
		}
	}
	if _, err := git(ctx, scratch, "apply", m.patch); err != nil {
		return "", nil, err
	}
	data, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", nil, err
	}
	file = filepath.Join(scratch, "overlay.json")
	return file, packages, os.WriteFile(file, data, 0o600)
}

// files are those that the patch changes, from the root of the tree.
func (m mutant) files(ctx context.Context, scratch string) ([]string, error) {
	out, err := git(ctx, scratch, "apply", "--numstat", m.patch)
	if err != nil {
		return nil, err
	}
	var files []string
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); len(f) == 3 { // added, removed, name
			files = append(files, f[2])
		}
	}
	return files, nil
}

// git runs git in dir, which is no part of whatever repository may be around it: there git would
// pass over what does not belong to it.
func git(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...) //nolint:gosec // the arguments are our own
	cmd.Dir = dir
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "GIT_") }),
		"GIT_CEILING_DIRECTORIES="+filepath.Dir(dir))
	return run(cmd)
}

// build builds packages of the tree at root with the overlay; output may be empty.
func build(ctx context.Context, root, overlay, output string, packages ...string) error {
	args := []string{"build"}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	if output != "" {
		args = append(args, "-o", output)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, packages...)...) //nolint:gosec // the arguments are our own
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0") // as the program is built, and most of it is in the cache
	_, err := run(cmd)
	return err
}

// run gives what a command says; its error has all of it.
func run(cmd *exec.Cmd) (string, error) {
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return string(out), nil
}
