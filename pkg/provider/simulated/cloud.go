// Package simulated provides machines that exist only as records: for load tests, for
// tests of jobs, and for trying Halcyon without a back end. It behaves like a real one: a
// machine has a Ref, names are unique, a creation consists of steps that can be
// interrupted, and answers can get lost after the work was done.
package simulated

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"halcyon/pkg/provider"
)

// Options configures a Cloud.
type Options struct {
	// Path is the file that stores the machines, one JSON record per line, shared by
	// processes and kept between runs. It is append-only. "" keeps the machines in
	// memory.
	Path string
	// Password is required of providers; "" accepts any.
	Password string
	// Latency is the duration of each call.
	Latency time.Duration
	// CloneTime is the duration of a clone in the back end, in addition to Latency. The
	// creation polls for its end.
	CloneTime time.Duration
	// Clock returns the current time, for the end of clones. It may be nil when CloneTime is 0.
	Clock func() time.Time
}

// Cloud is the back end that providers share. It is safe for concurrent use, and with a
// Path also for use by several processes.
type Cloud struct {
	options Options

	mu       sync.Mutex
	file     *os.File // nil keeps machines in memory
	offset   int64    // bytes of the file that were read
	last     int64    // highest number used in a Ref
	machines map[string]record
	tags     map[string]string // tag -> ref
	names    map[string]string // name -> ref
	refs     []string          // sorted
	failures []failure
	down     bool
}

// record is a machine in the format of the file.
type record struct {
	provider.Machine
	Ready     time.Time       `json:",omitzero"` // end of its clone
	Want      provider.Spec   // spec that it was created from
	Snapshots []savedSnapshot `json:"Saved,omitempty"`
	Taken     int             `json:",omitempty"` // number of snapshots ever taken
	Gone      bool            `json:",omitempty"`
}

// savedSnapshot is a snapshot and the state of the machine at that time.
type savedSnapshot struct {
	provider.Snapshot
	Memory    bool
	CPUs, RAM int
	Power     provider.PowerState
	Disks     []provider.Disk
}

// FailureMode is the effect of an injected failure.
type FailureMode string

// The failure modes.
const (
	Unavailable FailureMode = "unavailable" // the call does nothing; a retry may succeed
	Refused     FailureMode = "refused"     // the call does nothing; a retry fails too
	AnswerLost  FailureMode = "answer_lost" // the call takes effect but returns Unavailable
)

type failure struct {
	call      string
	mode      FailureMode
	remaining int
}

// Templates returns the names of the templates.
func Templates() []string { return []string{"debian-12", "rocky-9", "windows-2022"} }

// NewCloud returns a cloud in memory; o.Path is ignored.
func NewCloud(o Options) *Cloud {
	o.Path = ""
	return newCloud(o)
}

func newCloud(o Options) *Cloud {
	return &Cloud{options: o, machines: map[string]record{}, tags: map[string]string{}, names: map[string]string{}}
}

// OpenCloud returns a cloud that is stored in the file o.Path.
func OpenCloud(o Options) (*Cloud, error) {
	c := newCloud(o)
	if o.Path == "" {
		return c, nil
	}
	f, err := os.OpenFile(o.Path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("simulated: %w", err)
	}
	c.file = f
	if err := c.locked(func() error { return nil }); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return c, nil
}

// Close closes the cloud's file.
func (c *Cloud) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.file == nil {
		return nil
	}
	return c.file.Close()
}

// FailNext makes the next calls fail. call is "verify", "discover", "list", "find",
// "inspect", or the name of a step such as "clone"; "" is any of them.
func (c *Cloud) FailNext(call string, t FailureMode, times int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failures = append(c.failures, failure{call, t, times})
}

// SetDown makes the cloud unreachable, or reachable again.
func (c *Cloud) SetDown(down bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = down
}

// Len returns the number of machines.
func (c *Cloud) Len() int {
	n := 0
	_ = c.locked(func() error { n = len(c.refs); return nil })
	return n
}

// Populate creates n machines that Halcyon did not create, for the import by sync-vms.
func (c *Cloud) Populate(n int) error {
	return c.locked(func() error {
		var lines []byte
		for range n {
			r := c.newRecord(provider.Spec{Name: fmt.Sprintf("legacy-%d", c.last+1), Template: Templates()[0]})
			r.Power, r.Hostname, r.Ready = provider.PowerOn, r.Name, time.Time{}
			r.IP = fmt.Sprintf("10.%d.%d.%d", 100+c.last>>16&63, c.last>>8&255, c.last&255)
			r.NICs[0].IPs = []string{r.IP}
			lines = c.appendRecord(lines, r)
		}
		return c.write(lines)
	})
}

// nextFailure returns the failure to inject into the call, "" for none.
func (c *Cloud) nextFailure(call string) FailureMode {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.failures {
		f := &c.failures[i]
		if f.remaining > 0 && (f.call == "" || f.call == call) {
			f.remaining--
			return f.mode
		}
	}
	return ""
}

func (c *Cloud) isDown() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.down
}

