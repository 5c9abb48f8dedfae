package mutations

// behindSeal are bugs in what comes after the seal: the servers go.
//
//nolint:gochecknoglobals // a table that nothing changes
var behindSeal = []mutation{
	{
		name:  "deleting-not-saved",
		edits: []edit{{engine + "delete.go", "deleteAll", "s.save(ctx)", "ctx.Err()"}},
		rows:  every("^TestCrashPoints$/^one$/^hibernate$/^1-"), check: "intent",
	},
	{
		name:  "not-undone-on-deletion",
		edits: []edit{{engine + "release.go", "Release", "s.undo(ctx)", "done(), ctx.Err()"}},
		rows:  every("^TestDeletions$/^one$/^hibernate$/false"), check: "left-paused",
	},
	{
		name:  "preserved-snapshots-deleted",
		edits: []edit{{controller + "release.go", "keeps", "v.cd.Spec.PreserveOnDelete", "false"}},
		rows:  every("^TestDeletions$/^one$/^(hibernate|resume)$/true"), check: "lost-disk",
	},
}
