package openstackclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	. "github.com/onsi/gomega"
	"github.com/sirupsen/logrus"
	testingclock "k8s.io/utils/clock/testing"
)

func retryAfterAnswer(status int, value string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", value)
		answer(status, fmt.Sprintf(`{"message": "Slow down.", "code": "%d %s"}`, status, http.StatusText(status)))(w, r)
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	for _, test := range []struct {
		status int
		kind   Kind
	}{{429, KindThrottled}, {503, KindTransient}} {
		g := NewWithT(t)
		cloud := newFakeCloud(t)
		clock := testingclock.NewFakePassiveClock(time.Now())
		factory := NewFactory(FactoryOptions{Clock: clock})
		client, err := factory.ClientFor(t.Context(), cloud.credentials())
		g.Expect(err).NotTo(HaveOccurred())
		cloud.on("POST /v2.1/servers/"+serverID+"/action", retryAfterAnswer(test.status, "7"))

		err = client.PauseServer(t.Context(), serverID)
		g.Expect(KindOf(err)).To(Equal(test.kind))
		g.Expect(asError(err).RetryAfter).To(Equal(7 * time.Second))
		g.Expect(asError(err).Message).To(Equal("Slow down."))
		g.Expect(cloud.log()).To(HaveLen(2), "the client does not try again by itself")

		clock.SetTime(clock.Now().Add(3 * time.Second))
		err = client.PauseServer(t.Context(), serverID)
		g.Expect(KindOf(err)).To(Equal(test.kind))
		g.Expect(asError(err).RetryAfter).To(Equal(4 * time.Second))
		g.Expect(asError(err).Op).To(Equal("pause server"))
		g.Expect(IsAmbiguous(err)).To(BeFalse(), "nothing was sent")
		other := cloud.credentials()
		other.SecretUID = "another"
		sibling, err := factory.ClientFor(t.Context(), other)
		g.Expect(err).NotTo(HaveOccurred())
		err = sibling.PauseServer(t.Context(), serverID)
		g.Expect(KindOf(err)).To(Equal(test.kind), "all clients of the project leave the cloud alone")
		g.Expect(cloud.log()).To(HaveLen(3), "but for the other's token nothing was sent")

		clock.SetTime(clock.Now().Add(4 * time.Second))
		cloud.on("POST /v2.1/servers/"+serverID+"/action", answer(202, ""))
		g.Expect(client.PauseServer(t.Context(), serverID)).To(Succeed())
	}
}

func TestRetryAfterHeader(t *testing.T) {
	g := NewWithT(t)
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "0": 0, "-5": 0, "soon": 0, "12": 12 * time.Second, "99999999": maxRetryAfter, "9999999999999999999": 0,
		"Mon, 23 Nov 2026 12:01:00 GMT": time.Minute, "Mon, 23 Nov 2026 11:00:00 GMT": 0,
	} {
		g.Expect(retryAfter(http.Header{"Retry-After": {value}}, now)).To(Equal(want), value)
	}
}

func TestBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewWithT(t)
		cloud := &fakeCloud{Server: &httptest.Server{}, t: t, project: "project-1", handlers: map[string]http.HandlerFunc{}, urls: map[string]string{
			"compute": "http://nova/v2.1", "image": "http://glance", "network": "http://neutron",
		}}
		dead, sent := false, 0
		transport := roundTripFunc(func(r *http.Request) (*http.Response, error) {
			sent++
			if dead {
				return nil, errors.New("connection reset by peer")
			}
			return inProcess(cloud).RoundTrip(r)
		})
		credentials := Credentials{CloudsYAML: []byte(goodCloud)}
		client, err := NewFactory(FactoryOptions{Transport: transport, ReadAttempts: 1}).ClientFor(t.Context(), credentials)
		g.Expect(err).NotTo(HaveOccurred())
		cloud.on("GET /v2.1/servers/"+serverID, answer(500, `{"computeFault": {"code": 500, "message": "x"}}`))
		get := func() error {
			_, err := client.GetServer(t.Context(), ViewFlavorID, serverID)
			return err
		}
		for range 10 {
			g.Expect(get()).To(MatchError(ContainSubstring("HTTP 500")), "an answer is an answer")
		}
		dead = true
		for range 5 {
			g.Expect(get()).To(MatchError("get server: the connection to http://nova failed"))
		}
		sent = 0
		const open = "get server: OpenStack at https://keystone.example.com:5000 does not answer; it is asked again every 30s"
		for range 3 {
			err := get()
			g.Expect(err).To(MatchError(open))
			g.Expect(KindOf(err)).To(Equal(KindTransient))
		}
		g.Expect(IsAmbiguous(client.PauseServer(t.Context(), serverID))).To(BeFalse())
		g.Expect(sent).To(Equal(0))

		<-time.After(31 * time.Second)
		g.Expect(get()).To(MatchError(ContainSubstring("failed")))
		g.Expect(get()).To(MatchError(open))
		g.Expect(sent).To(Equal(1), "one request tries whether it is back")

		dead = false
		<-time.After(31 * time.Second)
		cloud.on("GET /v2.1/servers/"+serverID, answer(200, serverBody))
		g.Expect(get()).To(Succeed())
		g.Expect(get()).To(Succeed())
	})
}

