package hibernation

import (
	"context"
	"fmt"
	"io"
	"reflect"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	. "github.com/onsi/gomega"
	log "github.com/sirupsen/logrus"
)

// mapsIn returns the lengths of all maps that a struct holds, by name.
func mapsIn(of any) map[string]int {
	lengths := map[string]int{}
	value := reflect.ValueOf(of).Elem()
	for i := range value.NumField() {
		if field := value.Field(i); field.Kind() == reflect.Map {
			lengths[value.Type().Field(i).Name] = field.Len()
		}
	}
	return lengths
}

// TestS05NothingIsKeptOfClustersThatAreGone: after ten thousand came and went the engine remembers none of them.
func TestS05NothingIsKeptOfClustersThatAreGone(t *testing.T) {
	g := NewWithT(t)
	quiet := log.New()
	quiet.SetOutput(io.Discard)
	engine := New(nil, Options{})
	before := runtime.NumGoroutine()
	for i := range 10_000 {
		s := engine.Session(Cluster{Namespace: "ns", Name: fmt.Sprint(i)}, nil, quiet)
		engine.saw(s.key(), "1", true)
		engine.noteEnd(s.key(), true)
		_, err := s.pace(s.pending(StageStopping, s.soon(), []string{"m-0: BUILD"}), nil)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(mapsIn(engine)).To(HaveEach(1), "each of the engine's maps is looked at")
		s.Forget()
	}
	g.Expect(mapsIn(engine)).To(And(HaveLen(3), HaveEach(0)))
	g.Expect(runtime.NumGoroutine()).To(BeNumerically("<=", before))
}

// TestS05HostileRecords: a record that somebody has made is not decoded if it takes more memory than any that was saved.
func TestS05HostileRecords(t *testing.T) {
	for name, text := range map[string]string{
		"many machines": `{"version":1,"machines":[` + strings.Repeat(`{},`, 300<<10) + `{}]}`,
		"many texts":    `{"version":1,"oldRemakes":[` + strings.Repeat(`"",`, 300<<10) + `""]}`,
		"unknown":       `{"version":1,"x":[` + strings.Repeat(`[],`, 300<<10) + `[]]}`,
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := decode([]byte(text))
			runtime.ReadMemStats(&after)
			g.Expect(err).To(MatchError(ContainSubstring("more than a record can")))
			g.Expect(after.TotalAlloc - before.TotalAlloc).To(BeNumerically("<", 1<<20))
		})
	}
}

// TestS05RequestsAtOnce: however many machines a cluster has, a step sends so many requests at once and no more.
func TestS05RequestsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewWithT(t)
		s := New(nil, Options{}).Session(Cluster{}, nil, log.New())
		var under, most atomic.Int64
		err := s.each(t.Context(), 1000, func(context.Context, int) error {
			now := under.Add(1)
			for old := most.Load(); now > old && !most.CompareAndSwap(old, now); old = most.Load() {
				continue
			}
			<-time.After(time.Second)
			under.Add(-1)
			return nil
		})
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(most.Load()).To(BeEquivalentTo(defaultRequests))
	})
}
