package mutations

// beforeSeal are bugs on the way to the seal, and in what undoes it.
//
//nolint:gochecknoglobals // a table that nothing changes
var beforeSeal = []mutation{
	{
		// Whatever claims the record before a change would save it too: at the health checks, and in act.
		name: "intent-saved-after-the-pause",
		edits: []edit{
			{engine + "inventory.go", "begin", "return s.save(ctx)", "return nil"},
			{engine + "health_checks.go", "pauseHealthChecks", "s.claim(ctx)", "ctx.Err()"},
			{engine + "health_checks.go", "pauseHealthChecks", "return done(), s.save(ctx)", "return done(), nil"},
			{engine + "pause.go", "intendPauses", "return s.save(ctx)", "return nil"},
			{
				engine + "pause.go", "pause", "s.act(ctx, group, s.pauseOne)",
				"s.each(ctx, len(group), func(ctx context.Context, i int) error { return s.pauseOne(ctx, group[i]) })",
			},
			{
				engine + "pause.go", "pause", "return s.pending(StageStopping, s.soon(), waiting), nil",
				"s.changed()\n\treturn s.pending(StageStopping, s.soon(), waiting), s.save(ctx)",
			},
		},
		rows: every("^TestCrashPoints$/^one$/^hibernate$/^1-"), check: "intent",
	},
	{
		name:  "snapshots-saved-after-the-call",
		edits: []edit{{engine + "snapshot.go", "shootAll", "s.intend(ctx, attempts)", "ctx.Err()"}},
		rows:  every("^TestCrashPoints$/^one$/^hibernate$/^1-"), check: "intent",
	},
	{
		name: "no-barrier",
		edits: []edit{
			{engine + "pause.go", "pause", "len(todo) == 0 && len(waiting) == 0", "len(todo) == 0"},
			{engine + "pause.go", "pause", "return s.pending(StageStopping, s.soon(), waiting), nil", "return done(), nil"},
			{engine + "pause.go", "barrier", "is != stopped(m) || srv.TaskState != \"\"", "srv == nil"},
		},
		rows: every("^TestSingleFaults$/^one$/^hibernate$/server.pause-409"), check: "barrier",
	},
	{
		name:  "prefix-match-alone",
		edits: []edit{{engine + "look.go", "owned", "return mine, nil", "return mine || strings.HasPrefix(srv.Name, infraID+\"-\"), nil"}},
		rows:  every("^TestCrashPoints$/^one$/^hibernate$/^1-"), check: "foreign",
	},
	{
		name:  "unpause-before-rollback",
		edits: []edit{{engine + "rollback.go", "abandonCut", "return done(), s.save(ctx)", "return done(), nil"}},
		rows:  every("^TestReversals$/^one$/^hibernate$"), check: "abandoned",
	},
	{
		name:  "abandoned-cut-goes-on",
		edits: []edit{{engine + "plan.go", "putToSleep", "s.record.Cut.Abandoned", "s.record.Cut.Abandoned && s.record.Cut.Why == byUser"}},
		rows:  every("^TestSingleFaults$/^six$/^hibernate$/server.pause-403_again"), check: "abandoned",
	},
	{
		name:  "rollback-starts-what-was-off",
		edits: []edit{{engine + "rollback.go", "asBefore", "srv.TaskState != \"\" || m.Before != statusActive", "srv.TaskState != \"\""}},
		rows:  sample("^TestReversals$/^uneven$/^hibernate$"), check: "attributes",
	},
	{
		name:  "rollback-keeps-its-snapshots",
		edits: []edit{{engine + "rollback.go", "forgetCut", "r.giveUp(&Snapshot{ID: img.ID, Name: img.Name})", "_ = img"}},
		rows:  sample("^TestReversals$/^six$/^hibernate$"), check: "left-over",
	},
	{
		name: "delete-before-seal",
		edits: []edit{
			{engine + "seal.go", "seal", "s.save(ctx)", "ctx.Err()"},
			{engine + "delete.go", "deleteServers", "s.rereadSeal(ctx)", "ctx.Err()"},
			{engine + "delete.go", "deleteAll", "s.save(ctx)", "ctx.Err()"},
		},
		rows: every("^TestCrashPoints$/^one$/^hibernate$/^1-"), check: "seal",
	},
	{
		// Nova is still at a server whose snapshot is not complete.
		name: "unfinished-snapshots-sealed",
		edits: []edit{
			{
				engine + "image_condition.go", "imageConditionOf", "c := imageConditions[img.Status]",
				"c := imageConditions[img.Status]\n\tif img.Status != images.ImageStatusQueued {\n\t\treturn imageWhole\n\t}",
			},
			{engine + "seal.go", "still", "srv.TaskState != \"\"", "false"},
			{engine + "seal.go", "unlikeRecord", "srv.TaskState != \"\"", "false"},
			{engine + "objections.go", "sort", "srv.TaskState != \"\"", "false"},
		},
		rows: sample("^TestRandomSchedules$"), check: "seal",
	},
}
