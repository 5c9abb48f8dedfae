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
		name:  "record-not-read-back",
		edits: []edit{{engine + "delete.go", "rereadSeal", "s.reload(ctx)", "ctx.Err()"}},
		rows:  every("^TestCrashPoints$/^one$/^hibernate$/^1-"), check: "read-back",
	},
	{
		name:  "lost-snapshots-not-noticed",
		edits: []edit{{engine + "objections.go", "lostSnapshots", "img == nil || !m.wholeFor(img) || !isShot(img, m.Snapshot)", "false && img == nil"}},
		rows:  every("^TestOthers$/^pair$/^hibernate$/lose-snapshot-worker"), check: "silent",
	},
	{
		// What the list leaves out, as one that is deleted softly, is not asked for by its ID.
		name:  "empty-list-taken-for-gone",
		edits: []edit{{engine + "look.go", "fetch", "s.cloud.GetServer(ctx, openstackclient.ViewHostname, unseen[i])", "(*openstackclient.Server)(nil), ctx.Err()"}},
		rows:  every("^TestCrashPoints$/^soft-delete$/^hibernate$/^1-"), check: "asleep",
	},
	{
		name:  "not-undone-on-deletion",
		edits: []edit{{engine + "release.go", "Release", "s.undo(ctx)", "done(), ctx.Err()"}},
		rows:  every("^TestDeletions$/^one$/^hibernate$/false"), check: "left-paused",
	},
	{
		name:  "preserved-snapshots-deleted",
		edits: []edit{{controller + "twins.go", "keeps", "v.cd.Spec.PreserveOnDelete", "false"}},
		rows:  every("^TestDeletions$/^one$/^(hibernate|resume)$/true"), check: "lost-disk",
	},
}
