package cloud_test

import (
	"slices"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/flavors"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	. "github.com/onsi/gomega"

	"github.com/overwinter/overwinter/test/cloud"
)

// slowDeeds gives each task a second, so that a test sees all of them.
var slowDeeds = cloud.Latencies{
	LiveMigrate: time.Second, Reboot: time.Second, Suspend: time.Second, Resume: time.Second, Rescue: time.Second, Shelve: time.Second,
	Resize: time.Second, Rebuild: time.Second, Start: time.Second, Stop: time.Second, Schedule: time.Second, Spawn: time.Second,
	SnapshotStart: time.Second, SnapshotExtract: time.Second, SnapshotUpload: time.Second,
}

// statuses are what a GET shows until the server has no task any more, each once.
func (r *rig) statuses(id string) []string {
	var seen []string
	for range 20 {
		s := r.server(id)
		if len(seen) == 0 || seen[len(seen)-1] != s.Status {
			seen = append(seen, s.Status)
		}
		if s.TaskState == "" {
			return seen
		}
		r.pass(500 * time.Millisecond)
	}
	return append(seen, "for ever")
}

func (r *rig) writes(id string) int64 {
	s, ok := r.Server(id)
	r.ExpectWithOffset(1, ok).To(BeTrue())
	return s.Writes
}

// TestStatusesOfDeeds: what people do to a server, what it shows on the way, and the name in its history.
func TestStatusesOfDeeds(t *testing.T) {
	hard := func(r *rig, id string) bool { return r.RebootServer(id, true) }
	for name, c := range map[string]struct {
		from    string
		do      func(*rig, string) bool
		want    []string
		entry   string
		running bool
	}{
		"live migration":              {"ACTIVE", func(r *rig, id string) bool { return r.LiveMigrateServer(id) }, []string{"MIGRATING", "ACTIVE"}, "live-migration", true},
		"live migration while paused": {"PAUSED", func(r *rig, id string) bool { return r.LiveMigrateServer(id) }, []string{"MIGRATING", "PAUSED"}, "live-migration", false},
		"cold migration":              {"ACTIVE", func(r *rig, id string) bool { return r.MigrateServer(id) }, []string{"RESIZE", "VERIFY_RESIZE"}, "migrate", true},
		"cold migration while off":    {"SHUTOFF", func(r *rig, id string) bool { return r.MigrateServer(id) }, []string{"RESIZE", "VERIFY_RESIZE"}, "migrate", false},
		"resize":                      {"ACTIVE", func(r *rig, id string) bool { return r.BeginResize(id, "rig.master") }, []string{"RESIZE", "VERIFY_RESIZE"}, "resize", true},
		"soft reboot":                 {"ACTIVE", func(r *rig, id string) bool { return r.RebootServer(id, false) }, []string{"REBOOT", "ACTIVE"}, "reboot", true},
		"hard reboot":                 {"ACTIVE", hard, []string{"HARD_REBOOT", "ACTIVE"}, "reboot", true},
		"hard reboot while paused":    {"PAUSED", hard, []string{"PAUSED", "ACTIVE"}, "reboot", true},
		"hard reboot while off":       {"SHUTOFF", hard, []string{"SHUTOFF", "ACTIVE"}, "reboot", true},
		"rescue":                      {"ACTIVE", func(r *rig, id string) bool { return r.RescueServer(id) }, []string{"ACTIVE", "RESCUE"}, "rescue", true},
		"rescue while off":            {"SHUTOFF", func(r *rig, id string) bool { return r.RescueServer(id) }, []string{"SHUTOFF", "RESCUE"}, "rescue", true},
		"suspend":                     {"ACTIVE", func(r *rig, id string) bool { return r.SuspendServer(id) }, []string{"ACTIVE", "SUSPENDED"}, "suspend", false},
		"resume":                      {"SUSPENDED", func(r *rig, id string) bool { return r.ResumeServer(id) }, []string{"SUSPENDED", "ACTIVE"}, "resume", true},
		"shelve":                      {"PAUSED", func(r *rig, id string) bool { return r.ShelveServer(id) }, []string{"PAUSED", "SHELVED", "SHELVED_OFFLOADED"}, "shelve", false},
		"evacuation":                  {"ACTIVE", func(r *rig, id string) bool { return r.EvacuateServer(id, true) }, []string{"REBUILD", "ACTIVE"}, "evacuate", true},
		"evacuation while off":        {"SHUTOFF", func(r *rig, id string) bool { return r.EvacuateServer(id, true) }, []string{"REBUILD", "SHUTOFF"}, "evacuate", false},
		"password":                    {"ACTIVE", func(r *rig, id string) bool { return r.ChangePassword(id) }, []string{"PASSWORD", "ACTIVE"}, "changePassword", true},
		"crash dump":                  {"PAUSED", func(r *rig, id string) bool { return r.CrashServer(id) }, []string{"PAUSED"}, "trigger_crash_dump", false},
		"reset of the state":          {"PAUSED", func(r *rig, id string) bool { return r.ResetServerState(id, "error") }, []string{"ERROR"}, "resetState", false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, cloud.Options{Latencies: slowDeeds, WriteInterval: time.Second})
			id := r.SeedCluster("demo", 0, 1).Workers[0].ID
			r.SetServerState(id, c.from)
			r.Expect(c.do(r, id)).To(BeTrue())
			if name == "password" { // it takes no time: a look would end it
				c.want = c.want[1:]
			}
			r.Expect(r.statuses(id)).To(Equal(c.want))
			r.Expect(r.byOthers(id)).To(Equal([]string{c.entry}))
			before := r.writes(id)
			r.pass(10 * time.Second)
			r.Expect(r.writes(id) > before).To(Equal(c.running), "it writes while its guest runs")
			r.Expect(r.Regressions()).To(BeEmpty())
		})
	}
}

