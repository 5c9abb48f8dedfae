package hibernation

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"
)

// Whatever a server is called, its snapshot's name fits, is read back as what it was built from, and is no other server's.
func FuzzSnapshotName(f *testing.F) {
	for _, name := range []string{
		"demo-x7k2p-master-0", "", "a-hibernation-20250101-000000", strings.Repeat("m", 300), strings.Repeat("é", 130), strings.Repeat("☃", 76), "\xff", "-", "a\x00b\n",
		strings.Repeat("m", 218) + "-1885c9dd",
	} {
		f.Add(name, name+"x", int64(1795446245))
	}
	f.Add("a", "b", int64(-62135596800))
	f.Add("a", "b", int64(253402300799))
	f.Fuzz(func(t *testing.T, machine, other string, at int64) {
		if at < -62135596800 || at > 253402300799 {
			t.Skip("not between the years 1 and 9999")
		}
		cycle := nextCycle(time.Unix(at, 0))
		built := SnapshotName(machine, cycle)
		checkSnapshotName(t, machine, cycle, built)
		if machine != other && built == SnapshotName(other, cycle) {
			t.Fatalf("%q and %q have one snapshot, %q", machine, other, built)
		}
		for name, limit := range map[string]int{built: maxImageName, RecordName(machine): maxSecretName, labelValue(machine): 63} {
			if len(name) > limit || utf8.ValidString(machine) && !utf8.ValidString(name) {
				t.Fatalf("%q is of %d bytes", name, len(name))
			}
		}
	})
}

// checkSnapshotName: a name is read as what it was built from; only a long machine's name comes back shorter.
func checkSnapshotName(t *testing.T, machine, cycle, built string) {
	t.Helper()
	parsed, parsedCycle, ok := ParseSnapshotName(built)
	if machine == "" {
		return
	}
	if !ok || parsedCycle != cycle || parsed != machine && len(parsed) >= len(machine) {
		t.Fatalf("%q was read as %q, %q, %t", built, parsed, parsedCycle, ok)
	}
}

// Any name of an image is that of a snapshot that would be called so, or of none.
func FuzzParseSnapshotName(f *testing.F) {
	for _, name := range []string{
		"demo-hibernation-20261123-150405", "-hibernation-20261123-150405", "a-hibernation-20261123-150405.5", "a-hibernation-20261123-150405,5", "a-hibernation-00000101-000000",
		"a-hibernation-20230229-000000", "a-hibernation-20261123-246060", "a-hibernation-hibernation-20261123-150405", "a-hibernation- 0261123-150405", "\xff-hibernation-20261123-150405",
	} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		machine, cycle, ok := ParseSnapshotName(name)
		switch {
		case !ok && machine+cycle != "":
			t.Fatalf("none, and yet %q, %q", machine, cycle)
		case ok && machine+snapshotMid+cycle != name:
			t.Fatalf("%q is not %q and %q", name, machine, cycle)
		case ok && len(cycle) != len(cycleLayout):
			t.Fatalf("%q is written in another way", cycle)
		case ok && len(name) <= maxImageName && SnapshotName(machine, cycle) != name:
			t.Fatalf("%q would be called %q", name, SnapshotName(machine, cycle))
		case ok && nextCycle(time.Unix(0, 0), cycle) <= cycle && cycle < "9999":
			t.Fatalf("%q comes not before %q", cycle, nextCycle(time.Unix(0, 0), cycle))
		}
	})
}

