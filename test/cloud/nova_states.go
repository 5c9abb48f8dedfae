package cloud

// More vm_states and task_states, as Nova names them.
const (
	vmRescued   = "rescued"
	vmResized   = "resized"
	vmShelved   = "shelved"
	vmOffloaded = "shelved_offloaded"

	taskMigrating       = "migrating"
	taskResizePrep      = "resize_prep"
	taskResizeMigrating = "resize_migrating"
	taskResizeMigrated  = "resize_migrated"
	taskResizeFinish    = "resize_finish"
	taskResizeReverting = "resize_reverting"
	taskRebooting       = "rebooting"
	taskRebootStarted   = "reboot_started"
	taskRebootingHard   = "rebooting_hard"
	taskHardStarted     = "reboot_started_hard"
	taskRebuilding      = "rebuilding"
	taskRebuildDevices  = "rebuild_block_device_mapping"
	taskRebuildSpawning = "rebuild_spawning"
	taskRescuing        = "rescuing"
	taskUnrescuing      = "unrescuing"
	taskSuspending      = "suspending"
	taskResuming        = "resuming"
	taskPassword        = "updating_password"
	taskShelving        = "shelving"
	taskShelvingExtract = "shelving_image_pending_upload"
	taskShelvingUpload  = "shelving_image_uploading"
	taskOffloading      = "shelving_offloading"
	taskUnshelving      = "unshelving"
	taskImageBackup     = "image_backup"
)

// statusOf is the status of a vm_state whose task has none of its own.
var statusOf = map[string]string{
	vmBuilding: "BUILD", vmActive: "ACTIVE", vmPaused: "PAUSED", vmStopped: "SHUTOFF", vmSuspended: "SUSPENDED", vmError: "ERROR",
	vmDeleted: "DELETED", vmSoftDeleted: "SOFT_DELETED", vmRescued: "RESCUE", vmResized: "VERIFY_RESIZE", vmShelved: "SHELVED",
	vmOffloaded: "SHELVED_OFFLOADED",
}

var (
	rebuildStatus = map[string]string{taskRebuilding: "REBUILD", taskRebuildDevices: "REBUILD", taskRebuildSpawning: "REBUILD"}
	resizeStatus  = map[string]string{
		taskResizePrep: "RESIZE", taskResizeMigrating: "RESIZE", taskResizeMigrated: "RESIZE", taskResizeFinish: "RESIZE",
	}
	activeStatus = map[string]string{
		taskRebooting: "REBOOT", taskRebootStarted: "REBOOT", taskRebootingHard: "HARD_REBOOT", taskHardStarted: "HARD_REBOOT",
		taskPassword: "PASSWORD", taskMigrating: "MIGRATING",
	}
)

// taskStatus is the status of a vm_state with certain tasks: Nova's _STATE_MAP.
var taskStatus = map[string][]map[string]string{
	vmActive:  {activeStatus, rebuildStatus, resizeStatus},
	vmStopped: {rebuildStatus, resizeStatus},
	vmError:   {rebuildStatus},
	vmPaused:  {{taskMigrating: "MIGRATING"}},
	vmResized: {{taskResizeReverting: "REVERT_RESIZE"}},
}

// status is what the API shows of vm_state and task_state. A vm_state that Nova does not know either shows as UNKNOWN.
func (s *server) status() string {
	for _, tasks := range taskStatus[s.vm] {
		if status := tasks[s.task]; status != "" {
			return status
		}
	}
	if status := statusOf[s.vm]; status != "" {
		return status
	}
	return statusUnknown
}

const statusUnknown = "UNKNOWN"

// showsProgress reports whether a server with this status has a progress.
func showsProgress(status string) bool {
	switch status {
	case "ACTIVE", "BUILD", "REBUILD", "RESIZE", "VERIFY_RESIZE", "MIGRATING":
		return true
	}
	return false
}

// powerOf is the power state that goes with a vm_state; others are 0, none. libvirt keeps a suspended guest on disk and its domain is
// shut down. That of a resized server depends on what it was before.
var powerOf = map[string]int{
	vmActive: powerRunning, vmPaused: powerPaused, vmStopped: powerShutdown, vmSuspended: powerShutdown, vmSoftDeleted: powerShutdown,
	vmRescued: powerRunning, vmShelved: powerShutdown, vmOffloaded: powerShutdown,
}

// runsIn reports whether the guest runs in a vm_state. In a rescue it is another system, with the server's own disk attached: what its user
// mends there is written to that disk.
func (s *server) runsIn(vm string) bool { return s.powerIn(vm) == powerRunning }

// powerIn is the power state that goes with a vm_state.
func (s *server) powerIn(vm string) int {
	if vm == vmResized && s.resized != nil {
		return powerOf[s.resized.vm]
	}
	return powerOf[vm]
}
