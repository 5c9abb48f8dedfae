package dialguard

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"

	. "github.com/onsi/gomega"
)

func TestS12DeniedAddresses(t *testing.T) {
	guard := New(DefaultDenied())
	for address, class := range map[string]string{
		"169.254.169.254:80":                 "link-local",
		"[fe80::1]:80":                       "link-local",
		"[fe80::1%eth0]:80":                  "link-local",
		"127.0.0.1:80":                       "loopback",
		"127.255.255.254:80":                 "loopback",
		"[::1]:80":                           "loopback",
		"0.0.0.0:80":                         "unspecified",
		"0.1.2.3:80":                         "unspecified",
		"[::]:80":                            "unspecified",
		":80":                                "unspecified",
		"[::ffff:127.0.0.1]:80":              "loopback",
		"[::ffff:169.254.169.254]:80":        "link-local",
		"[::127.0.0.1]:80":                   "loopback",
		"[::ffff:0:169.254.169.254]:80":      "link-local",
		"[64:ff9b::7f00:1]:80":               "loopback",
		"[64:ff9b::a9fe:a9fe]:80":            "link-local",
		"[64:ff9b:1:a9fe:a9:fe00::]:80":      "link-local",
		"[64:ff9b:1::a9fe:a9fe]:80":          "link-local",
		"[2002:7f00:1::1]:80":                "loopback",
		"[2002:a9fe:a9fe::1]:80":             "link-local",
		"[2001:0:1:2:3:4:80ff:fffe]:80":      "loopback",
		"/run/docker.sock":                   "non-IP",
		"not-an-address:80":                  "non-IP",
		"192.0.2.1:80":                       "",
		"10.0.0.1:443":                       "",
		"[2001:db8::1]:80":                   "",
		"[64:ff9b::c000:201]:80":             "",
		"[2002:c000:201::1]:80":              "",
		"[::ffff:192.0.2.1]:80":              "",
		"[2001:0:1:2:3:4:5:6]:80":            "",
		"[64:ff9b:1:c000:2:100::]:80":        "",
		"[fec0::1]:80":                       "",
		"128.0.0.1:80":                       "",
		"169.253.255.255:80":                 "",
		"[fd00:1:2:3::1]:80":                 "",
		"[2600:1f13:a0d:a700:1:2:3:4]:35357": "",
	} {
		t.Run(address, func(t *testing.T) {
			g := NewWithT(t)
			err := guard.Control("tcp", address, nil)
			if class == "" {
				g.Expect(err).NotTo(HaveOccurred())
				return
			}
			var denied *DeniedError
			g.Expect(errors.As(err, &denied)).To(BeTrue())
			g.Expect(denied.Class).To(Equal(class))
			g.Expect(err.Error()).To(ContainSubstring("--deny-cidrs"))
		})
	}
}

func TestS12NothingDenied(t *testing.T) {
	g := NewWithT(t)
	var none *Guard
	for _, guard := range []*Guard{none, New(nil)} {
		g.Expect(guard.Control("tcp", "127.0.0.1:1", nil)).To(Succeed())
		g.Expect(guard.Control("unix", "/run/socket", nil)).To(Succeed())
	}
}

func TestS12PrefixesOfTheOperator(t *testing.T) {
	g := NewWithT(t)
	prefixes, err := Parse([]string{"10.1.2.3/8", "::ffff:192.0.2.0/120"})
	g.Expect(err).NotTo(HaveOccurred())
	guard := New(prefixes)
	g.Expect(guard.Control("tcp", "10.200.0.1:80", nil)).To(MatchError(ContainSubstring("private address")))
	g.Expect(guard.Control("tcp", "192.0.2.7:80", nil)).To(MatchError(ContainSubstring("denied address")))
	g.Expect(guard.Control("tcp", "[64:ff9b::a00:1]:80", nil)).NotTo(Succeed())
	g.Expect(guard.Control("tcp", "127.0.0.1:80", nil)).To(Succeed(), "only what is listed is denied")

	_, err = Parse([]string{"10.0.0.0/8", "10.0.0.0/33", "localhost"})
	g.Expect(err).To(MatchError(And(ContainSubstring(`"10.0.0.0/33"`), ContainSubstring(`"localhost"`))))
}

// Whether something listens at a denied address must not show in the error.
func TestS12DialingRevealsNothing(t *testing.T) {
	g := NewWithT(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	g.Expect(err).NotTo(HaveOccurred())
	open := listener.Addr().String()
	accepted := make(chan struct{}, 10)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				close(accepted)
				return
			}
			accepted <- struct{}{}
			_ = conn.Close()
		}
	}()
	guard := New(DefaultDenied())
	var texts []string
	for _, address := range []string{open, "127.0.0.1:1"} {
		_, err := guard.DialContext(t.Context(), "tcp", address)
		var denied *DeniedError
		g.Expect(errors.As(err, &denied)).To(BeTrue())
		g.Expect(denied.Host).To(Equal("127.0.0.1"))
		texts = append(texts, denied.Error())
	}
	g.Expect(texts[0]).To(Equal(texts[1]))
	g.Expect(texts[0]).To(Equal("127.0.0.1 leads to a loopback address, which --deny-cidrs does not allow"))
	g.Expect(listener.Close()).To(Succeed())
	for range accepted {
		t.Fatal("a connection was made to a denied address")
	}
}

// A name is judged by each address that it resolves to when it is dialed.
func TestS12NamesAreJudgedByTheirAddresses(t *testing.T) {
	g := NewWithT(t)
	_, err := New(DefaultDenied()).DialContext(t.Context(), "tcp", "localhost:1")
	var denied *DeniedError
	g.Expect(errors.As(err, &denied)).To(BeTrue())
	g.Expect(denied.Host).To(Equal("localhost"))

	listener, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		t.Skipf("127.0.0.2 is not an address of this machine: %v", err)
	}
	defer func() { _ = listener.Close() }()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	g.Expect(err).NotTo(HaveOccurred())
	partly := New([]netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")})
	dial := partly.Dialer(net.Dialer{Resolver: twoAddresses(t)})
	conn, err := dial(t.Context(), "tcp", net.JoinHostPort("two.test", port))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(conn.RemoteAddr().String()).To(Equal(listener.Addr().String()), "the address that is allowed is used")
	g.Expect(conn.Close()).To(Succeed())

	_, err = New(DefaultDenied()).Dialer(net.Dialer{Resolver: twoAddresses(t)})(t.Context(), "tcp", net.JoinHostPort("two.test", port))
	g.Expect(errors.As(err, &denied)).To(BeTrue())
	g.Expect(denied.Host).To(Equal("two.test"))
}

// twoAddresses returns a resolver for which every name has the addresses 127.0.0.1 and 127.0.0.2.
func twoAddresses(t *testing.T) *net.Resolver {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	go func() {
		buffer := make([]byte, 512)
		for {
			n, from, err := server.ReadFrom(buffer)
			if err != nil {
				return
			}
			_, _ = server.WriteTo(dnsAnswer(buffer[:n]), from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", server.LocalAddr().String())
	}}
}

// dnsAnswer answers a query for A records with two of them, and any other with none.
func dnsAnswer(query []byte) []byte {
	end := 12
	for query[end] != 0 {
		end += int(query[end]) + 1
	}
	question := query[12 : end+5]
	out := append([]byte{query[0], query[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, question...)
	if query[end+2] != 1 {
		return out
	}
	out[7] = 2
	for _, last := range []byte{1, 2} {
		out = append(out, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, last)
	}
	return out
}
