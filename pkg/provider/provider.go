// Package provider defines the interface to a back end: a vCenter, a container engine, a
// simulation. Every change to the back end is a list of short, repeatable steps, so that
// a process may stop at any point and another one continues.
package provider

import (
	"context"
	"slices"
	"strings"
	"time"
)

// Provider is the back end of one resource handler. All methods are safe for concurrent
// use. Errors are fault.Errors: Unavailable, and any error that is not a fault.Error, is
// transient and retried; Invalid, NotFound, Conflict and Forbidden are permanent.
type Provider interface {
	// Verify signs in and returns the back end's product.
	Verify(ctx context.Context) (About, error)
	// Discover returns the templates and places that a catalogue can be built from.
	Discover(ctx context.Context) (Inventory, error)
	// List returns at most limit machines in ascending order of Ref, starting after the
	// Ref after ("" for the first page), without templates. A page of fewer than limit
	// machines is the last one.
	List(ctx context.Context, after string, limit int) ([]Machine, error)
	// Find returns the machine with the tag, or NotFound.
	Find(ctx context.Context, tag string) (Machine, error)
	// Inspect returns the machine with the Ref, or NotFound.
	Inspect(ctx context.Context, ref string) (Machine, error)

	// Create creates and starts the machine that spec describes, and stores its Ref in
	// the memo under MemoRef. A machine that already has spec.Tag is adopted.
	Create(spec Spec) []Step
	// Modify applies the fields that are set in change.
	Modify(ref string, change Change) []Step
	// Power changes the power state. A machine already in that state is a success, and a
	// reboot leaves the machine running in any case.
	Power(ref string, op PowerOp) []Step
	// Snapshots returns the machine's snapshots, oldest first.
	Snapshots(ctx context.Context, ref string) ([]Snapshot, error)
	// Snapshot takes a snapshot. An existing one with the name is a success.
	Snapshot(ref string, spec SnapshotSpec) []Step
	// Revert reverts the machine to one of its snapshots, or returns NotFound when it has
	// none with that Ref. The snapshot stays.
	Revert(ref, snapshot string) []Step
	// RemoveSnapshot removes one of the machine's snapshots and keeps those that were
	// taken after it. A missing one is a success.
	RemoveSnapshot(ref, snapshot string) []Step
	// Destroy removes the machine with the tag (or with the ref, if that is not empty),
	// running or partially created; a missing one is a success. A machine with the ref
	// but another tag stays: a reinstalled back end reuses refs.
	Destroy(ref, tag string) []Step

	// Close ends sessions.
	Close(ctx context.Context) error
}

// Step is one short (under 60 s), idempotent part of a change.
type Step struct {
	Name  string // stable identifier within the operation, such as "clone"
	Title string // progress message, such as "Cloning Debian 12"
	// Run performs the step or a part of it. A positive wait means that the step is not
	// finished and must be called again after that time. Values that a later call needs,
	// perhaps in another process, are stored in the memo.
	Run func(ctx context.Context, memo Memo) (wait time.Duration, err error)
	// WithPrevious allows running the step together with the one before it, without
	// storing the memo in between: the step is quick, and after a crash both are
	// repeated.
	WithPrevious bool
}

// Memo holds the values that the steps of one operation pass on. It is stored after each
// call of Run. After a crash it may be one call old, or older by the steps that ran
// together (WithPrevious).
type Memo map[string]string

// MemoRef is the memo's key for the machine's Ref.
const MemoRef = "ref"

// MemoKnownSnapshots is the memo's key for the refs of the snapshots, separated by blanks,
// that the machine had under the name of the one that is taken. A snapshot of that name
// that is not among them is the one, taken before a crash.
const MemoKnownSnapshots = "snapshot.known"

// WasKnown reports whether the memo has the snapshot's ref under MemoKnownSnapshots.
func (m Memo) WasKnown(ref string) bool {
	return slices.Contains(strings.Fields(m[MemoKnownSnapshots]), ref)
}

// About describes a back end.
type About struct {
	Product string // such as "VMware vCenter Server 8.0.2"
	APIType string // such as "VirtualCenter"
}

