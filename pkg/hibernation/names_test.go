package hibernation

import (
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

func TestSnapshotNamesRoundTrip(t *testing.T) {
	const cycle = "20261123-150405"
	for name, test := range map[string]struct{ machine, parsed string }{
		"usual":                       {"demo-x7k2p-master-0", "demo-x7k2p-master-0"},
		"one character":               {"a", "a"},
		"the separator in it":         {"a-hibernation-20250101-000000", "a-hibernation-20250101-000000"},
		"the longest that fits":       {strings.Repeat("m", 227), strings.Repeat("m", 227)},
		"one more":                    {strings.Repeat("m", 228), strings.Repeat("m", 218) + "-1885c9dd"},
		"as long as Nova's names get": {strings.Repeat("m", 255), strings.Repeat("m", 218) + "-ff25e348"},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			built := SnapshotName(test.machine, cycle)
			g.Expect(len(built)).To(BeNumerically("<=", 255))
			machine, parsedCycle, ok := ParseSnapshotName(built)
			g.Expect(ok).To(BeTrue())
			g.Expect(machine).To(Equal(test.parsed))
			g.Expect(parsedCycle).To(Equal(cycle))
		})
	}
}

func TestOtherNamesAreNoSnapshots(t *testing.T) {
	for _, name := range []string{
		"", "demo", "-hibernation-20261123-150405", "demo-hibernation-", "demo-hibernation-20261323-150405",
		"demo-hibernation-20261123-150405-2", "demo-hibernation-20261123150405", "demo-hibernation-2026112-3150405",
		"demo-snapshot-20261123-150405", "demo-hibernation-20261123-150405 ",
	} {
		t.Run(name, func(t *testing.T) {
			_, _, ok := ParseSnapshotName(name)
			NewWithT(t).Expect(ok).To(BeFalse())
		})
	}
}

func TestShortenedNamesDiffer(t *testing.T) {
	g := NewWithT(t)
	long := strings.Repeat("n", 300)
	for _, build := range []func(string) string{
		RecordName, labelValue, func(s string) string { return SnapshotName(s, "20261123-150405") },
	} {
		g.Expect(build(long + "a")).NotTo(Equal(build(long + "b")))
		g.Expect(build(long + "a")).To(Equal(build(long + "a")))
		g.Expect(len(build(long))).To(BeNumerically("<=", 255))
	}
	g.Expect(RecordName("demo")).To(Equal("demo-hibernation"))
	g.Expect(len(RecordName(long))).To(Equal(253))
	g.Expect(RecordName(strings.Repeat("n", 241))).To(Equal(strings.Repeat("n", 241) + "-hibernation"))
	g.Expect(len(labelValue(long))).To(Equal(63))
}

func TestNextCycle(t *testing.T) {
	now := time.Date(2026, 11, 23, 16, 4, 5, 999, time.FixedZone("CET", 3600))
	for name, test := range map[string]struct {
		earlier []string
		want    string
	}{
		"the first, in UTC":        {nil, "20261123-150405"},
		"a later one":              {[]string{"20261123-150404"}, "20261123-150405"},
		"within the same second":   {[]string{"20261123-150405"}, "20261123-150406"},
		"the clock was set back":   {[]string{"20270101-000000"}, "20270101-000001"},
		"later than all":           {[]string{"20261123-150405", "20270101-235959", "20261231-000000"}, "20270102-000000"},
		"what is none is no cycle": {[]string{"", "soon", "20269999-000000"}, "20261123-150405"},
	} {
		t.Run(name, func(t *testing.T) {
			NewWithT(t).Expect(nextCycle(now, test.earlier...)).To(Equal(test.want))
		})
	}
}