// TestDeedsThatAreRefused: in Nova's words, over the API; and the functions do nothing.
func TestDeedsThatAreRefused(t *testing.T) {
	r := newRig(t, cloud.Options{})
	cluster := r.SeedCluster("demo", 0, 1)
	id := cluster.Workers[0].ID
	r.SetServerState(id, "PAUSED")
	conflict := func(err error, action string) {
		r.ExpectWithOffset(1, status(err)).To(Equal(409))
		r.ExpectWithOffset(1, body(err)).To(ContainSubstring("Cannot '" + action + "' instance " + id + " while it is in vm_state paused"))
	}
	conflict(servers.Reboot(r.ctx, r.compute, id, servers.RebootOpts{Type: servers.SoftReboot}).ExtractErr(), "reboot")
	conflict(servers.Suspend(r.ctx, r.compute, id).ExtractErr(), "suspend")
	conflict(servers.Resume(r.ctx, r.compute, id).ExtractErr(), "resume")
	conflict(servers.Rescue(r.ctx, r.compute, id, servers.RescueOpts{}).Err, "rescue")
	conflict(servers.Unrescue(r.ctx, r.compute, id).ExtractErr(), "unrescue")
	conflict(servers.Rebuild(r.ctx, r.compute, id, servers.RebuildOpts{ImageRef: cluster.ImageID}).Err, "rebuild")
	conflict(servers.Resize(r.ctx, r.compute, id, servers.ResizeOpts{FlavorRef: r.Servers()[0].FlavorID}).ExtractErr(), "resize")
	conflict(servers.ConfirmResize(r.ctx, r.compute, id).ExtractErr(), "confirmResize")
	conflict(servers.RevertResize(r.ctx, r.compute, id).ExtractErr(), "revertResize")
	conflict(servers.Unshelve(r.ctx, r.compute, id, servers.UnshelveOpts{}).ExtractErr(), "unshelve")
	for _, do := range []func(string) bool{
		r.MigrateServer, r.ConfirmResize, r.RevertResize, r.RescueServer, r.UnrescueServer, r.SuspendServer, r.ResumeServer, r.OffloadServer,
		r.UnshelveServer, r.ChangePassword,
	} {
		r.Expect(do(id)).To(BeFalse())
		r.Expect(do("nobody")).To(BeFalse())
	}
	r.Expect([]bool{r.RebootServer(id, false), r.RebuildServer(id, cluster.ImageID), r.EvacuateServer(id, true), r.BeginResize(id, "rig.master"), r.ResetServerState(id, "paused")}).
		To(HaveEach(false))
	r.Expect(r.byOthers(id)).To(BeEmpty())
}