// A pass that runs out of time says nothing about the cloud, unless a request has waited for long.
func TestBreakerAndTheCallersTime(t *testing.T) {
	for _, test := range []struct {
		allowed time.Duration
		trips   bool
	}{{time.Second, false}, {20 * time.Second, true}} {
		synctest.Test(t, func(t *testing.T) {
			g := NewWithT(t)
			sent := 0
			next := roundTripFunc(func(r *http.Request) (*http.Response, error) {
				sent++
				<-r.Context().Done()
				return nil, r.Context().Err()
			})
			options := NewFactory(FactoryOptions{}).options
			breaker := &breakerTransport{breaker: newBreaker(3, time.Minute), options: options, next: next}
			for range 10 {
				ctx, cancel := context.WithTimeout(t.Context(), test.allowed)
				request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://nova", nil)
				g.Expect(err).NotTo(HaveOccurred())
				_, err = breaker.RoundTrip(request) //nolint:bodyclose // there is no response.
				g.Expect(err).To(HaveOccurred())
				cancel()
			}
			if test.trips {
				g.Expect(sent).To(Equal(3))
			} else {
				g.Expect(sent).To(Equal(10))
			}
		})
	}
}

func TestRateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewWithT(t)
		start := time.Now()
		limit := &rateLimit{limiter: newLimiter(2, 1), next: inProcess(answer(200, "{}"))}
		send := func(ctx context.Context) error {
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://nova", nil)
			g.Expect(err).NotTo(HaveOccurred())
			response, err := limit.RoundTrip(request)
			if err == nil {
				_ = response.Body.Close()
			}
			return err
		}
		for range 5 {
			g.Expect(send(t.Context())).To(Succeed())
		}
		g.Expect(time.Since(start)).To(Equal(2 * time.Second))
		short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		g.Expect(KindOf(send(short))).To(Equal(KindTransient))
	})
}

func TestDebugLogHoldsNoSecrets(t *testing.T) {
	g := NewWithT(t)
	cloud := newFakeCloud(t)
	var out bytes.Buffer
	logger := logrus.New()
	logger.SetOutput(&out)
	logger.SetLevel(logrus.DebugLevel)
	client := cloud.client(FactoryOptions{Logger: logger})
	cloud.on("GET /image/v2/images", answer(200, `{"images": []}`))
	_, err := client.ListImages(t.Context(), ListImagesOpts{Properties: map[string]string{"some": "query"}})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(out.String()).To(ContainSubstring("method=GET path=/image/v2/images requestID=req-00000000-0000-4000-8000-000000000001 status=200"))
	g.Expect(out.String()).To(ContainSubstring("path=/v3/auth/tokens"))
	cloud.Close()
	_, err = client.ListImages(t.Context(), ListImagesOpts{})
	g.Expect(err).To(HaveOccurred())
	g.Expect(out.String()).To(ContainSubstring("without an answer"))
	for _, secret := range []string{fakePassword, "token-1", "query", "tenant"} {
		g.Expect(out.String()).NotTo(ContainSubstring(secret))
	}
}
