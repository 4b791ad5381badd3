// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"os"
	"os/exec"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"k8s.io/mount-utils"
	utilexec "k8s.io/utils/exec"
)

// node is the service that mounts on one node what is attached to it.
type node struct {
	csi.UnimplementedNodeServer
	name    string
	disks   *disks
	mounter *mount.SafeFormatAndMount
}

func newNode(name string, disks *disks) *node {
	return &node{name: name, disks: disks, mounter: mount.NewSafeFormatAndMount(mount.New(""), utilexec.New())}
}

func (n *node) NodeGetInfo(context.Context, *csi.NodeGetInfoRequest) (*csi.NodeGetInfoResponse, error) {
	return &csi.NodeGetInfoResponse{NodeId: n.name}, nil
}

func (n *node) NodeGetCapabilities(context.Context, *csi.NodeGetCapabilitiesRequest) (*csi.NodeGetCapabilitiesResponse, error) {
	answer := &csi.NodeGetCapabilitiesResponse{}
	for _, kind := range []csi.NodeServiceCapability_RPC_Type{
		csi.NodeServiceCapability_RPC_STAGE_UNSTAGE_VOLUME,
		csi.NodeServiceCapability_RPC_EXPAND_VOLUME,
	} {
		rpc := &csi.NodeServiceCapability_Rpc{Rpc: &csi.NodeServiceCapability_RPC{Type: kind}}
		answer.Capabilities = append(answer.Capabilities, &csi.NodeServiceCapability{Type: rpc})
	}
	return answer, nil
}

// NodeStageVolume mounts the volume's file system, which is made at the first time.
func (n *node) NodeStageVolume(_ context.Context, request *csi.NodeStageVolumeRequest) (*csi.NodeStageVolumeResponse, error) {
	id, path := request.GetVolumeId(), request.GetStagingTargetPath()
	switch {
	case id == "":
		return nil, missing("volume")
	case path == "":
		return nil, missing("staging path")
	case request.GetVolumeCapability() == nil:
		return nil, missing("capability")
	}
	found, err := n.disks.get(id)
	if err != nil {
		return nil, err
	}
	if found.State != attached || found.Node != n.name {
		return nil, status.Errorf(codes.FailedPrecondition, "volume %s is not attached to node %s", id, n.name)
	}
	return &csi.NodeStageVolumeResponse{}, n.mount(path, func() error {
		kind := fileSystemOf(request.GetVolumeCapability())
		options := append([]string{"loop"}, request.GetVolumeCapability().GetMount().GetMountFlags()...)
		if kind == "xfs" { // one kernel mounts the volumes of both nodes, and a clone has the id of its source
			options = append(options, "nouuid")
		}
		return n.disks.mounting(id, func() error {
			if err := n.mounter.FormatAndMount(n.disks.image(id), path, kind, options); err != nil || found.Source == "" {
				return err
			}
			return n.fill(path)
		})
	})
}

func (n *node) NodeUnstageVolume(_ context.Context, request *csi.NodeUnstageVolumeRequest) (*csi.NodeUnstageVolumeResponse, error) {
	switch {
	case request.GetVolumeId() == "":
		return nil, missing("volume")
	case request.GetStagingTargetPath() == "":
		return nil, missing("staging path")
	}
	return &csi.NodeUnstageVolumeResponse{}, mount.CleanupMountPoint(request.GetStagingTargetPath(), n.mounter, true)
}

func (n *node) NodePublishVolume(_ context.Context, request *csi.NodePublishVolumeRequest) (*csi.NodePublishVolumeResponse, error) {
	path := request.GetTargetPath()
	switch {
	case request.GetVolumeId() == "":
		return nil, missing("volume")
	case path == "":
		return nil, missing("target path")
	case request.GetVolumeCapability() == nil:
		return nil, missing("capability")
	case request.GetStagingTargetPath() == "":
		return nil, missing("staging path")
	}
	options := []string{"bind"}
	if request.GetReadonly() {
		options = append(options, "ro")
	}
	return &csi.NodePublishVolumeResponse{}, n.mount(path, func() error {
		return n.mounter.Mount(request.GetStagingTargetPath(), path, "", options)
	})
}

func (n *node) NodeUnpublishVolume(_ context.Context, request *csi.NodeUnpublishVolumeRequest) (*csi.NodeUnpublishVolumeResponse, error) {
	switch {
	case request.GetVolumeId() == "":
		return nil, missing("volume")
	case request.GetTargetPath() == "":
		return nil, missing("target path")
	}
	return &csi.NodeUnpublishVolumeResponse{}, mount.CleanupMountPoint(request.GetTargetPath(), n.mounter, true)
}

// NodeExpandVolume has the device and the file system follow the image.
func (n *node) NodeExpandVolume(_ context.Context, request *csi.NodeExpandVolumeRequest) (*csi.NodeExpandVolumeResponse, error) {
	path := request.GetVolumePath()
	switch {
	case request.GetVolumeId() == "":
		return nil, missing("volume")
	case path == "":
		return nil, missing("path")
	}
	found, err := n.disks.get(request.GetVolumeId())
	if err != nil {
		return nil, err
	}
	device, _, err := mount.GetDeviceNameFromMount(n.mounter, path)
	if err != nil {
		return nil, err
	}
	if device == "" {
		return nil, status.Errorf(codes.NotFound, "nothing is mounted at %s", path)
	}
	if said, err := exec.Command("losetup", "--set-capacity", device).CombinedOutput(); err != nil {
		return nil, status.Errorf(codes.Internal, "%v: %s", err, said)
	}
	if _, err := mount.NewResizeFs(n.mounter.Exec).Resize(device, path); err != nil {
		return nil, err
	}
	return &csi.NodeExpandVolumeResponse{CapacityBytes: found.Bytes}, nil
}

// fill has the file system of a clone that is larger than its source follow the volume's size.
func (n *node) fill(path string) error {
	device, _, err := mount.GetDeviceNameFromMount(n.mounter, path)
	if err != nil {
		return err
	}
	resizer := mount.NewResizeFs(n.mounter.Exec)
	if needed, err := resizer.NeedResize(device, path); err != nil || !needed {
		return err
	}
	_, err = resizer.Resize(device, path)
	return err
}

// fileSystemOf returns the file system that is asked for.
func fileSystemOf(capability *csi.VolumeCapability) string {
	if kind := capability.GetMount().GetFsType(); kind != "" {
		return kind
	}
	return "ext4"
}

// mount does the work at a directory, which is made, unless something is mounted there.
func (n *node) mount(path string, work func() error) error {
	if err := os.MkdirAll(path, 0o750); err != nil {
		return err
	}
	if there, err := n.mounter.IsMountPoint(path); err != nil || there {
		return err
	}
	return work()
}