// TestAdministratorsOnly: what a member may not is done by the functions, whatever a lock says.
func TestAdministratorsOnly(t *testing.T) {
	r := newRig(t, cloud.Options{})
	id := r.SeedCluster("demo", 0, 1).Workers[0].ID
	no := false
	host := "elsewhere"
	for rule, err := range map[string]error{
		"os-migrate-server:migrate_live": servers.LiveMigrate(r.ctx, r.compute, id, servers.LiveMigrateOpts{BlockMigration: &no, DiskOverCommit: &no}).ExtractErr(),
		"os-migrate-server:migrate":      servers.Migrate(r.ctx, r.compute, id).ExtractErr(),
		"os-evacuate":                    servers.Evacuate(r.ctx, r.compute, id, servers.EvacuateOpts{Host: host}).Err,
		"os-shelve:shelve_offload":       servers.ShelveOffload(r.ctx, r.compute, id).ExtractErr(),
		"os-admin-actions:reset_state":   servers.ResetState(r.ctx, r.compute, id, servers.StateActive).ExtractErr(),
	} {
		r.Expect(status(err)).To(Equal(403), rule)
		r.Expect(body(err)).To(ContainSubstring("Policy doesn't allow os_compute_api:"+rule+" to be performed."), rule)
	}
	r.LockServer(id, false, "")
	r.Expect(status(servers.Suspend(r.ctx, r.compute, id).Err)).To(Equal(409))
	r.Expect(r.LiveMigrateServer(id)).To(BeTrue())
	r.Expect(r.server(id).Status).To(Equal("ACTIVE"))
	r.Expect([]bool{r.UnlockByHand(id), r.LockByHand(id, true, "mine"), r.UnlockByHand(id)}).To(HaveEach(true))
	r.Expect(r.byOthers(id)).To(Equal([]string{"unlock", "lock", "unlock", "live-migration"}))
}

// TestLiveMigration: another host, the same disk, and no other action meanwhile.
func TestLiveMigration(t *testing.T) {
	r := newRig(t, cloud.Options{Latencies: slowDeeds})
	s := pausedServer(r)
	before, writes := r.server(s.ID).HostID, r.writes(s.ID)
	r.Expect(r.LiveMigrateServer(s.ID)).To(BeTrue())
	r.Expect(r.server(s.ID)).To(And(HaveField("TaskState", "migrating"), HaveField("VmState", "paused"), HaveField("HostID", before)))
	_, err := r.snapshot(s.ID, "snap", nil)
	r.Expect(status(err)).To(Equal(409))
	r.Expect(body(err)).To(ContainSubstring("while it is in task_state migrating"))
	r.Expect(r.named(servers.ListOpts{Status: "MIGRATING"})).To(Equal([]string{s.Name}))
	r.Expect(r.named(servers.ListOpts{Status: "PAUSED"})).To(Equal([]string{s.Name}), "by its vm_state")
	r.pass(time.Second)
	r.Expect(r.server(s.ID)).To(And(HaveField("TaskState", ""), HaveField("HostID", And(Not(BeEmpty()), Not(Equal(before))))))
	r.Expect(r.writes(s.ID)).To(Equal(writes))

	now := r.server(s.ID).HostID
	r.FailNextMigration(s.Name)
	r.Expect(r.LiveMigrateServer(s.ID)).To(BeTrue())
	r.Settle()
	r.Expect(r.server(s.ID)).To(And(HaveField("Status", "PAUSED"), HaveField("HostID", now)))
	r.Expect(r.lastAction(s.ID)).To(And(HaveField("Action", "live-migration"), HaveField("Message", "Error")))
}

// named are the servers that a filter finds.
func (r *rig) named(opts servers.ListOpts) []string {
	names, err := r.names(opts)
	r.ExpectWithOffset(1, err).NotTo(HaveOccurred())
	return names
}