// Whatever cycles the record and Glance's images name, the next one is a cycle, and later than all that are some.
func FuzzNextCycle(f *testing.F) {
	for _, earlier := range []string{
		"", "20261123-150405", "99991231-235959", "99991231-235958\n20261123-150405", "20261123-150405.999", "20261123-150405,1\nsoon\n20269999-000000", "00000101-000000", "-0011123-150405",
	} {
		f.Add(int64(1795446245), earlier)
	}
	f.Fuzz(func(t *testing.T, at int64, earlier string) {
		if at < 0 || at > 4e9 {
			t.Skip("no clock says so")
		}
		cycles := strings.Split(earlier, "\n")
		next := nextCycle(time.Unix(at, 0), cycles...)
		if _, cycle, ok := ParseSnapshotName(SnapshotName("m", next)); !ok || cycle != next {
			t.Fatalf("%q is no cycle", next)
		}
		if next < time.Unix(at, 0).UTC().Format(cycleLayout) {
			t.Fatalf("%q is in the past", next)
		}
		for _, cycle := range cycles {
			_, _, ok := ParseSnapshotName("m" + snapshotMid + cycle)
			if ok && cycle < "99991231-235959" && next <= cycle {
				t.Fatalf("%q is not later than %q", next, cycle)
			}
		}
	})
}

// An image is a machine's snapshot by its name, its cycle and its server together, all of them texts: whatever else Glance
// gives as a property is none of these.
func FuzzImageProperties(f *testing.F) {
	const name = "m-hibernation-20261123-150405"
	for _, image := range []string{
		`{"id": "i", "name": "` + name + `", "status": "active", "overwinter_cycle": "20261123-150405", "instance_uuid": "s"}`,
		`{"id": "i", "name": "` + name + `", "status": "active", "overwinter_cycle": null, "instance_uuid": ["s"]}`,
		`{"id": "i", "name": "` + name + `", "status": 5, "overwinter_cycle": 20261123, "instance_uuid": {"s": "s"}}`,
		`{"id": "i", "name": "` + name + `", "status": "deactivated", "properties": {"overwinter_cycle": "20261123-150405", "instance_uuid": "s"}}`,
		`{"id": "i", "name": "` + name + `", "status": "active", "overwinter_cycle": "20261123-150405", "instance_uuid": "another"}`,
		`{"id": "i", "name": "` + name + `", "status": "saving", "overwinter_cycle": "20261123-150406", "instance_uuid": "s"}`,
		`{"id": "i", "name": "` + name + `", "size": null, "Overwinter_cycle": "20261123-150405", "instance_UUID": "s"}`,
	} {
		f.Add([]byte(image), []byte(`{"id": "j"}`))
		f.Add([]byte(image), []byte(`{"id": "j", "name": "`+name+`", "status": "active", "overwinter_cycle": "20261123-150405", "instance_uuid": "s"}`))
	}
	f.Fuzz(func(t *testing.T, one, other []byte) {
		list := make([]images.Image, 2)
		err := errors.Join(list[0].UnmarshalJSON(one), list[1].UnmarshalJSON(other))
		if err != nil || list[0].ID == list[1].ID {
			t.Skip("the client refuses it")
		}
		for _, known := range []string{"", "i"} {
			want := &Snapshot{Name: name, ID: known, Cycle: "20261123-150405", ServerID: "s"}
			checkMatches(t, list, want)
		}
	})
}

// checkMatches: of two images that may be a snapshot, the right one is taken, and only the wrong one is spare.
func checkMatches(t *testing.T, list []images.Image, want *Snapshot) {
	t.Helper()
	match, spare, err := matchShot(list, want)
	if err != nil || match == nil {
		if len(spare) > 0 || match != nil {
			t.Fatalf("%+v, %+v, %v", match, spare, err)
		}
		return
	}
	if want.ID != "" && match.ID != want.ID {
		t.Fatalf("%s was asked for and %s found", want.ID, match.ID)
	}
	checkMatch(t, want, match)
	for _, img := range spare {
		checkMatch(t, want, img)
		if img == match || finished(img) || !finished(match) {
			t.Fatalf("%+v is not spare beside %+v", img, match)
		}
	}
}

// checkMatch: what is taken for a snapshot says in plain texts that it is.
func checkMatch(t *testing.T, want *Snapshot, img *images.Image) {
	t.Helper()
	if img.Name != want.Name || img.Properties[propCycle] != any(want.Cycle) || img.Properties["instance_uuid"] != any(want.ServerID) {
		t.Fatalf("taken for the snapshot: %+v", img)
	}
}
