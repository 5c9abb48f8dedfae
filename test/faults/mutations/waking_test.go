package mutations

// waking are bugs in making the servers again.
//
//nolint:gochecknoglobals // a table that nothing changes
var waking = []mutation{
	{
		// What is saved before each create would save it too.
		name: "opened-saved-after-the-create",
		edits: []edit{
			{engine + "create.go", "open", "return done(), s.save(ctx)", "return done(), nil"},
			{engine + "create.go", "createAll", "s.intend(ctx, attempts)", "ctx.Err()"},
		},
		rows: every("^TestCrashPoints$/^one$/^resume$/^1-"), check: "intent",
	},
	{
		name:  "create-saved-after-the-call",
		edits: []edit{{engine + "create.go", "createAll", "s.intend(ctx, attempts)", "ctx.Err()"}},
		rows:  every("^TestCrashPoints$/^one$/^resume$/^1-"), check: "intent",
	},
	{
		name:  "nothing-adopted",
		edits: []edit{{engine + "create.go", "adopt", "range l.named(m.Name)", "range l.named(\"\")"}},
		rows:  every("^TestSingleFaults$/^one$/^resume$/server.create-reset_after"), check: "never-wakes",
	},
	{
		name: "one-of-two-adopted",
		edits: []edit{
			{engine + "create.go", "adopt", "len(match) > 1", "len(match) < 0"},
			{engine + "create.go", "adopt", "len(match) == 1", "len(match) > 0"},
		},
		rows: every("^TestTwinsByHand$"), check: "silent",
	},
	{
		// That a leftover still has its name is looked at again before it is deleted.
		name: "any-image-of-the-cluster-taken",
		edits: []edit{
			{engine + "images.go", "isShot", "img.Name == want.Name && ", ""},
			{engine + "cleanup.go", "letGoRenamed", "seen && name != l.Name", "seen && name == \"\""},
		},
		rows: every("^TestOthers$/^one$/^hibernate-again$/own-image"), check: "foreign",
	},
	{
		name:  "ran-and-keeps-its-snapshot",
		edits: []edit{{engine + "inventory.go", "machineFor", "m.Creation.Ran = true", "m.InCut = false"}},
		rows:  every("^TestReversals$/^one$/^resume$"), check: "one-cut",
	},
	{
		name:  "leftovers-forgotten",
		edits: []edit{{engine + "cleanup.go", "sweep", "if !gone[i] {", "if i < 0 {"}},
		rows:  every("^TestCrashPoints$/^in-use$/^cleanup$/^1-"), check: "left-over",
	},
	{
		name:  "server-group-forgotten",
		edits: []edit{{engine + "create.go", "createOpts", "ServerGroup: spec.ServerGroup,", ""}},
		rows:  every("^TestCrashPoints$/^six$/^resume$/^1-"), check: "attributes",
	},
	{
		name:  "ports-forgotten",
		edits: []edit{{engine + "create.go", "createOpts", "Port: p.ID", "UUID: p.NetworkID"}},
		rows:  every("^TestCrashPoints$/^one$/^resume$/^1-"), check: "attributes",
	},
}
