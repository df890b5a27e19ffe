package main

import (
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/embed"
)

const startLimit = 30 * time.Second

// etcdCommand serves one member that only this machine can reach: on unix sockets, whose directory says who may.
func etcdCommand() *cobra.Command {
	var data, sockets string
	command := &cobra.Command{
		Use:          "etcd",
		Short:        "the store of the API server, on unix sockets",
		SilenceUsage: true,
		RunE:         func(*cobra.Command, []string) error { return serveEtcd(data, sockets) },
	}
	command.Flags().StringVar(&data, "data-dir", "", "directory of its files")
	command.Flags().StringVar(&sockets, "socket-dir", "", "directory of its sockets, client.sock and peer.sock")
	for _, flag := range []string{"data-dir", "socket-dir"} {
		if err := command.MarkFlagRequired(flag); err != nil {
			panic(err)
		}
	}
	return command
}

func serveEtcd(data, sockets string) error {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	server, err := embed.StartEtcd(configuration(data, sockets))
	if err != nil {
		return err
	}
	defer server.Close()
	select {
	case <-server.Server.ReadyNotify():
	case <-stop:
		return nil
	case <-time.After(startLimit):
		return fmt.Errorf("etcd was not ready after %s", startLimit)
	}
	select {
	case err := <-server.Err():
		return err
	case <-stop:
		return nil
	}
}

func configuration(data, sockets string) *embed.Config {
	// a socket can't be advertised, and the only member never dials itself
	nowhere := []url.URL{{Scheme: "http", Host: "127.0.0.1:1"}}
	config := embed.NewConfig()
	config.Dir = data
	config.LogLevel = "warn"
	config.ListenClientUrls, config.AdvertiseClientUrls = unix(url.URL{Path: filepath.Join(sockets, "client.sock")}), nowhere
	// as host: of a peer's URL etcd reads nothing else, and would listen where any user of the machine can knock
	config.ListenPeerUrls, config.AdvertisePeerUrls = unix(url.URL{Host: filepath.Join(sockets, "peer.sock")}), nowhere
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	// NewConfig leaves 0, with which each request is logged as a slow one
	config.WarningUnaryRequestDuration = embed.DefaultWarningUnaryRequestDuration
	// a stack outlives the death of its processes, not that of the machine
	config.UnsafeNoFsync = true
	return config
}

func unix(socket url.URL) []url.URL {
	socket.Scheme = "unix"
	return []url.URL{socket}
}
