// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Block storage as clouds have it, for tests: a volume is an image file, which can be attached to one node at a time.
//
//	csi-driver -directory DIRECTORY -node NAME=SOCKET…
//
// It serves the controller at DIRECTORY/controller.sock, and for each node the node service and the kubelet's plugin registration at
// SOCKET. DIRECTORY/volumes has a directory for each volume; DIRECTORY/orders is where tests say how long something takes (disks.go).
package main

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	registration "k8s.io/kubelet/pkg/apis/pluginregistration/v1"
)

// driverName is what storage classes and the CSIDriver object call it (storage.yml).
const driverName = "block.packit.test"

func main() {
	directory := flag.String("directory", "", "where volumes, orders and the controller's socket are")
	sockets := map[string]string{}
	flag.Func("node", "NAME=SOCKET of a node, once for each", func(given string) error {
		name, socket, found := strings.Cut(given, "=")
		if !found || name == "" || socket == "" {
			return errors.New("is not NAME=SOCKET")
		}
		sockets[name] = socket
		return nil
	})
	flag.Parse()
	if err := serve(*directory, sockets); err != nil {
		log.Fatal(err)
	}
}

// serve answers on all sockets until one of them fails.
func serve(directory string, sockets map[string]string) error {
	disks, err := openDisks(directory)
	if err != nil {
		return err
	}
	failed := make(chan error)
	listen := func(socket string, register func(*grpc.Server)) error {
		if err := os.MkdirAll(filepath.Dir(socket), 0o750); err != nil {
			return err
		}
		// One that a killed driver has left.
		if err := os.Remove(socket); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		listener, err := net.Listen("unix", socket)
		if err != nil {
			return fmt.Errorf("cannot listen on %s: %w", socket, err)
		}
		server := grpc.NewServer(grpc.UnaryInterceptor(logged))
		csi.RegisterIdentityServer(server, identity{})
		register(server)
		go func() { failed <- server.Serve(listener) }()
		return nil
	}
	nodes := map[string]bool{}
	for name := range sockets {
		nodes[name] = true
	}
	err = listen(filepath.Join(directory, "controller.sock"), func(server *grpc.Server) {
		csi.RegisterControllerServer(server, &controller{disks: disks, nodes: nodes})
	})
	if err != nil {
		return err
	}
	for name, socket := range sockets {
		err = listen(socket, func(server *grpc.Server) {
			csi.RegisterNodeServer(server, newNode(name, disks))
			registration.RegisterRegistrationServer(server, registrar{socket: socket})
		})
		if err != nil {
			return err
		}
	}
	return <-failed
}
