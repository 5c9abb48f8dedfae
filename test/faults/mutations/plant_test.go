package mutations

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

const (
	// mutantEnv names the mutation that is in force.
	mutantEnv = "OVERWINTER_MUTANT"
	// mutantMark comes before the name of a mutation, above its copy of a function.
	mutantMark = "// mutation "
)

// place is a function in a file.
type place struct{ file, function string }

// plant returns the files, by their paths in the repository, in which all mutations are, and none is in force unless the
// environment says so.
func plant(list []mutation) (map[string]string, error) {
	bodies := map[place]map[string][]edit{}
	for _, m := range list {
		for _, e := range m.edits {
			at := place{e.file, e.function}
			if bodies[at] == nil {
				bodies[at] = map[string][]edit{}
			}
			bodies[at][m.name] = append(bodies[at][m.name], e)
		}
	}
	files := map[string]string{}
	var failures []error
	order := func(a, b place) int { return strings.Compare(a.file+" "+a.function, b.file+" "+b.function) }
	for _, at := range slices.SortedFunc(maps.Keys(bodies), order) {
		text, err := multiply(files, at, bodies[at])
		if err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", at.file, err))
			continue
		}
		files[at.file] = text
		files[path.Join(path.Dir(at.file), "mutant_in_force.go")] = fmt.Sprintf(
			"package %s\n\nimport \"os\"\n\nvar mutantInForce = os.Getenv(%q)\n", path.Base(path.Dir(at.file)), mutantEnv)
	}
	return files, errors.Join(failures...)
}

// multiply puts a function's mutated copies beside it, and in its place one that calls the one that is in force.
func multiply(files map[string]string, at place, edits map[string][]edit) (string, error) {
	names := slices.Sorted(maps.Keys(edits))
	file, f, source, err := find(files, at)
	if err != nil {
		return "", fmt.Errorf("%s: %w", names, err)
	}
	function := at.function
	copyOf := func(name, body string) string {
		from := f.Name.Pos()
		if f.Recv != nil {
			from = f.Recv.Pos()
		}
		return "func " + source(from, f.Name.Pos()) + name + source(f.Name.End(), f.Body.Pos()) + body + "\n\n"
	}
	var out strings.Builder
	chosen := "switch mutantInForce {\n"
	body := source(f.Body.Pos(), f.Body.End())
	out.WriteString(copyOf(function+"__sound", body))
	for i, name := range names {
		mutant := fmt.Sprintf("%s__%d", function, i)
		mutated, err := apply(body, name, function, edits[name])
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&out, "%s%s\n%s", mutantMark, name, copyOf(mutant, mutated))
		chosen += fmt.Sprintf("case %q:\n%s\n", name, callTo(mutant, f))
	}
	chosen += "default:\n" + callTo(function+"__sound", f) + "\n}"
	out.WriteString(header(f, source) + "{\n" + chosen + "\n}")
	return source(file.FileStart, f.Type.Pos()) + out.String() + source(f.End(), file.FileEnd), nil
}

// find returns a function, the file that it is in, and what returns the text between two places there.
func find(files map[string]string, at place) (*ast.File, *ast.FuncDecl, func(from, to token.Pos) string, error) {
	text, ok := files[at.file]
	if !ok {
		data, err := os.ReadFile(filepath.Join(root, at.file))
		if err != nil {
			return nil, nil, nil, err
		}
		text = string(data)
	}
	file, err := parser.ParseFile(token.NewFileSet(), "", text, parser.SkipObjectResolution)
	if err != nil {
		return nil, nil, nil, err
	}
	var found []*ast.FuncDecl
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Name.Name == at.function {
			found = append(found, f)
		}
	}
	if len(found) != 1 {
		return nil, nil, nil, fmt.Errorf("there are %d functions called %s: let the mutation follow the source", len(found), at.function)
	}
	return file, found[0], func(from, to token.Pos) string { return text[from-file.FileStart : to-file.FileStart] }, nil
}

func apply(body, name, function string, edits []edit) (string, error) {
	for _, e := range edits {
		if n := strings.Count(body, e.old); n != 1 || e.old == e.new {
			return "", fmt.Errorf("%s: %s has this text %d times and has to have it once; if it has moved on, let the mutation follow:\n%s",
				name, function, n, e.old)
		}
		body = strings.Replace(body, e.old, e.new, 1)
	}
	return body, nil
}

// header is a function's own, with its parameters called p0, p1 and so on.
func header(f *ast.FuncDecl, source func(from, to token.Pos) string) string {
	out := "func "
	if f.Recv != nil {
		out += "(r " + source(f.Recv.List[0].Type.Pos(), f.Recv.List[0].Type.End()) + ") "
	}
	var params []string
	for _, field := range f.Type.Params.List {
		for range max(1, len(field.Names)) {
			params = append(params, fmt.Sprintf("p%d %s", len(params), source(field.Type.Pos(), field.Type.End())))
		}
	}
	out += f.Name.Name + "(" + strings.Join(params, ", ") + ") "
	if f.Type.Results != nil {
		out += source(f.Type.Results.Pos(), f.Type.Results.End()) + " "
	}
	return out
}

// callTo calls another function with what header takes.
func callTo(name string, f *ast.FuncDecl) string {
	var args []string
	variadic := ""
	for _, field := range f.Type.Params.List {
		for range max(1, len(field.Names)) {
			args = append(args, fmt.Sprintf("p%d", len(args)))
		}
		if _, ok := field.Type.(*ast.Ellipsis); ok {
			variadic = "..."
		}
	}
	out := name + "(" + strings.Join(args, ", ") + variadic + ")"
	if f.Recv != nil {
		out = "r." + out
	}
	if f.Type.Results != nil {
		out = "return " + out
	}
	return out
}
