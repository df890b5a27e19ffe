// Command forwarder lets pods reach a few named services of this machine that listen on 127.0.0.1 only:
//
//	forwarder --listen 10.244.0.1 PORT=ADDRESS…
//
// takes connections to each PORT of the address pods see and carries them to ADDRESS, both ways, until both ends have
// said all they had to say.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strings"
	"sync"
	"time"
)

const dialLimit = 10 * time.Second

func main() {
	host := flag.String("listen", "", "address to listen on")
	flag.Parse()
	if *host == "" || flag.NArg() == 0 {
		fmt.Fprintln(os.Stderr, "usage: forwarder --listen HOST PORT=ADDRESS…")
		os.Exit(2)
	}
	ended := make(chan error)
	for _, route := range flag.Args() {
		port, target, found := strings.Cut(route, "=")
		if !found {
			log.Fatalf("%q is no PORT=ADDRESS", route)
		}
		listener, err := net.Listen("tcp", net.JoinHostPort(*host, port))
		if err != nil {
			log.Fatal(err)
		}
		go func() { ended <- serve(listener, target) }()
	}
	log.Fatal(<-ended)
}

// serve carries connections until listening is over.
func serve(listener net.Listener, target string) error {
	for {
		from, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return err
		}
		if err != nil { // out of descriptors, for one
			log.Print(err)
			time.Sleep(100 * time.Millisecond)
			continue
		}
		go carry(from.(*net.TCPConn), target)
	}
}

func carry(from *net.TCPConn, target string) {
	defer from.Close()
	dialled, err := net.DialTimeout("tcp", target, dialLimit)
	if err != nil {
		log.Print(err)
		_ = from.SetLinger(0) // the caller sees a refused connection, not an empty answer
		return
	}
	to := dialled.(*net.TCPConn)
	defer to.Close()
	var both sync.WaitGroup
	both.Go(func() { pass(to, from) })
	both.Go(func() { pass(from, to) })
	both.Wait()
}

// pass hands on what from says, and that it has ended.
func pass(to, from *net.TCPConn) {
	if _, err := io.Copy(to, from); err != nil {
		_ = from.SetLinger(0) // a reset is passed on as a reset
		_ = to.SetLinger(0)
		_ = from.Close()
		_ = to.Close()
		return
	}
	_ = to.CloseWrite()
}
