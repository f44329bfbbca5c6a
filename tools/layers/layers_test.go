package layers_test

import (
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"gamehall/tools/layers"
)

func Example() {
	tree := fstest.MapFS{
		"go.mod":                {Data: []byte("module gamehall\n")},
		"services/chat/doc.go":  {Data: []byte("// Package chat owns the lines.\npackage chat\n")},
		"services/chat/auth.go": {Data: []byte("package chat\n\nimport _ \"gamehall/services/auth\"\n")},
	}
	report, err := layers.Check(tree)
	fmt.Println(report.Packages, err)
	for _, v := range report.Violations {
		fmt.Println(v)
	}
	// Output:
	// [services/chat] <nil>
	// services/chat/auth.go:3: services must not import a service, they meet in shared
}

// TestHall checks the hall itself.
func TestHall(t *testing.T) {
	t.Parallel()
	report, err := layers.Check(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	for _, known := range []string{"shared/fault", "tools/layers"} {
		if !slices.Contains(report.Packages, known) {
			t.Errorf("%s was not looked at, only %v", known, report.Packages)
		}
	}
	for _, v := range report.Violations {
		t.Error(v)
	}
}

// tree is a small hall without a fault, and what is added to it.
func tree(add map[string]string) fs.FS {
	files := fstest.MapFS{
		"go.mod":                    {Data: []byte("// the hall\nmodule gamehall\n\ngo 1.26\n")},
		"edge/testdata/bad.go":      {Data: []byte("no Go at all")},
		"_old/x.go":                 {Data: []byte("no Go at all")},
		".hidden/x.go":              {Data: []byte("no Go at all")},
		"vendor/example.com/x/x.go": {Data: []byte("no Go at all")},
		"tools/other/go.mod":        {Data: []byte("module other\n")},
		"tools/other/x.go":          {Data: []byte("package other\nimport _ \"gamehall/tools/hall\"\n")},
		"tools/hall/main.go":        {Data: []byte("// Hall is the program.\npackage main\n\nimport (\n_ \"gamehall/edge\"\n_ \"gamehall/services/auth\"\n_ \"gamehall/tools/client\"\n)\n")},
		"services/auth/store.go":    {Data: []byte("package auth\n\nimport (\n_ \"gamehall/services/auth/hash\"\n_ \"gamehall/shared/storage\"\n)\n")},
		"services/auth/a_test.go":   {Data: []byte("package auth\n\nimport _ \"gamehall/shared/natstest\"\n")},
		"edge/edge.go":              {Data: []byte("package edge\n\nimport (\n_ \"gamehall/edge/web\"\n_ \"gamehall/shared/wire\"\n_ \"gorm.io/gorm\"\n)\n")},
		"shared/bus/bus.go":         {Data: []byte("package bus\n\nimport _ \"gamehall/shared/fault\"\n")},
		"shared/bus/bus_test.go":    {Data: []byte("package bus_test\n\nimport (\n_ \"gamehall/shared/bus\"\n_ \"gamehall/shared/natstest\"\n)\n")},
		"shared/natstest/run.go":    {Data: []byte("package natstest\n\nimport _ \"gamehall/shared/session\"\n")},
		"shared/authapi/signin.go":  {Data: []byte("package authapi\n\nimport (\n_ \"gamehall/shared/bus\"\n_ \"gamehall/shared/event\"\n)\n")},
	}
	for _, dir := range []string{"tools/client", "services/auth", "services/auth/hash", "edge", "edge/web", "shared/fault", "shared/bus", "shared/natstest", "shared/authapi"} {
		name := dir[strings.LastIndex(dir, "/")+1:]
		files[dir+"/doc.go"] = &fstest.MapFile{Data: []byte("// Package " + name + " is a part.\npackage " + name + "\n")}
	}
	for name, source := range add {
		files[name] = &fstest.MapFile{Data: []byte(source)}
	}
	return files
}

// imports is a file of package p that imports what is given.
func imports(p, what string) string {
	return "package " + p + "\n\nimport _ \"gamehall/" + what + "\"\n"
}

func TestCheckFinds(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		file   string
		source string
		want   string // part of the one violation; empty if there is none
	}{
		{name: "nothing in a clean tree"},
		{"service to service", "services/auth/x.go", imports("auth", "services/chat"), "services/auth/x.go:3: services must not import a service"},
		{"service to a service's part", "services/auth/x.go", imports("auth", "services/chat/rules"), "must not import a service"},
		{"service to one with its name in front", "services/auth/x.go", imports("auth", "services/auth2"), "must not import a service"},
		{"service's test to service", "services/auth/x_test.go", imports("auth_test", "services/chat"), "must not import a service"},
		{"service's part to another service", "services/auth/hash/x.go", imports("hash", "services/chat"), "must not import a service"},
		{"service to edge", "services/auth/x.go", imports("auth", "edge"), "services must not import the edge"},
		{"service to tools", "services/auth/x.go", imports("auth", "tools/check"), "nobody imports tools"},
		{"service to natstest", "services/auth/x.go", imports("auth", "shared/natstest"), "is for tests"},
		{"service to storagetest", "services/auth/x.go", imports("auth", "shared/storagetest"), "shared/storagetest is for tests"},
		{"service to its own part", "services/auth/x.go", imports("auth", "services/auth/hash"), ""},
		{"edge to service", "edge/x.go", imports("edge", "services/chat"), "edge must not import a service"},
		{"edge's test to service", "edge/x_test.go", imports("edge", "services/chat"), "edge must not import a service"},
		{"edge's part to service", "edge/web/x.go", imports("web", "services/chat"), "edge must not import a service"},
		{"edge to tools", "edge/x.go", imports("edge", "tools/client"), "nobody imports tools"},
		{"edge to natstest", "edge/x.go", imports("edge", "shared/natstest"), "is for tests"},
		{"shared to service", "shared/bus/x.go", imports("bus", "services/chat"), "shared must not import a service"},
		{"shared to edge", "shared/natstest/x.go", imports("natstest", "edge/web"), "shared must not import the edge"},
		{"shared's test to edge", "shared/natstest/x_test.go", imports("natstest", "edge"), "shared must not import the edge"},
		{"shared to tools", "shared/natstest/x.go", imports("natstest", "tools/hall"), "nobody imports tools"},
		{"fault to bus", "shared/fault/x.go", imports("fault", "shared/bus"), "shared/fault imports nothing of ours"},
		{"bus to name", "shared/bus/x.go", imports("bus", "shared/name"), "shared/bus imports only shared/fault"},
		{"contract to contract", "shared/authapi/x.go", imports("authapi", "shared/chatapi"), "shared/authapi imports only"},
		{"contract to storage", "shared/authapi/x.go", imports("authapi", "shared/storage"), "shared/authapi imports only"},
		{"contract to name", "shared/authapi/x.go", imports("authapi", "shared/name"), ""},
		{"contract's test to natstest", "shared/authapi/x_test.go", imports("authapi_test", "shared/natstest"), ""},
		{"tools to natstest", "tools/client/x.go", imports("client", "shared/natstest"), ""},
		{"behind a build tag", "services/auth/x.go", "//go:build windows\n\n" + imports("auth", "edge"), "services/auth/x.go:5: services must not import the edge"},
		{"from a place without a rule", "plugins/x/doc.go", "// Package x is new.\npackage x\n", "plugins/x: is in none of"},
		{"from the root", "main.go", "// Hall is misplaced.\npackage main\n", ".: is in none of"},
		{"to a place without a rule", "edge/x.go", imports("edge", "plugins/x"), "plugins/x is in none of"},
		{"to shared itself", "edge/x.go", imports("edge", "shared"), "shared is in none of"},
		{"no comment", "shared/wire/wire.go", "package wire\n", "shared/wire: doc.go has no comment"},
		{"comment in the wrong file", "shared/wire/wire.go", "// Package wire is lines.\npackage wire\n", "shared/wire: doc.go has no comment"},
		{"comment with other words", "shared/wire/doc.go", "// Lines and frames.\npackage wire\n", `begins with "Package wire"`},
		{"comment of another package", "shared/wire/doc.go", "// Package wired is lines.\npackage wire\n", `begins with "Package wire"`},
		{"comment cut off from its package", "shared/wire/doc.go", "// Package wire is lines.\n\npackage wire\n", `begins with "Package wire"`},
		{"command without a comment", "tools/load/main.go", "package main\n", "tools/load: main.go or doc.go has no comment"},
		{"command with its comment elsewhere", "tools/load/load.go", "// Load plays.\npackage main\n", "tools/load: main.go or doc.go has no comment"},
		{"only tests", "tools/story/story_test.go", "package story\n", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			add := map[string]string{}
			if tt.file != "" {
				add[tt.file] = tt.source
			}
			report, err := layers.Check(tree(add))
			if err != nil {
				t.Fatal(err)
			}
			if tt.want == "" {
				if len(report.Violations) != 0 {
					t.Errorf("violations %v, want none", report.Violations)
				}
				return
			}
			if len(report.Violations) != 1 || !strings.Contains(report.Violations[0].String(), tt.want) {
				t.Errorf("violations %v, want one with %q", report.Violations, tt.want)
			}
		})
	}
}

func TestCheckFails(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		tree fs.FS
	}{
		{"no module", fstest.MapFS{"edge/doc.go": {Data: []byte("package edge\n")}}},
		{"no module line", fstest.MapFS{"go.mod": {Data: []byte("go 1.26\n")}}},
		{"broken file", tree(map[string]string{"edge/x.go": "package\n"})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if report, err := layers.Check(tt.tree); err == nil {
				t.Errorf("no error, report %v", report)
			}
		})
	}
}
