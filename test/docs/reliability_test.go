package docs

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
)

const (
	root        = "../.."
	reliability = root + "/docs/reliability.md"
	flags       = root + "/cmd/manager/options.go"
	plantedBugs = root + "/test/faults/mutations/hazards_test.go"
)

// sources returns the text of all Go files of ours, those with tests or the others.
func sources(t *testing.T, tests bool) string {
	t.Helper()
	g := NewWithT(t)
	var all strings.Builder
	g.Expect(filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (entry.Name() == "vendor" || entry.Name() == ".git") {
			return filepath.SkipDir
		}
		if entry.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") != tests {
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		all.Write(content)
		return all.WriteByte('\n')
	})).To(Succeed())
	return all.String()
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return string(content)
}

// TestNamedTestsExist: the page on reliability names tests, by their whole names or by how they begin.
func TestNamedTestsExist(t *testing.T) {
	g := NewWithT(t)
	code := sources(t, true)
	named := regexp.MustCompile("`(Test[A-Za-z0-9_]+)(…?)`").FindAllStringSubmatch(read(t, reliability), -1)
	g.Expect(len(named)).To(BeNumerically(">", 50))
	for _, name := range named {
		declared := "\nfunc " + name[1]
		if name[2] == "" {
			declared += "("
		}
		g.Expect(strings.Contains(code, declared)).To(BeTrue(), "there is no %s%s", name[1], name[2])
	}
}

// TestHazardsHaveTestsAndPlantedBugs: each of the hazards has a row, a test that is called by its number, and a planted bug.
func TestHazardsHaveTestsAndPlantedBugs(t *testing.T) {
	g := NewWithT(t)
	bugs := read(t, plantedBugs)
	rows := regexp.MustCompile(`(?m)^\| S(\d+) \|(.*)\|(.*)\|(.*)\|$`).FindAllStringSubmatch(read(t, reliability), -1)
	g.Expect(rows).To(HaveLen(17))
	for i, row := range rows {
		g.Expect(row[1]).To(Equal(strconv.Itoa(i + 1)))
		g.Expect(row[3]).To(ContainSubstring(fmt.Sprintf("`TestS%02d", i+1)))
		planted := regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row[4], -1)
		g.Expect(planted).NotTo(BeEmpty())
		for _, bug := range planted {
			g.Expect(bug[1]).To(HavePrefix(fmt.Sprintf("S%02d-", i+1)))
			g.Expect(regexp.MustCompile(`name: +"`+regexp.QuoteMeta(bug[1])+`"`).MatchString(bugs)).To(BeTrue(), bug[1])
		}
	}
}

// TestNamedBoundsExist: the table of bounds names constants and functions of the code, flags and files.
func TestNamedBoundsExist(t *testing.T) {
	g := NewWithT(t)
	code, options := sources(t, false), read(t, flags)
	_, section, found := strings.Cut(read(t, reliability), "\n## The bounds\n")
	g.Expect(found).To(BeTrue())
	section, _, _ = strings.Cut(section, "\n## ")
	rows, names := 0, 0
	for _, line := range strings.Split(section, "\n") {
		cells := strings.Split(line, "|")
		if len(cells) != 6 || strings.HasPrefix(cells[1], "--") || strings.Contains(cells[1], "**") {
			continue
		}
		rows++
		for _, name := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[3], -1) {
			names++
			g.Expect(exists(name[1], code, options)).To(BeTrue(), "there is no %s, which the row %q names", name[1], strings.TrimSpace(cells[1]))
		}
		g.Expect(rows == 1 || strings.Contains(cells[4], "`Test")).To(BeTrue(), "no test is named for %q", strings.TrimSpace(cells[1]))
	}
	g.Expect(rows).To(BeNumerically(">", 30))
	g.Expect(names).To(BeNumerically(">", 40))
}

// exists reports whether there is a flag, a file, or a constant or function of that name.
func exists(name, code, options string) bool {
	if flag, ok := strings.CutPrefix(name, "--"); ok {
		return strings.Contains(options, `"`+flag+`"`)
	}
	if strings.Contains(name, "/") {
		_, err := os.Stat(filepath.Join(root, name))
		return err == nil
	}
	return regexp.MustCompile(`(?m)^(\t|const |func (\([^)]*\) )?)(\w+, )*` + regexp.QuoteMeta(name) + `\b( |\(|,)`).MatchString(code)
}
