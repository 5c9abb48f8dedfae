package mutations

// hazards are the bugs by which the hazards that docs/reliability.md numbers would come back, one for each at least.
//
//nolint:gochecknoglobals // a table that nothing changes
var hazards = []mutation{
	{
		// Pauses that nothing shows to have been carried out are looked for later, which would bring these servers back.
		name: "S01-no-answer-taken-for-restored",
		edits: []edit{
			{engine + "condition.go", "conditionOf", "c := conditions[srv.Status]", "c := conditions[srv.Status]\n\tif c == unknown {\n\t\treturn running\n\t}"},
			{engine + "strays.go", "notePauses", "!cut.Pausing || cut.Shooting || s.dropping", "s.now().IsZero() || cut.Cycle != \"\""},
		},
		rows: every("^TestS01CellDown$/^one$/^hibernate-turned-at-/all_cells_are_down_for_2m0s"), check: "never-wakes",
	},
	{
		name: "S02-not-launched-taken-for-never-run",
		edits: []edit{
			{engine + "started.go", "neverStarted", "hasRun(srv) || !onNoHost(srv)", "!srv.LaunchedAt.IsZero()"},
			{engine + "started.go", "neverStarted", "return s.neverBuilt(ctx, srv.ID, entries)", "return true, nil"},
		},
		rows: every("^TestS02RanBeforeLaunched$/^one$/^resume$"), check: "back-in-time",
	},
	{
		name:  "S03-live-migration-ends-the-cut",
		edits: []edit{{engine + "effect.go", "effectOf", "return effects[entry.Action]", "if entry.Action == \"live-migration\" {\n\t\treturn replaces\n\t}\n\treturn effects[entry.Action]"}},
		rows:  tests(engine, "^TestS03ActionsBehindTheSeal$"), check: "TestS03ActionsBehindTheSeal",
	},
	{
		name:  "S03-rebuilt-disk-taken-for-the-servers-own",
		edits: []edit{{engine + "effect.go", "effectOf", "return effects[entry.Action]", "if entry.Action == \"rebuild\" {\n\t\treturn keeps\n\t}\n\treturn effects[entry.Action]"}},
		rows:  tests(engine, "^TestS03ActionsBehindTheSeal$"), check: "TestS03ActionsBehindTheSeal",
	},
	{
		name:  "S04-half-a-cluster-taken-for-all",
		edits: []edit{{engine + "orphans.go", "checkOrphans", "s.record != nil && s.record.Sealed != nil", "true"}},
		rows:  every("^TestS04RecordLost$/^pair$/^hibernate$"), check: "never-wakes",
	},
	{
		name:  "S05-lists-without-bound",
		edits: []edit{{openstack + "page.go", "add", "p.left.items < 0", "p.left.items < -1<<30"}, {openstack + "page.go", "add", "p.left.heap < 0", "p.left.heap < -1<<40"}},
		rows:  tests(openstack, "^TestS05BoundedLists$/^small_entries$"), check: "TestS05BoundedLists",
	},
	{
		name:  "S06-old-record-obeyed",
		edits: []edit{{engine + "oldrecord.go", "reopen", "len(made) == 0", "len(made) < 1000"}},
		rows:  tests(engine, "^TestS06OldSealedRecordOfARunningCluster$"), check: "TestS06OldSealedRecordOfARunningCluster",
	},
	{
		name:  "S07-anybody-is-a-twin",
		edits: []edit{{controller + "openstack_twins.go", "Contend", "other.Spec.Installed && other.Spec.ClusterMetadata != nil && a.CanHandle(other)", "other.Spec.ClusterMetadata != nil && a.CanHandle(other)"}},
		rows:  tests(controller, "^TestS07WhoIsATwin$"), check: "TestS07WhoIsATwin",
	},
	{
		name:  "S08-no-room-reckoned",
		edits: []edit{{engine + "room.go", "checkRoom", "size > maxRecord", "len(r.Machines) > 900"}},
		rows:  tests(engine, "^TestS08"), check: "TestS08LargestRecordThatIsAccepted",
	},
	{
		name:  "S09-token-for-any-override",
		edits: []edit{{clusterAPI + "kubeconfig.go", "checkURLOverride", `address.Scheme != "https", `, ""}},
		rows:  tests(clusterAPI, "^TestS09OverrideGetsNoCredentials$"), check: "TestS09OverrideGetsNoCredentials",
	},
	{
		name:  "S10-virtual-TPM-not-noticed",
		edits: []edit{{engine + "fitness.go", "dying", "ok && !disabled(settings[key])", "ok && disabled(settings[key])"}},
		rows:  tests(engine, "^TestS10StateThatDiesWithTheServer$"), check: "TestS10StateThatDiesWithTheServer",
	},
	{
		name:  "S11-waits-for-ever",
		edits: []edit{{engine + "settle.go", "settling", "lasts >= s.settlingLimit()", "lasts < 0"}},
		rows:  every("^TestS11StuckServer$"), check: "silent",
	},
	{
		name:  "S12-denied-addresses-reached",
		edits: []edit{{guard + "dialguard.go", "leadsToDenied", "prefix.Contains(candidate)", "prefix.Contains(candidate) && prefix.Addr().Is6()"}},
		rows:  tests(openstack, "^TestS12"), check: "TestS12CatalogsThatLeadToDeniedAddresses",
	},
	{
		name:  "S13-empty-image-taken-for-whole",
		edits: []edit{{engine + "image_condition.go", "lacksData", "img.SizeBytes <= 0", "img.SizeBytes < 0"}},
		rows:  every("^TestS13EmptyImage$/^one$/^hibernate$"), check: "last-copy",
	},
	{
		name:  "S14-power-state-not-read",
		edits: []edit{{engine + "condition.go", "agrees", "return power == openstackclient.PowerPaused", "return true"}},
		rows:  every("^TestS14PausedAndRunning$/^one$/^hibernate$"), check: "lost-disk",
	},
	{
		name:  "S15-ports-of-Nova-taken-for-own",
		edits: []edit{{engine + "fitness.go", "originOf", "return portOfNova", "return portUnclear"}},
		rows:  tests(engine, "^TestS15"), check: "TestS15WhoMadeAPort",
	},
	{
		name:  "S16-success-in-HTML-quoted",
		edits: []edit{{openstack + "answer.go", "foreign", "answer.Actual < 300", "answer.Actual < 200"}},
		rows:  tests(openstack, "^TestS16UnexpectedSuccess$"), check: "TestS16UnexpectedSuccess",
	},
	{
		name:  "S17-reads-not-repeated",
		edits: []edit{{openstack + "repeat.go", "repeat", "!repeatable(op, failure) ||", "failure != nil ||"}},
		rows:  sample("^TestS17BadCloud$/^six$/^hibernate$/^15$"), check: "slow",
	},
}
