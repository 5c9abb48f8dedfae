package mutations

// always are bugs in what holds at any time.
//
//nolint:gochecknoglobals // a table that nothing changes
var always = []mutation{
	{
		name:  "claims-ignored",
		edits: []edit{{engine + "session.go", "yield", "s.stored == nil || s.claimed", "true"}},
		rows:  every("^TestTwoManagers$/^one$/^hibernate$/another_manager_starts"), check: "claim",
	},
	{
		name: "record-without-finalizer",
		edits: []edit{
			{engine + "store.go", "create", "Finalizers: []string{RecordFinalizer},", ""},
			{engine + "store.go", "save", "secret.DeletionTimestamp == nil", "false"},
		},
		rows: every("^TestMeddling$/^one$/^hibernate$/the_record_is_deleted"), check: "never-wakes",
	},
	{
		name:  "unknown-fields-lost",
		edits: []edit{{engine + "unknown.go", "keepsAny", "return keeps", "return false"}},
		rows:  every("^TestMeddling$/^one$/^hibernate$/newer_manager"), check: "unknown-field",
	},
	{
		name: "looked-at-for-ever",
		edits: []edit{
			{controller + "cleanup.go", "cleanup", "return Outcome{}, v.dropFinalizer(ctx)", "return Outcome{After: lookAgain}, v.dropFinalizer(ctx)"},
			{controller + "cleanup.go", "cleaned", "return Outcome{}, v.dropFinalizer(ctx)", "return Outcome{After: lookAgain}, v.dropFinalizer(ctx)"},
			{controller + "start.go", "record", "v.memo.recordless == fingerprint(v.cd)", "false"},
		},
		rows: every("^TestCrashPoints$/^one$/^cleanup$/^1-"), check: "not-quiet",
	},
	{
		name:  "password-in-a-log-line",
		edits: []edit{{controller + "openstack_actuator.go", "session", "cloud, err := ", "logger.Debugf(\"using %s\", credentials.CloudsYAML)\n\tcloud, err := "}},
		rows:  every("^TestCrashPoints$/^one$/^hibernate$/^1-"), check: "credential",
	},
}
