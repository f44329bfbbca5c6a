package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gamehall/tools/check/verify"
)

// Each patch applies to the hall as it is now, and the hall builds with it. That it is caught is
// tried by the program itself, which takes minutes.
func TestPatches(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	all, err := mutants(filepath.Join(root, folder))
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 6 {
		t.Errorf("there are %d mutants, 6 were promised", len(all))
	}
	for _, m := range all {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			overlay, packages, err := m.overlay(t.Context(), root, t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			if err := build(t.Context(), root, overlay, "", packages...); err != nil {
				t.Error(err)
			}
		})
	}
}

// README tells of each mutant how it is run and what finds it.
func TestReadme(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	all, err := mutants(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range all {
		flags, _, _ := strings.Cut(strings.Join(m.flags, " "), " --seed")
		row := regexp.MustCompile("(?m)^\\| `" + m.name + "` \\|.*\\| `" + regexp.QuoteMeta(flags) + "` \\| " + string(m.caught[0]) + " \\|$")
		if !row.Match(text) {
			t.Errorf("README has no row of %s with %s and %s", m.name, flags, m.caught[0])
		}
	}
}

// A mutant that passes, or that is caught for something else, is not caught; a control must pass.
func TestJudge(t *testing.T) {
	t.Parallel()
	m := mutant{name: "m", patch: "m.patch", caught: []verify.ID{verify.I7, verify.I2}}
	tests := []struct {
		name string
		m    mutant
		o    outcome
		bad  bool
	}{
		{name: "caught", m: m, o: outcome{Verdict: verify.Violated, exit: 1, Broken: map[verify.ID]int{verify.I2: 1}}},
		{name: "passed", m: m, o: outcome{Verdict: verify.Passed}, bad: true},
		{name: "invalid", m: m, o: outcome{Verdict: verify.Invalid, exit: 3}, bad: true},
		{name: "caught for something else", m: m, o: outcome{Verdict: verify.Violated, exit: 1, Broken: map[verify.ID]int{verify.H1: 1}}, bad: true},
		{name: "a process misbehaved", m: m, o: outcome{Verdict: verify.Passed, exit: 1}, bad: true},
		{name: "control", m: control(), o: outcome{Verdict: verify.Passed}},
		{name: "invalid control", m: control(), o: outcome{Verdict: verify.Invalid, exit: 3}, bad: true},
		{name: "short control", m: mutant{short: true}, o: outcome{Verdict: verify.Invalid, exit: 3}},
		{name: "short control with a violation", m: mutant{short: true}, o: outcome{Verdict: verify.Violated, exit: 1}, bad: true},
		{name: "control with a violation", m: control(), o: outcome{Verdict: verify.Violated, exit: 1}, bad: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.o.folder = t.TempDir()
			if err := tt.m.judge(tt.o); (err != nil) != tt.bad {
				t.Errorf("judged %v", err)
			}
		})
	}
}
