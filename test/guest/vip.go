package guest

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// vip is the address of the cluster's API. While it is open it passes connections on; else it resets them.
type vip struct {
	listener net.Listener
	backend  string
	accepted sync.WaitGroup

	mu    sync.Mutex
	open  bool
	conns map[net.Conn]struct{}
}

func newVIP(backend string) (*vip, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen at the cluster's virtual IP address: %w", err)
	}
	v := &vip{listener: listener, backend: backend, conns: map[net.Conn]struct{}{}}
	v.accepted.Go(v.accept)
	return v, nil
}

func (v *vip) address() string { return v.listener.Addr().String() }

// setOpen opens or closes the address; connections that exist break when it closes.
func (v *vip) setOpen(open bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.open = open
	if open {
		return
	}
	for conn := range v.conns {
		reset(conn)
	}
	clear(v.conns)
}

func (v *vip) isOpen() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.open
}

func (v *vip) stop() {
	v.setOpen(false)
	// It can only fail if it is closed already.
	_ = v.listener.Close()
	v.accepted.Wait()
}

func (v *vip) accept() {
	for {
		conn, err := v.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		v.accepted.Go(func() { v.serve(conn) })
	}
}

func (v *vip) serve(client net.Conn) {
	if !v.admit(client) {
		reset(client)
		return
	}
	defer v.dismiss(client)
	server, err := net.Dial("tcp", v.backend)
	if err != nil {
		return
	}
	defer server.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		// Either direction's end is the end of both; its error says no more than that.
		_, _ = io.Copy(server, client)
		_ = server.Close()
	}()
	_, _ = io.Copy(client, server)
	_ = client.Close()
	<-done
}

func (v *vip) admit(conn net.Conn) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.open {
		v.conns[conn] = struct{}{}
	}
	return v.open
}

func (v *vip) dismiss(conn net.Conn) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.conns, conn)
	_ = conn.Close()
}

// reset ends a connection as a host does that knows nothing of it.
func reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
