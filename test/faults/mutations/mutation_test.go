package mutations

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
)

// mutation is a bug that somebody could make, and what finds it.
type mutation struct {
	name string
	// edits make the bug.
	edits []edit
	// rows are those of the harness that are run.
	rows rows
	// check is the one that has to be violated.
	check string
}

// edit replaces a text that a function has once.
type edit struct{ file, function, old, new string }

// rows say which rows of the harness are run: its -test.run, and whether at every point or at a sample.
type rows struct {
	// pkg is the package that is tested.
	pkg  string
	run  string
	full bool
}

const harnessPackage = "./test/faults"

func every(run string) rows { return rows{pkg: harnessPackage, run: run, full: true} }

func sample(run string) rows { return rows{pkg: harnessPackage, run: run} }

// tests are those of another package, for bugs that no run of the harness comes near: the check is the test that fails.
func tests(dir, run string) rows { return rows{pkg: "./" + strings.TrimSuffix(dir, "/"), run: run} }

const (
	engine     = "pkg/hibernation/"
	controller = "pkg/controller/hibernation/"
	openstack  = "pkg/openstackclient/"
	clusterAPI = "pkg/remoteclient/"
	guard      = "pkg/dialguard/"
	// root is the repository, as seen from here.
	root = "../../.."
)

func table() []mutation {
	return slices.Concat(beforeSeal, behindSeal, waking, always, inside, hazards)
}

// Every mutation can still be made in the source as it is.
func TestTableFits(t *testing.T) {
	g := NewWithT(t)
	names := map[string]bool{}
	for _, m := range table() {
		g.Expect(names).NotTo(HaveKey(m.name))
		names[m.name] = true
		g.Expect(m.check).NotTo(BeEmpty(), m.name)
		g.Expect(m.rows.run).NotTo(BeEmpty(), m.name)
		g.Expect(m.edits).NotTo(BeEmpty(), m.name)
	}
	_, err := plant(table())
	g.Expect(err).NotTo(HaveOccurred())
}

// What is not there once can't be replaced.
func TestEditsThatDoNotFit(t *testing.T) {
	g := NewWithT(t)
	try := func(e edit) error {
		_, err := plant([]mutation{{name: "a-bug", edits: []edit{e}}})
		return err
	}
	sound := edit{engine + "image_condition.go", "finished", "imageWhole", "imageGrowing"}
	g.Expect(try(sound)).To(Succeed())
	for i, e := range []edit{
		{sound.file, sound.function, "imageBroken", sound.new},
		{sound.file, sound.function, "t", sound.new},
		{sound.file, sound.function, sound.old, sound.old},
		{sound.file, "nothing", sound.old, sound.new},
		{engine + "nothing.go", sound.function, sound.old, sound.new},
	} {
		g.Expect(try(e)).To(MatchError(ContainSubstring("a-bug")), fmt.Sprint(i))
	}
}
