package openstackclient

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	. "github.com/onsi/gomega"
)

// flakyCloud has a client whose first requests fail, but for the one for the token, in a world of virtual time.
func flakyCloud(t *testing.T, failures int, fail roundTripFunc) (Client, *int) {
	t.Helper()
	cloud := &fakeCloud{Server: &httptest.Server{}, t: t, project: "project-1", handlers: map[string]http.HandlerFunc{}, urls: map[string]string{
		"compute": "http://nova/v2.1", "image": "http://glance", "network": "http://neutron",
	}}
	cloud.on("GET /v2.1/servers/"+serverID, answer(200, serverBody))
	cloud.on("POST /v2.1/servers/"+serverID+"/action", answer(202, ""))
	sent := 0
	transport := roundTripFunc(func(r *http.Request) (*http.Response, error) {
		if !strings.HasSuffix(r.URL.Path, "/auth/tokens") {
			if sent++; sent <= failures {
				return fail(r)
			}
		}
		return inProcess(cloud).RoundTrip(r)
	})
	options := FactoryOptions{Transport: transport, Jitter: func(pause time.Duration) time.Duration { return pause }}
	client, err := NewFactory(options).ClientFor(t.Context(), Credentials{CloudsYAML: []byte(goodCloud)})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return client, &sent
}

func failWith(status int, headers ...string) roundTripFunc {
	return inProcess(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		answer(status, "<html>")(w, r)
	})).RoundTrip
}

func lose(err error) roundTripFunc {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

func TestS17ReadsAreRepeated(t *testing.T) {
	for name, fail := range map[string]roundTripFunc{
		"500": failWith(500), "503": failWith(503), "a proxy's 404": inProcess(http.NotFoundHandler()).RoundTrip,
		"reset": lose(io.ErrUnexpectedEOF), "no JSON": failWith(200), "refused": lose(&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := NewWithT(t)
				client, sent := flakyCloud(t, 3, fail)
				start := time.Now()
				_, err := client.GetServer(t.Context(), ViewFlavorID, serverID)
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(*sent).To(Equal(4))
				g.Expect(time.Since(start)).To(Equal(700 * time.Millisecond))

				client, sent = flakyCloud(t, 4, fail)
				_, err = client.GetServer(t.Context(), ViewFlavorID, serverID)
				g.Expect(KindOf(err)).To(Equal(KindTransient))
				g.Expect(*sent).To(Equal(4), "three repetitions are all there are")
			})
		})
	}
}

func TestS17ChangesAreRepeatedOnlyIfNothingHappened(t *testing.T) {
	for name, test := range map[string]struct {
		fail roundTripFunc
		sent int
	}{
		"refused": {lose(&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}), 2},
		"429":     {failWith(429, "Retry-After", "1"), 2},
		"500":     {failWith(500), 1}, "503": {failWith(503, "Retry-After", "1"), 1},
		"reset": {lose(io.ErrUnexpectedEOF), 1}, "404": {inProcess(http.NotFoundHandler()).RoundTrip, 1}, "200": {failWith(200), 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := NewWithT(t)
				client, sent := flakyCloud(t, 1, test.fail)
				err := client.PauseServer(t.Context(), serverID)
				g.Expect(*sent).To(Equal(test.sent))
				g.Expect(err == nil).To(Equal(test.sent == 2))
			})
		})
	}
}

func TestS17RepetitionsStayInTheCallersTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewWithT(t)
		client, sent := flakyCloud(t, 9, failWith(503, "Retry-After", "20"))
		_, err := client.GetServer(t.Context(), ViewFlavorID, serverID)
		g.Expect(asError(err).RetryAfter).To(Equal(20 * time.Second))
		g.Expect(*sent).To(Equal(1), "a visit is not long enough for that pause")

		short, cancel := context.WithTimeout(t.Context(), 250*time.Millisecond)
		defer cancel()
		client, sent = flakyCloud(t, 9, failWith(500))
		_, err = client.GetServer(short, ViewFlavorID, serverID)
		g.Expect(err).To(HaveOccurred())
		g.Expect(*sent).To(Equal(2), "half of the time is left to the caller")

		ctx, stop := context.WithCancel(t.Context())
		client, sent = flakyCloud(t, 9, func(*http.Request) (*http.Response, error) { stop(); return nil, io.EOF })
		_, err = client.GetServer(ctx, ViewFlavorID, serverID)
		g.Expect(errors.Is(err, context.Canceled)).To(BeTrue())
		g.Expect(*sent).To(Equal(1))
	})
}

// Four tries of one read count once: five reads that fail open the breaker, as without repetitions.
func TestS17RepetitionsDoNotTripTheBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewWithT(t)
		client, sent := flakyCloud(t, 1<<30, lose(io.EOF))
		for range 4 {
			_, err := client.GetServer(t.Context(), ViewFlavorID, serverID)
			g.Expect(err).To(MatchError(ContainSubstring("failed")))
		}
		g.Expect(*sent).To(Equal(16))
		_, err := client.GetServer(t.Context(), ViewFlavorID, serverID)
		g.Expect(err).To(HaveOccurred())
		*sent = 0
		_, err = client.GetServer(t.Context(), ViewFlavorID, serverID)
		g.Expect(err).To(MatchError(ContainSubstring("does not answer")))
		g.Expect(*sent).To(Equal(0))
		<-time.After(asError(err).RetryAfter)
		_, err = client.GetServer(t.Context(), ViewFlavorID, serverID)
		g.Expect(err).To(HaveOccurred())
		g.Expect(*sent).To(Equal(1), "who comes back when told so sends a probe")
	})
}
