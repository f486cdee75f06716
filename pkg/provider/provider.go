// Package provider is what Halcyon asks of a back end: a vCenter, a container
// engine, a simulation. Everything that changes the back end is a list of short
// steps that can be repeated at any point, so that a process may die anywhere and
// another one goes on.
package provider

import (
	"context"
	"time"
)

// Provider is one resource handler's back end. All methods are safe for
// concurrent use. Errors are fault.Errors: Unavailable (and anything that is no
// fault.Error) is transient and is tried again; Invalid, NotFound, Conflict and
// Forbidden are permanent.
type Provider interface {
	// Verify signs in and says what is there.
	Verify(ctx context.Context) (About, error)
	// Discover lists what a catalogue can be built from.
	Discover(ctx context.Context) (Inventory, error)
	// List gives at most limit machines in ascending order of Ref, beginning
	// behind the Ref after ("" for the start). Templates are left out. Fewer than
	// limit means that there are no more.
	List(ctx context.Context, after string, limit int) ([]Machine, error)
	// Find gives the machine that carries the tag, NotFound when none does.
	Find(ctx context.Context, tag string) (Machine, error)
	// Inspect gives the machine with this Ref, NotFound when it is gone.
	Inspect(ctx context.Context, ref string) (Machine, error)

	// Create makes the machine that spec describes, running, and leaves its Ref in
	// the memo under MemoRef. A machine that already carries spec.Tag is adopted.
	Create(spec Spec) []Step
	// Modify changes what is set in change.
	Modify(ref string, change Change) []Step
	// Power brings the machine into a power state. Being there already is success,
	// and a reboot leaves the machine running whatever it was before.
	Power(ref string, op PowerOp) []Step
	// Snapshots gives the machine's snapshots, the oldest first.
	Snapshots(ctx context.Context, ref string) ([]Snapshot, error)
	// Snapshot takes a snapshot. One with that name is success.
	Snapshot(ref string, spec SnapshotSpec) []Step
	// Revert brings the machine back to one of its snapshots: NotFound when it has
	// none with that Ref. The snapshot stays.
	Revert(ref, snapshot string) []Step
	// RemoveSnapshot removes one of the machine's snapshots, and none of those that
	// were taken after it. One that is gone already is success.
	RemoveSnapshot(ref, snapshot string) []Step
	// Destroy removes whatever carries the tag (or has the ref, when it is not
	// empty): running, half made, or already gone, which is success. A machine with
	// the ref that carries another tag is left alone: a back end that is set up anew
	// gives its refs again.
	Destroy(ref, tag string) []Step

	// Close ends sessions.
	Close(ctx context.Context) error
}

// Step is one short (< 60 s), idempotent piece of a change.
type Step struct {
	Name  string // stable identifier within the operation, e.g. "clone"
	Title string // progress message, e.g. "Cloning Debian 12"
	// Run does the piece, or a part of it. A positive wait says: not there yet,
	// call again after it. What a later call (perhaps in another process) needs is
	// left in the memo.
	Run func(ctx context.Context, memo Memo) (wait time.Duration, err error)
	// Along says that the step is quick, and may be done in one go with the one
	// before it: when the process dies meanwhile, both are done again.
	WithPrevious bool
}

// Memo is what the steps of one operation hand on. It is stored after each
// call of Run, and may be one call old when a process died; or as many as there
// are steps that go along.
type Memo map[string]string

// MemoRef is the memo's key for the machine's Ref.
const MemoRef = "ref"

// About says what a back end is.
type About struct {
	Product string // e.g. "VMware vCenter Server 8.0.2"
	APIType string // e.g. "VirtualCenter"
}

// Inventory is what a back end offers to a catalogue.
type Inventory struct {
	Templates   []Template
	Datacenters []string // inventory paths, as are all below
	Clusters    []string
	Datastores  []string
	Networks    []string
	Folders     []string
}

// Template is a machine to clone from.
type Template struct {
	Name     string
	OSFamily string // "linux", "windows" or ""
	CPUs     int
	MemoryMB int
}

// PowerState of a machine.
type PowerState string

// The power states, as /api/v2 shows them.
const (
	PowerOn      PowerState = "POWERON"
	PowerOff     PowerState = "POWEROFF"
	PowerUnknown PowerState = "UNKNOWN"
)

// PowerOp is what can be asked of Power.
type PowerOp string

// The power operations.
const (
	OpPowerOn  PowerOp = "power_on"
	OpPowerOff PowerOp = "power_off"
	OpReboot   PowerOp = "reboot"
)

// Machine is a machine as the back end sees it.
type Machine struct {
	Ref      string // the back end's own id, e.g. "vm-42"
	Tag      string // the Halcyon server's uuid, "" when it is not ours
	Name     string // name in the back end
	Hostname string // the guest's, "" when unknown
	Power    PowerState
	CPUs     int
	MemoryMB int
	OSFamily string
	IP       string // primary address, "" when unknown
	MAC      string // of the first card
	Disks    []Disk
	NICs     []NIC
	Details  map[string]string // technology specific: host, cluster, datastore, folder, …
}

// DiskGB is the sum of the disks, rounded up per disk.
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

// Spec describes the machine that Create makes.
type Spec struct {
	Tag      string // the server's uuid: what makes Create idempotent
	Name     string // unique in the folder and derived from Tag
	Hostname string
	Template string
	CPUs     int
	MemoryMB int
	Placement
	Address  *Address // nil: whatever the template does, usually DHCP
	OSFamily string
}

// Placement says where in the back end a machine goes. Empty members mean the
// back end's default.
type Placement struct {
	Datacenter   string
	Cluster      string
	ResourcePool string
	Datastore    string
	Folder       string
	Network      string
}

// Address is a fixed address for the first network card.
type Address struct {
	IP      string
	Prefix  int // length, e.g. 24
	Gateway string
	DNS     []string
	Domain  string
}

// Change is what Modify can change; zero members stay as they are.
type Change struct {
	CPUs     int
	MemoryMB int
	DiskUUID string // grow this disk …
	DiskGB   int    // … to this size
}

// SnapshotSpec describes the snapshot to take.
type SnapshotSpec struct {
	Name        string
	Description string
	Memory      bool // with what a running machine has in its memory
}

// Snapshot is a snapshot as the back end sees it.
type Snapshot struct {
	Ref         string // the back end's own id
	Name        string
	Description string
	Created     time.Time // zero when it is not known
	SizeMB      int64     // 0 when it is not known
	Current     bool      // the one that was taken, or gone back to, last
}

// Config is what a handler's row says about its back end.
type Config struct {
	Name     string
	URL      string
	Username string
	Password string
	Insecure bool          // do not check the server's certificate
	Timeout  time.Duration // of one call; 0 means 30 s
}
