// One binary with the parts of a Kubernetes control plane that the tests need:
// the storage (etcd), kube-apiserver and kube-controller-manager, each as a
// subcommand with its own real flags. No package registry ships these binaries,
// but their source is an ordinary Go module.
package main

import (
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/embed"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: control-plane etcd|kube-apiserver|kube-controller-manager [flags]")
		os.Exit(2)
	}
	name := os.Args[1]
	os.Args = append([]string{name}, os.Args[2:]...)
	var command *cobra.Command
	switch name {
	case "etcd":
		command = etcdCommand()
	case "kube-apiserver":
		command = apiserver.NewAPIServerCommand()
	case "kube-controller-manager":
		command = controllermanager.NewControllerManagerCommand()
	default:
		fmt.Fprintf(os.Stderr, "control-plane: no part is called %q\n", name)
		os.Exit(2)
	}
	os.Exit(cli.Run(command))
}

// etcdCommand takes those of etcd's own flags that the tests use, so that a
// real etcd binary can stand in its place. Nothing is synced to the disk: the
// data need not outlive the machine, and the tests are faster for it.
func etcdCommand() *cobra.Command {
	var directory, clients, peers, level string
	var noSync bool
	command := &cobra.Command{
		Use:          "etcd",
		SilenceUsage: true,
		RunE: func(*cobra.Command, []string) error {
			clientURL, err := url.Parse(clients)
			if err != nil {
				return err
			}
			peerURL, err := url.Parse(peers)
			if err != nil {
				return err
			}
			return serveEtcd(directory, *clientURL, *peerURL, level, noSync)
		},
	}
	flags := command.Flags()
	flags.StringVar(&directory, "data-dir", "", "where the data is kept")
	flags.StringVar(&clients, "listen-client-urls", "", "the address for clients")
	flags.String("advertise-client-urls", "", "accepted for etcd's sake; the address for clients is used")
	flags.StringVar(&peers, "listen-peer-urls", "", "the address for peers")
	flags.StringVar(&level, "log-level", "warn", "debug, info, warn or error")
	flags.BoolVar(&noSync, "unsafe-no-fsync", false, "do not sync to the disk")
	return command
}

func serveEtcd(directory string, clients, peers url.URL, level string, noSync bool) error {
	config := embed.NewConfig()
	config.Dir = directory
	config.LogLevel = level
	config.UnsafeNoFsync = noSync
	config.ListenClientUrls, config.AdvertiseClientUrls = []url.URL{clients}, []url.URL{clients}
	config.ListenPeerUrls, config.AdvertisePeerUrls = []url.URL{peers}, []url.URL{peers}
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	server, err := embed.StartEtcd(config)
	if err != nil {
		return err
	}
	defer server.Close()
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	select {
	case <-stop:
		return nil
	case err := <-server.Err():
		return err
	}
}