// Inventory is the part of a back end from which a catalogue is built.
type Inventory struct {
	Templates   []Template
	Datacenters []string // inventory paths, like all fields below
	Clusters    []string
	Datastores  []string
	Networks    []string
	Folders     []string
}

// Template is a machine image to clone.
type Template struct {
	Name     string
	OSFamily string // "linux", "windows" or ""
	CPUs     int
	MemoryMB int
}

// PowerState is the power state of a machine.
type PowerState string

// The power states.
const (
	PowerOn      PowerState = "POWERON"
	PowerOff     PowerState = "POWEROFF"
	PowerUnknown PowerState = "UNKNOWN"
)

// PowerOp is an operation of Power.
type PowerOp string

// The power operations.
const (
	OpPowerOn  PowerOp = "power_on"
	OpPowerOff PowerOp = "power_off"
	OpReboot   PowerOp = "reboot"
)

// Machine is a machine in the back end.
type Machine struct {
	Ref      string // the back end's id, such as "vm-42"
	Tag      string // UUID of the Halcyon server, "" for other machines
	Name     string // name in the back end's inventory
	Hostname string // of the guest, "" when unknown
	Power    PowerState
	CPUs     int
	MemoryMB int
	OSFamily string
	IP       string // primary address, "" when unknown
	MAC      string // of the first network card
	Disks    []Disk
	NICs     []NIC
	Details  map[string]string // specific to the technology: host, cluster, datastore, folder, …
}

// DiskGB returns the total size of the disks in GB, each rounded up.
func (m Machine) DiskGB() int {
	sum := 0
	for _, d := range m.Disks {
		sum += d.SizeGB
	}
	return sum
}

// Disk is one virtual disk.
type Disk struct {
	UUID             string `json:"uuid"`
	Name             string `json:"name"`
	SizeGB           int    `json:"size_gb"` // rounded up
	Datastore        string `json:"datastore"`
	ProvisioningType string `json:"provisioning_type"` // "thin" or "thick"
}

// NIC is one network card.
type NIC struct {
	Name    string   `json:"name"`
	Network string   `json:"network"`
	MAC     string   `json:"mac"`
	IPs     []string `json:"ips"`
}

// Spec describes the machine that Create creates.
type Spec struct {
	Tag      string // UUID of the server; makes Create idempotent
	Name     string // unique in the folder; derived from Tag
	Hostname string
	Template string
	CPUs     int
	MemoryMB int
	Placement
	Address  *Address // nil keeps the template's setting, usually DHCP
	OSFamily string
}

// Placement is the place of a machine in the back end. An empty field selects the back
// end's default, or what the template has.
type Placement struct {
	Datacenter   string
	Cluster      string
	ResourcePool string
	Datastore    string
	Folder       string
	Network      string   // of the first network card
	MoreNetworks []string // of the second network card and those after it; "" leaves a card as it is
	DiskType     string   // "thin", "thick" or "thick-eager"
	LinkedClone  bool     // share the template's disks, as of its current snapshot
}

// Address is a fixed address for the first network card.
type Address struct {
	IP      string
	Prefix  int // length in bits, such as 24
	Gateway string
	DNS     []string
	Domain  string
}

// Change lists the changes of Modify; zero fields stay as they are.
type Change struct {
	CPUs     int
	MemoryMB int
	DiskUUID string // disk to grow …
	DiskGB   int    // … and its new size
}

// SnapshotSpec describes the snapshot to take.
type SnapshotSpec struct {
	Name        string
	Description string
	Memory      bool // include the memory of a running machine
}

// Snapshot is a snapshot in the back end.
type Snapshot struct {
	Ref         string // the back end's id
	Name        string
	Description string
	Created     time.Time // zero when unknown
	SizeMB      int64     // 0 when unknown
	Current     bool      // taken or reverted to last
}

// Config is the configuration of a back end, from the resource handler's row.
type Config struct {
	Name     string
	URL      string
	Username string
	Password string
	Insecure bool          // skip verification of the server's certificate
	Timeout  time.Duration // of one call; 0 is 30 s
}
