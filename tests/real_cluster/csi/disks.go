// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const lookEvery = 100 * time.Millisecond

// disk is a volume as the storage knows it. It is written down, so that a driver that is started again goes on with it.
type disk struct {
	ID       string
	Bytes    int64
	Claim    string // NAMESPACE.NAME, where it is told
	Source   string // the volume that it was a clone of
	Node     string // where it is attached, or about to be, or still
	ReadOnly bool
	State    state
	Since    time.Time
}

type state string

const (
	detached  state = "detached"
	attaching state = "attaching"
	attached  state = "attached"
	detaching state = "detaching"
)

// disks are all volumes. What a test orders for one of them is in a file orders/CLAIM.OPERATION, where OPERATION is attach, detach, expand
// or clone. It is read anew all the time, and has either the seconds that it takes, or `never`, or why it fails; expand and clone can only
// fail.
type disks struct {
	directory string
	lock      sync.Mutex
}

func openDisks(directory string) (*disks, error) {
	for _, name := range []string{"volumes", "orders"} {
		if err := os.MkdirAll(filepath.Join(directory, name), 0o755); err != nil {
			return nil, err
		}
	}
	return &disks{directory: directory}, nil
}

// idOf makes a volume's id of the name that the provisioner has for it, so that a repeated request finds the same one.
func idOf(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:16])
}

var isID = regexp.MustCompile("^[0-9a-f]{32}$")

func (d *disks) place(id string) string { return filepath.Join(d.directory, "volumes", id) }
func (d *disks) image(id string) string { return filepath.Join(d.place(id), "image") }

// create makes a volume, unless it is there: empty, or as a clone of another one.
func (d *disks) create(id string, bytes int64, claim, source string) (disk, error) {
	d.lock.Lock()
	defer d.lock.Unlock()
	found, err := d.load(id)
	if err == nil && found.Source != source {
		return found, status.Errorf(codes.AlreadyExists, "volume %s is a clone of %q", id, found.Source)
	}
	if status.Code(err) != codes.NotFound {
		return found, err
	}
	if source != "" {
		if err := d.clonable(source, bytes, claim); err != nil {
			return disk{}, err
		}
	}
	if err := os.MkdirAll(d.place(id), 0o755); err != nil {
		return disk{}, err
	}
	if source != "" {
		// What is written there may not have reached its image yet where it is attached.
		unix.Sync()
		if said, err := exec.Command("cp", "--sparse=always", "--", d.image(source), d.image(id)).CombinedOutput(); err != nil {
			return disk{}, status.Errorf(codes.Internal, "%v: %s", err, said)
		}
	}
	if err := d.resize(id, bytes); err != nil {
		return disk{}, err
	}
	made := disk{ID: id, Bytes: bytes, Claim: claim, Source: source, State: detached}
	return made, d.save(made)
}

// clonable returns why a volume cannot be made as a clone of another one.
func (d *disks) clonable(source string, bytes int64, claim string) error {
	found, err := d.load(source)
	if err != nil {
		return err
	}
	if found.Bytes > bytes {
		return status.Errorf(codes.OutOfRange, "volume %s has %d bytes, and its clone would have %d", source, found.Bytes, bytes)
	}
	_, err = d.ordered(claim, "clone")
	return err
}

// get reads a volume.
func (d *disks) get(id string) (disk, error) {
	d.lock.Lock()
	defer d.lock.Unlock()
	return d.load(id)
}

// remove deletes a volume that no node has.
func (d *disks) remove(id string) error {
	d.lock.Lock()
	defer d.lock.Unlock()
	found, err := d.load(id)
	if status.Code(err) == codes.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	if found.State != detached {
		return status.Errorf(codes.FailedPrecondition, "volume %s is %s on node %s", id, found.State, found.Node)
	}
	return os.RemoveAll(d.place(id))
}

// attach gives a volume to a node, and returns when it is there. A call that ends before goes on at the next one.
func (d *disks) attach(ctx context.Context, id, node string, readOnly bool) error {
	return d.until(ctx, id, func(found disk) (disk, error) {
		switch {
		case found.State == detached:
			next := found
			next.Node, next.ReadOnly, next.State, next.Since = node, readOnly, attaching, time.Now()
			return next, nil
		case found.Node != node || found.State == detaching:
			return found, status.Errorf(codes.FailedPrecondition, "volume %s is %s on node %s", id, found.State, found.Node)
		case found.ReadOnly != readOnly:
			return found, status.Errorf(codes.AlreadyExists, "volume %s is %s on node %s with readonly %t", id, found.State, node, found.ReadOnly)
		case found.State == attaching:
			next, err := d.pass(found, "attach", attached)
			if err != nil { // refused: no node has it then
				next.Node, next.State = "", detached
			}
			return next, err
		}
		return found, nil
	}, attached)
}