// TestResizeAndBack: confirmed it stays, reverted the disk is that of before.
func TestResizeAndBack(t *testing.T) {
	for name, confirm := range map[string]bool{"confirmed": true, "reverted": false} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, cloud.Options{Latencies: slowDeeds, WriteInterval: time.Second})
			s := r.SeedCluster("demo", 0, 1).Workers[0]
			host := r.server(s.ID).HostID
			r.Expect(servers.Resize(r.ctx, r.compute, s.ID, servers.ResizeOpts{FlavorRef: r.flavorID("rig.master")}).ExtractErr()).To(Succeed())
			r.Settle()
			r.Expect(r.server(s.ID)).To(And(HaveField("Status", "VERIFY_RESIZE"), HaveField("HostID", Not(Equal(host)))))
			atResize := r.writes(s.ID)
			r.pass(time.Minute)
			if confirm {
				r.Expect(servers.ConfirmResize(r.ctx, r.compute, s.ID).ExtractErr()).To(Succeed())
				r.Settle()
				r.Expect(r.server(s.ID)).To(And(HaveField("Status", "ACTIVE"), HaveField("Flavor", HaveKeyWithValue("original_name", "rig.master"))))
				r.Expect(r.writes(s.ID)).To(BeNumerically(">=", atResize+60))
				return
			}
			r.Expect(servers.RevertResize(r.ctx, r.compute, s.ID).ExtractErr()).To(Succeed())
			r.Expect(r.statuses(s.ID)).To(Equal([]string{"REVERT_RESIZE", "ACTIVE"}))
			r.Expect(r.server(s.ID)).To(And(HaveField("HostID", host), HaveField("Flavor", HaveKeyWithValue("original_name", "rig.worker"))))
			r.Expect(r.writes(s.ID)).To(BeNumerically("<", atResize+5), "what was written since is gone")
			r.Expect(r.Regressions()).To(BeEmpty(), "it was thrown away on purpose")
		})
	}
}

func (r *rig) flavorID(name string) string {
	spec, ok := r.DeleteFlavor(name)
	r.Expect(ok).To(BeTrue())
	return r.AddFlavor(spec)
}

// TestResizeThatFails: down to a smaller disk.
func TestResizeThatFails(t *testing.T) {
	r := newRig(t, cloud.Options{})
	s := r.SeedCluster("demo", 1, 0).Masters[0]
	r.Expect(r.BeginResize(s.ID, "rig.master")).To(BeFalse(), "its own flavor")
	r.Expect(r.BeginResize(s.ID, "rig.worker")).To(BeTrue())
	r.Settle()
	r.Expect(r.server(s.ID)).To(And(HaveField("Status", "ACTIVE"), HaveField("Flavor", HaveKeyWithValue("original_name", "rig.master"))))
	r.Expect(r.lastAction(s.ID)).To(And(HaveField("Action", "resize"), HaveField("Message", "Error")))
	q := cloud.DefaultQuota()
	q.Cores = 8
	r.SetQuota("hive", q)
	r.AddFlavor(cloud.FlavorSpec{Name: "rig.big", VCPUs: 16, RAM: 16384, Disk: 80})
	r.Expect(r.BeginResize(s.ID, "rig.big")).To(BeFalse(), "beyond the quota")
}

// TestNewDisks: a rebuild and an evacuation without shared storage throw the disk away. Whoever brings the old one back goes back in time.
func TestNewDisks(t *testing.T) {
	for name, do := range map[string]func(*rig, string, string) bool{
		"rebuild": func(r *rig, id, image string) bool {
			_, err := servers.Rebuild(r.ctx, r.compute, id, servers.RebuildOpts{ImageRef: image}).Extract()
			return err == nil
		},
		"rebuild by somebody": func(r *rig, id, image string) bool { return r.RebuildServer(id, image) },
		"evacuation":          func(r *rig, id, _ string) bool { return r.EvacuateServer(id, false) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, cloud.Options{WriteInterval: time.Second})
			cluster := r.SeedCluster("demo", 1, 0)
			s := cluster.Masters[0]
			r.pass(time.Minute)
			old, err := r.snapshot(s.ID, "old", nil)
			r.Expect(err).NotTo(HaveOccurred())
			r.Settle()
			r.Expect(do(r, s.ID, cluster.ImageID)).To(BeTrue())
			r.Settle()
			r.Expect(r.server(s.ID).Status).To(Equal("ACTIVE"))
			r.Expect(r.writes(s.ID)).To(BeEquivalentTo(1), "its start")
			r.Expect(r.Written("hive", s.Name)).To(BeEquivalentTo(1))
			r.Expect(r.Regressions()).To(BeEmpty())
			r.DeleteServer(s.ID)
			r.Settle()
			_, err = r.create(s, old)
			r.Expect(err).NotTo(HaveOccurred())
			r.Settle()
			r.Expect(r.Regressions()).To(HaveLen(1), "the disk of before, however much is on it")
		})
	}
}

