package bounds_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/overwinter/overwinter/pkg/bounds"
)

func TestBudgetIsThatOfTheWholeVisit(t *testing.T) {
	g := NewWithT(t)
	g.Expect(bounds.Spend(t.Context(), 1<<40)).To(Succeed(), "there is no budget")
	visit := bounds.WithBudget(t.Context(), 1<<20)
	var requests sync.WaitGroup
	for range 64 {
		requests.Go(func() {
			for range 16 {
				g.Expect(bounds.Spend(visit, 1<<10)).To(Succeed())
			}
		})
	}
	requests.Wait()
	err := bounds.Spend(visit, 1)
	var exceeded *bounds.Exceeded
	g.Expect(errors.As(err, &exceeded)).To(BeTrue())
	g.Expect(exceeded.Bytes).To(BeEquivalentTo(1 << 20))
	g.Expect(err).To(MatchError(ContainSubstring("1024 KiB")))
	g.Expect(bounds.Spend(bounds.WithBudget(t.Context(), 1), 1)).To(Succeed(), "each visit has its own")
}

func TestCache(t *testing.T) {
	g := NewWithT(t)
	cache := bounds.NewCache[string, int](3, 100)
	g.Expect(cache.Put("a", 1, 10)).To(BeEmpty())
	g.Expect(cache.Put("b", 2, 10)).To(BeEmpty())
	g.Expect(cache.Put("c", 3, 10)).To(BeEmpty())
	_, ok := cache.Get("a")
	g.Expect(ok).To(BeTrue())
	g.Expect(cache.Put("d", 4, 10)).To(Equal([]int{2}), "the one used longest ago goes when there are too many")
	g.Expect(cache.Put("e", 5, 85)).To(Equal([]int{3, 1}), "and as many as are too heavy together")
	g.Expect(cache.Put("e", 6, 10)).To(Equal([]int{5}), "one key has one value")
	g.Expect(cache.Put("f", 7, 1000)).To(Equal([]int{4, 6}))
	g.Expect(cache.Len()).To(Equal(1), "one that is too heavy alone stays until the next comes")
	g.Expect(cache.Put("g", 8, 1)).To(Equal([]int{7}))
	g.Expect(cache.Put("h", 9, 99)).To(BeEmpty(), "what has gone weighs nothing")
	g.Expect(cache.RemoveIf(func(key string) bool { return key == "g" })).To(Equal([]int{8}))
	g.Expect(cache.Remove("h")).To(Equal([]int{9}))
	g.Expect(cache.Remove("h")).To(BeEmpty())
	_, ok = cache.Get("h")
	g.Expect(ok).To(BeFalse())
	g.Expect(cache.Len()).To(BeZero())
}

// TestS05YAML: what a Secret holds may be anybody's text, and takes little memory or is refused.
func TestS05YAML(t *testing.T) {
	laughs := "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
	for _, level := range []string{"b", "c", "d", "e"} {
		before := string(level[0] - 1)
		laughs += level + ": &" + level + " [" + strings.Repeat("*"+before+", ", 9) + "*" + before + "]\n"
	}
	for name, test := range map[string]struct {
		text    string
		refused string
	}{
		"nothing":              {text: ""},
		"no YAML":              {text: "clouds: [", refused: ""},
		"a few clouds":         {text: "x: &x {a: 1}\nclouds:\n" + strings.Repeat("- <<: *x\n", 100)},
		"a bundle in one line": {text: "certificate-authority-data: " + strings.Repeat("QUJD", 100<<10)},
		"too long":             {text: strings.Repeat("x", 600<<10), refused: "longer than 512 KiB"},
		"a flow of values":     {text: "[" + strings.Repeat("a,", 20_000) + "a]", refused: "too many values"},
		"a list":               {text: strings.Repeat("- a\n", 20_000), refused: "too many values"},
		"aliases of aliases":   {text: laughs, refused: "too many values"},
		"an alias of itself":   {text: "a: &a [x, *a]", refused: "too many values"},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			err := bounds.CheckYAML([]byte(test.text))
			if test.refused == "" {
				g.Expect(err).NotTo(HaveOccurred())
				return
			}
			g.Expect(err).To(MatchError(ContainSubstring(test.refused)))
		})
	}
}
