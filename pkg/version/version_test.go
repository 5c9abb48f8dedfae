package version

import (
	"runtime/debug"
	"testing"

	. "github.com/onsi/gomega"
)

func TestChoose(t *testing.T) {
	const revision = "0123456789abcdef0123456789abcdef01234567"
	build := func(module string, settings ...debug.BuildSetting) *debug.BuildInfo {
		return &debug.BuildInfo{Main: debug.Module{Version: module}, Settings: settings}
	}
	commit := debug.BuildSetting{Key: "vcs.revision", Value: revision}
	modified := debug.BuildSetting{Key: "vcs.modified", Value: "true"}
	clean := debug.BuildSetting{Key: "vcs.modified", Value: "false"}

	for name, c := range map[string]struct {
		linked string
		info   *debug.BuildInfo
		want   string
	}{
		"linker wins":         {linked: "v1.2.3", info: build("v1.0.0", commit), want: "v1.2.3"},
		"module version":      {info: build("v1.0.0", commit), want: "v1.0.0"},
		"development build":   {info: build("(devel)", commit, clean), want: "0123456789ab"},
		"changes in the tree": {info: build("", modified, commit), want: "0123456789ab-dirty"},
		"short revision":      {info: build("", debug.BuildSetting{Key: "vcs.revision", Value: "abc"}), want: "abc"},
		"no commit":           {info: build("(devel)", modified), want: "unknown"},
		"no information":      {want: "unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			g.Expect(choose(c.linked, c.info)).To(Equal(c.want))
		})
	}
}

func TestGetIsNeverEmpty(t *testing.T) {
	g := NewWithT(t)
	g.Expect(Get()).NotTo(BeEmpty())
	g.Expect(Get()).NotTo(ContainSubstring(" "))
}