// TestEvacuationWithoutImage: there is nothing left to make the server from.
func TestEvacuationWithoutImage(t *testing.T) {
	r := newRig(t, cloud.Options{})
	cluster := r.SeedCluster("demo", 1, 0)
	id := cluster.Masters[0].ID
	r.DeleteImage(cluster.ImageID)
	r.Expect(r.EvacuateServer(id, false)).To(BeTrue())
	r.Settle()
	r.Expect(r.server(id).Status).To(Equal("ERROR"))
	r.Expect(r.lastAction(id).Message).To(Equal("Error"))
}

// TestRebuildOfOneThatIsOff: it ends off, and in ERROR where the image is no disk.
func TestRebuildOfOneThatIsOff(t *testing.T) {
	r := newRig(t, cloud.Options{Latencies: slowDeeds})
	cluster := r.SeedCluster("demo", 1, 0)
	id := cluster.Masters[0].ID
	r.SetServerState(id, "SHUTOFF")
	r.Expect(r.RebuildServer(id, "none")).To(BeFalse())
	r.Expect(r.RebuildServer(id, cluster.ImageID)).To(BeTrue())
	r.Expect(r.statuses(id)).To(Equal([]string{"REBUILD", "ACTIVE", "SHUTOFF"}))
	r.TruncateImage(cluster.ImageID, 10)
	r.Expect(r.RebuildServer(id, cluster.ImageID)).To(BeTrue())
	r.Settle()
	r.Expect(r.server(id).Status).To(Equal("ERROR"))
}

// TestRescue: over the API 200 with a password, the guest's own system again after it.
func TestRescue(t *testing.T) {
	r := newRig(t, cloud.Options{WriteInterval: time.Second})
	s := r.SeedCluster("demo", 1, 0).Masters[0]
	launched := r.server(s.ID).LaunchedAt
	r.pass(time.Minute)
	password, err := servers.Rescue(r.ctx, r.compute, s.ID, servers.RescueOpts{}).Extract()
	r.Expect(err).NotTo(HaveOccurred())
	r.Expect(password).NotTo(BeEmpty())
	r.Expect(r.server(s.ID)).To(And(HaveField("Status", "RESCUE"), HaveField("LaunchedAt", Not(Equal(launched))), HaveField("PowerState", BeEquivalentTo(servers.RUNNING))))
	_, err = r.snapshot(s.ID, "snap", nil)
	r.Expect(status(err)).To(Equal(409))
	r.Expect(r.PauseServer(s.ID)).To(BeFalse())
	r.Expect(servers.Unrescue(r.ctx, r.compute, s.ID).ExtractErr()).To(Succeed())
	r.Expect(r.server(s.ID).Status).To(Equal("ACTIVE"))
	bfv := r.SeedClusterWith(cloud.ClusterOptions{InfraID: "other", Workers: 1, BootFromVolume: true}).Workers[0]
	r.Expect(r.RescueServer(bfv.ID)).To(BeFalse())
}

// TestShelving: the disk lives in an image that goes with the unshelving; without it the server can't come back.
func TestShelving(t *testing.T) {
	for name, keep := range map[string]bool{"kept on its host": true, "offloaded": false} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, cloud.Options{KeepShelved: keep, WriteInterval: time.Second})
			s := r.SeedCluster("demo", 1, 0).Masters[0]
			r.pass(time.Minute)
			writes := r.writes(s.ID)
			r.Expect(servers.Shelve(r.ctx, r.compute, s.ID).ExtractErr()).To(Succeed())
			r.Settle()
			if keep {
				r.Expect(r.server(s.ID)).To(And(HaveField("Status", "SHELVED"), HaveField("HostID", Not(BeEmpty()))))
				r.Expect(r.OffloadServer(s.ID)).To(BeTrue())
			}
			r.Expect(r.server(s.ID)).To(And(HaveField("Status", "SHELVED_OFFLOADED"), HaveField("HostID", BeEmpty())))
			shelf := r.imageNamed(s.Name + "-shelved")
			r.Expect(shelf).To(And(HaveField("Status", "active"), HaveField("Writes", writes)))
			r.Expect(servers.Unshelve(r.ctx, r.compute, s.ID, servers.UnshelveOpts{}).ExtractErr()).To(Succeed())
			r.Settle()
			r.Expect(r.server(s.ID)).To(And(HaveField("Status", "ACTIVE"), HaveField("HostID", Not(BeEmpty()))))
			r.Expect(r.writes(s.ID)).To(BeEquivalentTo(writes + 1))
			_, ok := r.Image(shelf.ID)
			r.Expect(ok).To(BeFalse())

			r.Expect(r.ShelveServer(s.ID)).To(BeTrue())
			r.Settle()
			if keep {
				r.OffloadServer(s.ID)
				r.Settle()
			}
			r.DeleteImage(r.imageNamed(s.Name + "-shelved").ID)
			r.Expect(r.UnshelveServer(s.ID)).To(BeTrue())
			r.Settle()
			r.Expect(r.server(s.ID).Status).To(Equal("ERROR"))
		})
	}
}

