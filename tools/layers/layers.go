package layers

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Violation is one rule broken at one place.
type Violation struct {
	File string // slash-separated, from the module's root
	Line int    // 0 when it is the whole package
	Why  string
}

// String gives the violation as compilers do.
func (v Violation) String() string {
	if v.Line == 0 {
		return fmt.Sprintf("%s: %s", v.File, v.Why)
	}
	return fmt.Sprintf("%s:%d: %s", v.File, v.Line, v.Why)
}

// Report is what Check found.
type Report struct {
	Packages   []string // the folders with Go files, sorted
	Violations []Violation
}

// Check reads every Go file of the module at the root of tree, whatever its build tags. As
// the go command does it passes over testdata, vendor, folders that begin with . or _ and
// modules within. It fails when the tree has no go.mod or a file cannot be read or parsed.
func Check(tree fs.FS) (Report, error) {
	module, err := moduleName(tree)
	if err != nil {
		return Report{}, err
	}
	c := checker{tree: tree, module: module, packages: map[string]*pkg{}}
	if err := fs.WalkDir(tree, ".", c.visit); err != nil {
		return Report{}, err
	}
	return c.report(), nil
}

func moduleName(tree fs.FS) (string, error) {
	data, err := fs.ReadFile(tree, "go.mod")
	if err != nil {
		return "", err
	}
	for s := bufio.NewScanner(bytes.NewReader(data)); s.Scan(); {
		if name, ok := strings.CutPrefix(s.Text(), "module "); ok {
			return strings.TrimSpace(name), nil
		}
	}
	return "", errors.New("go.mod has no module line")
}

// pkg is what is remembered of a folder until all its files are read.
type pkg struct {
	name      string // of its files that are no tests; empty if it has only tests
	commented bool
}

type checker struct {
	tree       fs.FS
	module     string
	packages   map[string]*pkg
	violations []Violation
}

func (c *checker) visit(name string, entry fs.DirEntry, err error) error {
	if err != nil {
		return err
	}
	if entry.IsDir() {
		if name != "." && c.passOver(name) {
			return fs.SkipDir
		}
		return nil
	}
	if path.Ext(name) != ".go" || strings.HasPrefix(path.Base(name), ".") || strings.HasPrefix(path.Base(name), "_") {
		return nil
	}
	return c.file(name)
}

func (c *checker) passOver(dir string) bool {
	base := path.Base(dir)
	if base == "testdata" || base == "vendor" || base[0] == '.' || base[0] == '_' {
		return true
	}
	_, err := fs.Stat(c.tree, path.Join(dir, "go.mod"))
	return err == nil
}

func (c *checker) file(name string) error {
	source, err := fs.ReadFile(c.tree, name)
	if err != nil {
		return err
	}
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, source, parser.ImportsOnly|parser.ParseComments)
	if err != nil {
		return err
	}
	dir := path.Dir(name)
	p := c.packages[dir]
	if p == nil {
		p = &pkg{}
		c.packages[dir] = p
	}
	test := strings.HasSuffix(name, "_test.go")
	if !test {
		p.name = file.Name.Name
		p.commented = p.commented || hasComment(path.Base(name), file)
	}
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return err
		}
		to, ours := strings.CutPrefix(imported, c.module+"/")
		if !ours {
			continue
		}
		if why := refuse(dir, to, test); why != "" {
			c.violations = append(c.violations, Violation{name, set.Position(spec.Pos()).Line, why})
		}
	}
	return nil
}

// hasComment tells whether the file is where a package's comment belongs and has it.
func hasComment(base string, file *ast.File) bool {
	text := file.Doc.Text()
	if file.Name.Name == "main" {
		return (base == "main.go" || base == "doc.go") && text != ""
	}
	return base == "doc.go" && strings.HasPrefix(text, "Package "+file.Name.Name+" ")
}

func (c *checker) report() Report {
	r := Report{Violations: c.violations}
	for dir, p := range c.packages {
		r.Packages = append(r.Packages, dir)
		if place(dir) == "" {
			r.Violations = append(r.Violations, Violation{File: dir, Why: "is in none of services, edge, shared, tools"})
		}
		switch {
		case p.name == "" || p.commented: // only tests need no comment
		case p.name == "main":
			r.Violations = append(r.Violations, Violation{File: dir, Why: "main.go or doc.go has no comment for the command"})
		default:
			r.Violations = append(r.Violations, Violation{File: dir, Why: fmt.Sprintf("doc.go has no comment that begins with %q", "Package "+p.name)})
		}
	}
	slices.Sort(r.Packages)
	slices.SortFunc(r.Violations, func(a, b Violation) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Why, b.Why))
	})
	return r
}

// refuse says why a file in the folder from, a test or not, may not import the folder to;
// it says nothing if it may. Both are given from the module's root.
func refuse(from, to string, test bool) string {
	if place(from) == "tools" {
		return ""
	}
	if (to == "shared/natstest" || to == "shared/storagetest") && !test && from != to {
		return to + " is for tests"
	}
	switch place(to) {
	case "tools":
		return "nobody imports tools"
	case "services":
		if place(from) == "services" && service(from) == service(to) {
			return ""
		}
		return fmt.Sprintf("%s must not import a service, they meet in shared", place(from))
	case "edge":
		if place(from) == "edge" {
			return ""
		}
		return fmt.Sprintf("%s must not import the edge", place(from))
	case "shared":
		return refuseShared(from, to, test)
	}
	return fmt.Sprintf("%s is in none of services, edge, shared, tools", to)
}

// refuseShared is refuse for imports of shared.
func refuseShared(from, to string, test bool) string {
	if test || place(from) != "shared" || from == to {
		return ""
	}
	var allowed []string
	switch {
	case from == "shared/fault":
	case from == "shared/bus", from == "shared/name":
		allowed = []string{"shared/fault"}
	case strings.HasSuffix(from, "api"):
		allowed = []string{"shared/fault", "shared/bus", "shared/name", "shared/event"}
	default:
		return ""
	}
	if slices.Contains(allowed, to) {
		return ""
	}
	if len(allowed) == 0 {
		return from + " imports nothing of ours"
	}
	return fmt.Sprintf("%s imports only %s of ours", from, strings.Join(allowed, ", "))
}

// place gives the top folder of dir, empty if it is none of the known ones. What lies in
// services, shared and tools itself, and not in a folder of its own, is in no place.
func place(dir string) string {
	top, rest, _ := strings.Cut(dir, "/")
	switch {
	case top == "edge", rest != "" && (top == "services" || top == "shared" || top == "tools"):
		return top
	}
	return ""
}

// service gives the name of the service that dir, below services, belongs to.
func service(dir string) string {
	_, rest, _ := strings.Cut(dir, "/")
	name, _, _ := strings.Cut(rest, "/")
	return name
}
