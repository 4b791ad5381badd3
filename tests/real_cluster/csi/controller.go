// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	defaultBytes = 1 << 30
	// The provisioner tells by these for which claim a volume is (its option --extra-create-metadata).
	claimNamespace = "csi.storage.k8s.io/pvc/namespace"
	claimName      = "csi.storage.k8s.io/pvc/name"
)

// controller is the service that makes, attaches and grows volumes. nodes are the names of those there are.
type controller struct {
	csi.UnimplementedControllerServer
	disks *disks
	nodes map[string]bool
}

func (c *controller) ControllerGetCapabilities(context.Context, *csi.ControllerGetCapabilitiesRequest) (*csi.ControllerGetCapabilitiesResponse, error) {
	answer := &csi.ControllerGetCapabilitiesResponse{}
	for _, kind := range []csi.ControllerServiceCapability_RPC_Type{
		csi.ControllerServiceCapability_RPC_CREATE_DELETE_VOLUME,
		csi.ControllerServiceCapability_RPC_PUBLISH_UNPUBLISH_VOLUME,
		csi.ControllerServiceCapability_RPC_EXPAND_VOLUME,
		csi.ControllerServiceCapability_RPC_CLONE_VOLUME,
	} {
		rpc := &csi.ControllerServiceCapability_Rpc{Rpc: &csi.ControllerServiceCapability_RPC{Type: kind}}
		answer.Capabilities = append(answer.Capabilities, &csi.ControllerServiceCapability{Type: rpc})
	}
	return answer, nil
}

func (c *controller) CreateVolume(_ context.Context, request *csi.CreateVolumeRequest) (*csi.CreateVolumeResponse, error) {
	wanted := request.GetCapacityRange()
	bytes := wanted.GetRequiredBytes()
	if bytes == 0 {
		bytes = defaultBytes
	}
	switch {
	case request.GetName() == "":
		return nil, missing("name")
	case len(request.GetVolumeCapabilities()) == 0:
		return nil, missing("capabilities")
	case request.GetVolumeContentSource() != nil && request.GetVolumeContentSource().GetVolume() == nil:
		return nil, status.Error(codes.InvalidArgument, "volumes are made empty, or of another volume")
	case wanted.GetLimitBytes() > 0 && bytes > wanted.GetLimitBytes():
		return nil, status.Errorf(codes.OutOfRange, "%d bytes are more than the limit", bytes)
	}
	if why := unsupported(request.GetVolumeCapabilities()); why != "" {
		return nil, status.Error(codes.InvalidArgument, why)
	}
	claim := request.GetParameters()[claimNamespace] + "." + request.GetParameters()[claimName]
	made, err := c.disks.create(idOf(request.GetName()), bytes, claim, request.GetVolumeContentSource().GetVolume().GetVolumeId())
	if err != nil {
		return nil, err
	}
	if made.Bytes < bytes || (wanted.GetLimitBytes() > 0 && made.Bytes > wanted.GetLimitBytes()) {
		return nil, status.Errorf(codes.AlreadyExists, "volume %s has %d bytes", made.ID, made.Bytes)
	}
	volume := &csi.Volume{VolumeId: made.ID, CapacityBytes: made.Bytes, ContentSource: request.GetVolumeContentSource()}
	return &csi.CreateVolumeResponse{Volume: volume}, nil
}

func (c *controller) DeleteVolume(_ context.Context, request *csi.DeleteVolumeRequest) (*csi.DeleteVolumeResponse, error) {
	if request.GetVolumeId() == "" {
		return nil, missing("volume")
	}
	return &csi.DeleteVolumeResponse{}, c.disks.remove(request.GetVolumeId())
}

func (c *controller) ControllerPublishVolume(ctx context.Context, request *csi.ControllerPublishVolumeRequest) (*csi.ControllerPublishVolumeResponse, error) {
	capability := request.GetVolumeCapability()
	switch {
	case request.GetVolumeId() == "":
		return nil, missing("volume")
	case request.GetNodeId() == "":
		return nil, missing("node")
	case capability == nil:
		return nil, missing("capability")
	}
	if why := unsupported([]*csi.VolumeCapability{capability}); why != "" {
		return nil, status.Error(codes.InvalidArgument, why)
	}
	if !c.nodes[request.GetNodeId()] {
		return nil, status.Errorf(codes.NotFound, "there is no node %q", request.GetNodeId())
	}
	if err := c.disks.attach(ctx, request.GetVolumeId(), request.GetNodeId(), request.GetReadonly()); err != nil {
		return nil, err
	}
	return &csi.ControllerPublishVolumeResponse{}, nil
}

func (c *controller) ControllerUnpublishVolume(ctx context.Context, request *csi.ControllerUnpublishVolumeRequest) (*csi.ControllerUnpublishVolumeResponse, error) {
	if request.GetVolumeId() == "" {
		return nil, missing("volume")
	}
	if err := c.disks.detach(ctx, request.GetVolumeId(), request.GetNodeId()); err != nil {
		return nil, err
	}
	return &csi.ControllerUnpublishVolumeResponse{}, nil
}

func (c *controller) ValidateVolumeCapabilities(_ context.Context, request *csi.ValidateVolumeCapabilitiesRequest) (*csi.ValidateVolumeCapabilitiesResponse, error) {
	switch {
	case request.GetVolumeId() == "":
		return nil, missing("volume")
	case len(request.GetVolumeCapabilities()) == 0:
		return nil, missing("capabilities")
	}
	if _, err := c.disks.get(request.GetVolumeId()); err != nil {
		return nil, err
	}
	if why := unsupported(request.GetVolumeCapabilities()); why != "" {
		return &csi.ValidateVolumeCapabilitiesResponse{Message: why}, nil
	}
	confirmed := &csi.ValidateVolumeCapabilitiesResponse_Confirmed{
		VolumeContext: request.GetVolumeContext(), VolumeCapabilities: request.GetVolumeCapabilities(), Parameters: request.GetParameters(),
	}
	return &csi.ValidateVolumeCapabilitiesResponse{Confirmed: confirmed}, nil
}

func (c *controller) ControllerExpandVolume(_ context.Context, request *csi.ControllerExpandVolumeRequest) (*csi.ControllerExpandVolumeResponse, error) {
	switch {
	case request.GetVolumeId() == "":
		return nil, missing("volume")
	case request.GetCapacityRange() == nil:
		return nil, missing("capacity")
	}
	bytes, err := c.disks.grow(request.GetVolumeId(), request.GetCapacityRange().GetRequiredBytes())
	if err != nil {
		return nil, err
	}
	return &csi.ControllerExpandVolumeResponse{CapacityBytes: bytes, NodeExpansionRequired: true}, nil
}

// unsupported returns why volumes cannot be used in one of these ways.
func unsupported(capabilities []*csi.VolumeCapability) string {
	for _, item := range capabilities {
		if item.GetBlock() != nil {
			return "volumes have a file system"
		}
		if kind := fileSystemOf(item); kind != "ext4" && kind != "xfs" {
			return "volumes cannot have the file system " + kind
		}
		switch item.GetAccessMode().GetMode() {
		case csi.VolumeCapability_AccessMode_MULTI_NODE_READER_ONLY,
			csi.VolumeCapability_AccessMode_MULTI_NODE_SINGLE_WRITER,
			csi.VolumeCapability_AccessMode_MULTI_NODE_MULTI_WRITER:
			return "volumes are attached to one node at a time"
		}
	}
	return ""
}

func missing(what string) error {
	return status.Errorf(codes.InvalidArgument, "the request has no %s", what)
}