func (r *rig) imageNamed(name string) cloud.Image {
	all := r.Images()
	i := slices.IndexFunc(all, func(img cloud.Image) bool { return img.Name == name })
	r.ExpectWithOffset(1, i).To(BeNumerically(">=", 0), name)
	return all[i]
}

// TestBackups: they are images like snapshots, and the oldest ones go.
func TestBackups(t *testing.T) {
	r := newRig(t, cloud.Options{Latencies: slowDeeds})
	s := pausedServer(r)
	var made []string
	for _, name := range []string{"first", "second", "third"} {
		id, ok := r.BackupServer(s.ID, name, "daily", 2)
		r.Expect(ok).To(BeTrue())
		r.Expect(r.server(s.ID)).To(And(HaveField("Status", "PAUSED"), HaveField("TaskState", "image_backup")))
		_, ok = r.BackupServer(s.ID, "too early", "daily", 2)
		r.Expect(ok).To(BeFalse())
		r.Settle()
		made = append(made, id)
	}
	_, ok := r.Image(made[0])
	r.Expect(ok).To(BeFalse())
	img, _ := r.Image(made[2])
	r.Expect(img).To(And(HaveField("Status", "active"), HaveField("Properties", And(HaveKeyWithValue("image_type", "backup"), HaveKeyWithValue("backup_type", "daily")))))
	r.Expect(r.byOthers(s.ID)).To(Equal([]string{"createBackup", "createBackup", "createBackup"}))
	_, err := r.compute.Post( //nolint:bodyclose // gophercloud has
		r.ctx, r.compute.ServiceURL("servers", s.ID, "action"), map[string]any{"createBackup": map[string]any{"name": "mine", "backup_type": "weekly", "rotation": 1}}, nil, &gophercloud.RequestOpts{OkCodes: []int{202}})
	r.Expect(err).NotTo(HaveOccurred())
	r.Settle()
	r.Expect(r.imageNamed("mine").Properties).To(HaveKeyWithValue("backup_type", "weekly"))
}

// TestResetState: Nova's belief alone changes.
func TestResetState(t *testing.T) {
	r := newRig(t, cloud.Options{WriteInterval: time.Second, Latencies: slowDeeds})
	id := r.SeedCluster("demo", 1, 0).Masters[0].ID
	r.Expect(r.ResetServerState(id, "error")).To(BeTrue())
	r.Expect(r.server(id)).To(And(HaveField("Status", "ERROR"), HaveField("PowerState", BeEquivalentTo(servers.RUNNING))))
	before := r.writes(id)
	r.pass(time.Minute)
	r.Expect(r.writes(id)).To(BeEquivalentTo(before+60), "its guest runs on")
	r.Expect(r.ResetServerState(id, "active")).To(BeTrue())
	r.Expect(r.PauseServer(id)).To(BeTrue())
	r.Expect(r.LiveMigrateServer(id)).To(BeTrue())
	r.Expect(r.ResetServerState(id, "active")).To(BeTrue())
	r.Expect(r.server(id)).To(And(HaveField("Status", "ACTIVE"), HaveField("TaskState", ""), HaveField("PowerState", BeEquivalentTo(servers.PAUSED))))
	before = r.writes(id)
	r.pass(time.Minute)
	r.Expect(r.writes(id)).To(Equal(before), "its guest stays paused")
}