// detach takes a volume from a node, or from whichever has it, and returns when it is gone from there.
func (d *disks) detach(ctx context.Context, id, node string) error {
	err := d.until(ctx, id, func(found disk) (disk, error) {
		switch {
		case found.State == detached || (node != "" && found.Node != node):
			return found, errElsewhere
		case found.State != detaching:
			found.State, found.Since = detaching, time.Now()
			return found, nil
		}
		return d.pass(found, "detach", detached)
	}, detached)
	if errors.Is(err, errElsewhere) || status.Code(err) == codes.NotFound {
		return nil
	}
	return err
}

var errElsewhere = errors.New("the node does not have it")

// until takes steps with a volume until it has a state.
func (d *disks) until(ctx context.Context, id string, step func(disk) (disk, error), wanted state) error {
	take := func() (state, error) {
		d.lock.Lock()
		defer d.lock.Unlock()
		found, err := d.load(id)
		if err != nil {
			return "", err
		}
		next, failure := step(found)
		if next != found {
			if err := d.save(next); err != nil {
				return "", err
			}
		}
		return next.State, failure
	}
	for {
		reached, err := take()
		if err != nil || reached == wanted {
			return err
		}
		select {
		case <-ctx.Done():
			return status.Errorf(codes.DeadlineExceeded, "volume %s is %s", id, reached)
		case <-time.After(lookEvery):
		}
	}
}

// pass changes a volume's state when the time for it has passed that was ordered.
func (d *disks) pass(found disk, operation string, next state) (disk, error) {
	seconds, err := d.ordered(found.Claim, operation)
	if err != nil {
		return found, err
	}
	if seconds < 0 || time.Since(found.Since) < time.Duration(seconds*float64(time.Second)) {
		return found, nil
	}
	found.State = next
	if next == detached {
		found.Node = ""
	}
	return found, nil
}

// ordered returns the seconds that an operation takes, less than none where it never ends, or the error with which it fails.
func (d *disks) ordered(claim, operation string) (float64, error) {
	order, err := os.ReadFile(filepath.Join(d.directory, "orders", claim+"."+operation))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	words := strings.TrimSpace(string(order))
	if words == "never" {
		return -1, nil
	}
	seconds, err := strconv.ParseFloat(words, 64)
	if err != nil {
		return 0, status.Error(codes.Internal, words)
	}
	return seconds, nil
}

// grow gives a volume at least this size, and returns the one that it has.
func (d *disks) grow(id string, bytes int64) (int64, error) {
	d.lock.Lock()
	defer d.lock.Unlock()
	found, err := d.load(id)
	if err != nil || found.Bytes >= bytes {
		return found.Bytes, err
	}
	if _, err := d.ordered(found.Claim, "expand"); err != nil {
		return 0, err
	}
	if err := d.resize(id, bytes); err != nil {
		return 0, err
	}
	found.Bytes = bytes
	return bytes, d.save(found)
}

// mounting keeps tests, which look into volumes (cluster.sh, copy_block), from making a second device of an image at the same moment.
func (d *disks) mounting(id string, work func() error) error {
	lock, err := os.OpenFile(filepath.Join(d.place(id), "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return err
	}
	return work()
}

func (d *disks) resize(id string, bytes int64) error {
	image, err := os.OpenFile(d.image(id), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer image.Close()
	return image.Truncate(bytes)
}

func (d *disks) load(id string) (disk, error) {
	var found disk
	if !isID.MatchString(id) {
		return found, status.Errorf(codes.NotFound, "there is no volume %q", id)
	}
	text, err := os.ReadFile(filepath.Join(d.place(id), "disk.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return found, status.Errorf(codes.NotFound, "there is no volume %q", id)
	}
	if err != nil {
		return found, err
	}
	if err := json.Unmarshal(text, &found); err != nil {
		return found, fmt.Errorf("what is written of volume %s cannot be read: %w", id, err)
	}
	return found, nil
}

// save writes a volume down by one rename: the driver may be killed at any time.
func (d *disks) save(made disk) error {
	text, err := json.Marshal(made)
	if err != nil {
		return err
	}
	path := filepath.Join(d.place(made.ID), "disk.json")
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
