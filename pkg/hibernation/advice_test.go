package hibernation

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
)

// loseDisks are the words by which a message may advise something that loses a disk.
var loseDisks = regexp.MustCompile(`(?i)\b(delete|deleted|remove|removed|destroy|rebuild|resize|reset|format|wipe|discard|give .* up|gave .* up|clear|detach|rename)\b`)

// harmless are the texts with such words, each by a part of it, and why whoever obeys it loses no disk. A new text has to be
// thought about, and added.
var harmless = map[string]string{
	// Statements: they advise nothing.
	"cannot delete the hibernation record":     "says what failed",
	"could not be deleted":                     "says what failed",
	"Nova refuses to pause or delete it":       "says why; the advice is to unlock the server",
	"Nova refuses to delete it":                "says why; the advice is to unlock the server",
	"Nova does not delete its server now":      "says why; the advice is to unlock the server",
	"being deleted":                            "says what is waited for",
	"was deleted":                              "says what was found",
	"it is not deleted before that":            "says what is not done",
	"would be deleted with the server":         "says why it is refused",
	"taken for removed on purpose":             "says what was concluded",
	"lets the installer's destroy find":        "names the installer's command",
	"the installer's destroy will not find it": "names the installer's command",

	"were deleted by somebody else":        "says what was found; the advice is the right record, or to make the servers again",
	"so that its server %s is not deleted": "says what is not done; both ways out keep a copy",
	"find out who deleted it":              "says what was found",
	"is soft-deleted":                      "says what was found; the advice is to restore the server",
	"without a disk format":                "says what was found",
	"cannot be deleted yet":                "says what is waited for",

	// Advice.
	"have an administrator reset the state of server":  "the server and its disk stay; it is said only of one that is being brought back",
	"is needed no more, rename the image":              "the image keeps its data",
	"clear its device_id, which is":                    "said only where the device exists no more: the port gets free",
	"detach it":                                        "the volume stays in Cinder, with all of its data",
	"detach that interface":                            "the server, its disk and the port stay",
	"or detach the port":                               "the server, its disk and the port stay",
	"openshift-install destroy bootstrap":              "the bootstrap server is no machine of the cluster, and its disk holds nothing that anybody needs",
	"resize it to a flavor without":                    "says first to move the data of the local disks elsewhere",
	"resize the server or have the flavor":             "Nova makes no root disk smaller",
	"rename one, or":                                   "both servers keep their disks",
	"if it is not, rename it":                          "the server keeps its disk",
	"remove that port from the server and add it anew": "the server keeps its disk, and a port made beforehand outlives it",
	"remove the annotations":                           "annotations of MachineHealthChecks inside the cluster",
	"remove the finalizer":                             "of a ClusterDeployment that somebody has deleted: snapshots and record stay as they are",
}

// operations are the names of what is asked of Kubernetes or OpenStack, in errors.
var operations = regexp.MustCompile(`^((remove|delete) the [a-zA-Z ]+ ?%s: %w|(delete|force-delete|detach|remove) [a-z]+)$`)

func TestS06NoAdviceLosesADisk(t *testing.T) {
	g := NewWithT(t)
	var unknown []string
	used := map[string]bool{}
	for _, dir := range []string{".", "../controller/hibernation"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		g.Expect(err).NotTo(HaveOccurred())
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			fset := token.NewFileSet()
			file, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
			g.Expect(err).NotTo(HaveOccurred())
			ast.Inspect(file, func(n ast.Node) bool {
				lit, ok := n.(*ast.BasicLit)
				if !ok || lit.Kind != token.STRING {
					return true
				}
				text, err := strconv.Unquote(lit.Value)
				if err == nil && strings.Contains(text, " ") && loseDisks.MatchString(text) && !operations.MatchString(text) && !registered(text, used) {
					unknown = append(unknown, fset.Position(lit.Pos()).String()+": "+text)
				}
				return true
			})
		}
	}
	g.Expect(unknown).To(BeEmpty(), "think about what is lost by whoever obeys these, and add them to the table")
	for part := range harmless {
		g.Expect(used).To(HaveKey(part), "no message says it any more")
	}
}

func registered(text string, used map[string]bool) bool {
	found := false
	for part := range harmless {
		if strings.Contains(text, part) {
			used[part], found = true, true
		}
	}
	return found
}

// No message ever advises to delete a server, a snapshot or a ClusterDeployment.
func TestS06NobodyIsToldToDelete(t *testing.T) {
	g := NewWithT(t)
	for part, why := range harmless {
		if strings.HasPrefix(why, "says") || strings.HasPrefix(why, "names") {
			continue
		}
		g.Expect(part).NotTo(MatchRegexp(`\bdelete\b`))
	}
	for _, advice := range []string{adviceOrphans, adviceNoServers, adviceTakeOutOfCluster} {
		g.Expect(advice).NotTo(MatchRegexp(`\b(delete|remove|destroy)\b`))
	}
}