// TestTrustedPlatform: Nova itself refuses what would cost a server its TPM.
func TestTrustedPlatform(t *testing.T) {
	r := newRig(t, cloud.Options{})
	r.AddFlavor(cloud.FlavorSpec{Name: "rig.tpm", VCPUs: 8, RAM: 16384, Disk: 80, ExtraSpecs: map[string]string{"hw:tpm_version": "2.0", "hw:pmem": "6GB"}})
	cluster := r.SeedCluster("demo", 1, 0)
	id := cluster.Masters[0].ID
	r.Expect(r.ResizeServer(id, "rig.tpm")).To(BeTrue())
	err := servers.Shelve(r.ctx, r.compute, id).ExtractErr()
	r.Expect(status(err)).To(Equal(409))
	r.Expect(body(err)).To(ContainSubstring("Operation 'shelve' not supported for vTPM-enabled instance"))
	r.Expect([]bool{r.RescueServer(id), r.RebuildServer(id, cluster.ImageID), r.EvacuateServer(id, true)}).To(HaveEach(false))
	specs := map[string]any{"hw:tpm_version": "2.0", "hw:pmem": "6GB"}
	r.Expect(r.server(id).Flavor).To(HaveKeyWithValue("extra_specs", Equal(specs)))
	for _, c := range []struct {
		at   string
		want any
	}{{"2.61", specs}, {"2.60", nil}} {
		r.at(c.at)
		var out struct {
			Flavor map[string]any `json:"flavor"`
		}
		r.Expect(flavors.Get(r.ctx, r.compute, r.flavorOf(id)).Result.ExtractInto(&out)).To(Succeed())
		if c.want == nil {
			r.Expect(out.Flavor).NotTo(HaveKey("extra_specs"))
		} else {
			r.Expect(out.Flavor["extra_specs"]).To(Equal(c.want))
		}
	}
}

func (r *rig) flavorOf(id string) string {
	s, ok := r.Server(id)
	r.Expect(ok).To(BeTrue())
	return s.FlavorID
}

// TestComputeDiesInDeeds: what a nova-compute that starts again makes of a task that its death cut short.
func TestComputeDiesInDeeds(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(*rig, string) bool
		want string
	}{
		"live migration": {func(r *rig, id string) bool { return r.LiveMigrateServer(id) }, "ACTIVE"},
		"resize":         {func(r *rig, id string) bool { return r.MigrateServer(id) }, "ACTIVE"},
		"rebuild":        {func(r *rig, id string) bool { return r.RebuildServer(id, r.Images()[0].ID) }, "ERROR"},
		"reboot":         {func(r *rig, id string) bool { return r.RebootServer(id, true) }, "ACTIVE"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, cloud.Options{Latencies: slowDeeds})
			s := r.SeedCluster("demo", 1, 0).Masters[0]
			r.Expect(c.do(r, s.ID)).To(BeTrue())
			task := r.server(s.ID).TaskState
			r.KillCompute(s.Host)
			r.pass(time.Minute)
			r.Expect(r.server(s.ID).TaskState).To(Equal(task), "nobody goes on with it")
			r.RestartCompute(s.Host)
			r.Expect(r.server(s.ID)).To(And(HaveField("Status", c.want), HaveField("TaskState", "")))
			now, _ := r.Server(s.ID)
			r.Expect(now.Host).To(Equal(s.Host))
		})
	}
}

// TestHostsOfMoves: a move goes to another host that is up, and the one kept for moves takes no new servers.
func TestHostsOfMoves(t *testing.T) {
	r := newRig(t, cloud.Options{Hosts: []string{"one", "two"}})
	cluster := r.SeedCluster("demo", 1, 0)
	id := cluster.Masters[0].ID
	host := func() string {
		s, _ := r.Server(id)
		return s.Host
	}
	var seen []string
	for range 3 {
		r.Expect(r.LiveMigrateServer(id)).To(BeTrue())
		seen = append(seen, host())
	}
	r.Expect(seen).To(Equal([]string{"two", "one", "two"}))
	r.KillCompute("one")
	r.pass(time.Hour)
	r.Expect(r.EvacuateServer(id, true)).To(BeTrue())
	spare := host()
	r.Expect(spare).NotTo(BeElementOf("one", "two"))
	grown, ok := r.AddServer(cluster, "")
	r.Expect(ok).To(BeTrue())
	r.Settle()
	now, _ := r.Server(grown.ID)
	r.Expect(now.Host).To(Equal("two"))
}