// locked calls f while holding the lock against other goroutines and processes, after
// reading the records that others have written.
func (c *Cloud) locked(f func() error) (err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.file == nil {
		return f()
	}
	if err := lock(c.file); err != nil {
		return fmt.Errorf("simulated: lock: %w", err)
	}
	defer func() { err = errors.Join(err, unlock(c.file)) }()
	if err := c.catchUp(); err != nil {
		return err
	}
	return f()
}

// catchUp reads the records that were appended since the last call. If a crashed process
// left an unfinished line, it appends a newline, so that only that line is lost.
func (c *Cloud) catchUp() error {
	info, err := c.file.Stat()
	if err != nil {
		return fmt.Errorf("simulated: %w", err)
	}
	if info.Size() <= c.offset {
		return nil
	}
	data := make([]byte, info.Size()-c.offset)
	if _, err := c.file.ReadAt(data, c.offset); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("simulated: %w", err)
	}
	c.offset = info.Size()
	if data[len(data)-1] != '\n' {
		if err := c.write([]byte{'\n'}); err != nil {
			return err
		}
	}
	for line := range bytes.Lines(data) {
		var r record
		if json.Unmarshal(line, &r) == nil && r.Ref != "" {
			c.index(r)
		}
	}
	return nil
}

// write appends to the file, if there is one.
func (c *Cloud) write(lines []byte) error {
	if c.file == nil || len(lines) == 0 {
		return nil
	}
	n, err := c.file.Write(lines)
	c.offset += int64(n)
	if err != nil {
		return fmt.Errorf("simulated: %w", err)
	}
	return nil
}

// appendRecord indexes a record and appends its line to lines.
func (c *Cloud) appendRecord(lines []byte, r record) []byte {
	c.index(r)
	if c.file == nil {
		return nil
	}
	line, err := json.Marshal(r)
	if err != nil {
		return lines // cannot happen: a record is plain data
	}
	return append(append(lines, line...), '\n')
}

// save indexes a record and writes it to the file.
func (c *Cloud) save(r record) error { return c.write(c.appendRecord(nil, r)) }

// index updates the machine and the lookups by tag, name and Ref.
func (c *Cloud) index(r record) {
	var n int64
	if _, err := fmt.Sscanf(r.Ref, refFormat, &n); err == nil {
		c.last = max(c.last, n)
	}
	old, known := c.machines[r.Ref]
	if known {
		if c.tags[old.Tag] == r.Ref {
			delete(c.tags, old.Tag)
		}
		if c.names[old.Name] == r.Ref {
			delete(c.names, old.Name)
		}
	}
	at, _ := slices.BinarySearch(c.refs, r.Ref)
	if r.Gone {
		delete(c.machines, r.Ref)
		if known {
			c.refs = slices.Delete(c.refs, at, at+1)
		}
		return
	}
	if !known {
		c.refs = slices.Insert(c.refs, at, r.Ref)
	}
	c.machines[r.Ref] = r
	c.names[r.Name] = r.Ref
	if r.Tag != "" {
		c.tags[r.Tag] = r.Ref
	}
}

const refFormat = "sim-%09d"

// newRecord returns a new machine as a clone leaves it: off, with the template's size.
func (c *Cloud) newRecord(spec provider.Spec) record {
	c.last++
	n := c.last
	mac := fmt.Sprintf("02:00:%02x:%02x:%02x:%02x", n>>24&255, n>>16&255, n>>8&255, n&255)
	family := "linux"
	if strings.HasPrefix(spec.Template, "windows") {
		family = "windows"
	}
	r := record{Want: spec, Machine: provider.Machine{
		Ref: fmt.Sprintf(refFormat, n), Name: spec.Name, Power: provider.PowerOff,
		CPUs: 1, MemoryMB: 1024, OSFamily: family, MAC: mac,
		Disks: []provider.Disk{{
			UUID: fmt.Sprintf("6000c29f-0000-0000-0000-%012x", n), Name: "Hard disk 1", SizeGB: 10,
			Datastore: base(orDefault(spec.Datastore, "store-1")), ProvisioningType: orDefault(spec.DiskType, "thin"),
		}},
		NICs: []provider.NIC{{Name: "Network adapter 1", Network: base(orDefault(spec.Network, "lan")), MAC: mac, IPs: []string{}}},
		Details: map[string]string{
			"datacenter": "/dc", "cluster": "/dc/host/cluster", "folder": "/dc/vm", "host": fmt.Sprintf("host-%d", n%4),
		},
	}}
	if o := c.options; o.CloneTime > 0 && o.Clock != nil {
		r.Ready = o.Clock().Add(o.CloneTime)
	}
	return r
}

func orDefault(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func base(path string) string { return path[strings.LastIndex(path, "/")+1:] }

// clone returns a deep copy.
func (r record) clone() record {
	r.Disks = slices.Clone(r.Disks)
	r.NICs = slices.Clone(r.NICs)
	for i := range r.NICs {
		r.NICs[i].IPs = slices.Clone(r.NICs[i].IPs)
	}
	r.Details = maps.Clone(r.Details)
	r.Snapshots = slices.Clone(r.Snapshots)
	return r
}
