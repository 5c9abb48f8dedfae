// Package version says which version of Overwinter is running.
package version

import "runtime/debug"

// unknown is the version of a build that says nothing about itself.
const unknown = "unknown"

// version is set by the linker (-X); see the Makefile.
var version string

// Get returns the version of this build: what the linker was told, else the module version, else the first digits of
// the commit (with "-dirty" where the tree had changes), else "unknown". It has no spaces, so it can stand in a
// User-Agent header.
func Get() string {
	info, _ := debug.ReadBuildInfo()
	return choose(version, info)
}

// choose picks the version out of what the linker was told and the build information, which may be nil.
func choose(linked string, info *debug.BuildInfo) string {
	if linked != "" {
		return linked
	}
	if info == nil {
		return unknown
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	return commit(info.Settings)
}

// commit returns the abbreviated commit in settings, or unknown.
func commit(settings []debug.BuildSetting) string {
	revision, suffix := "", ""
	for _, s := range settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			suffix = "-dirty"
		}
	}
	if revision == "" {
		return unknown
	}
	return revision[:min(12, len(revision))] + suffix
}
