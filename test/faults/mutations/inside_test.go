package mutations

const (
	repair   = "pkg/noderepair/"
	approval = "pkg/csrapproval/"
)

// inside are bugs in how a cluster is made to take its new servers for its own.
//
//nolint:gochecknoglobals // a table that nothing changes
var inside = []mutation{
	{
		name:  "node-forgotten-once-deleted",
		edits: []edit{{repair + "nodes.go", "node", "case node == nil:\n\t\tr.revive(ctx, m, *was)", "case node == nil:"}},
		rows:  every("^TestCrashPoints$/^one$/^resume$"), check: "never-wakes",
	},
	{
		name:  "old-providerID-of-missing-server-kept",
		edits: []edit{{repair + "repair.go", "stale", `is != "" && is != m.ServerID`, `is != "" && m.ServerID != "" && is != m.ServerID`}},
		rows:  every("^TestCrashPoints$/^cramped$/^resume$/^1-"), check: "node-lost",
	},
	{
		name:  "failed-machine-left-so",
		edits: []edit{{repair + "machines.go", "takeBack", `text(obj, "status", "phase") != phaseFailed`, "true"}},
		rows:  every("^TestBursts$/^one$/^resume$/unreachable"), check: "machine-lost",
	},
	{
		name:  "machines-not-readdressed",
		edits: []edit{{repair + "machines.go", "readdress", "ServerID(is) == m.ServerID", "true"}},
		rows:  every("^TestCrashPoints$/^one$/^resume$/^1-"), check: "machine-lost",
	},
	{
		name:  "labels-lost-in-the-swap",
		edits: []edit{{repair + "nodes.go", "successor", "Labels: maps.Clone(node.Labels), ", ""}, {repair + "nodes.go", "inherit", "!is.Inherit(was)", "true"}},
		rows:  every("^TestCrashPoints$/^one$/^resume$/^1-"), check: "left-over",
	},
	{
		name:  "health-checks-not-paused",
		edits: []edit{{repair + "healthchecks.go", "PauseHealthChecks", "if _, paused := annotations[pausedAnnotation]; paused {", "if _, paused := annotations[pausedAnnotation]; paused || !paused {"}},
		rows:  every("^TestCrashPoints$/^cramped$/^resume$/^1-"), check: "remediated",
	},
	{
		name:  "health-checks-left-paused",
		edits: []edit{{repair + "healthchecks.go", "ResumeHealthChecks", "if !marked {", "if marked || !marked {"}},
		rows:  every("^TestCrashPoints$/^one$/^resume$/^1-"), check: "health-checks",
	},
	{
		name:  "owners-pause-taken-off",
		edits: []edit{{repair + "healthchecks.go", "PauseHealthChecks", "if _, paused := annotations[pausedAnnotation]; paused {", "if _, paused := annotations[pausedAnnotation]; paused && !paused {"}},
		rows:  every("^TestCrashPoints$/^one$/^resume$/^1-"), check: "health-checks",
	},
	{
		name:  "drivers-not-restarted",
		edits: []edit{{repair + "drivers.go", "restartDrivers", "len(swapped) == 0", "true"}},
		rows:  every("^TestCrashPoints$/^one$/^resume$/^1-"), check: "csi",
	},
	{
		name:  "anybody-gets-a-certificate",
		edits: []edit{{approval + "decide.go", "checkBootstrapper", "spec.Username != bootstrapper", "len(spec.Username) == 0"}},
		rows:  every("^TestCrashPoints$/^expired$/^resume$/^1-"), check: "approved",
	},
	{
		name:  "certificates-not-approved",
		edits: []edit{{controller + "repair.go", "approve", "skipsRepair(v.cd)", "len(v.cd.Name) > 0"}},
		rows:  every("^TestCrashPoints$/^expired$/^resume$/^1-"), check: "never-wakes",
	},
}
