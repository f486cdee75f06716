package models

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"halcyon/pkg/fault"
)

// HandlerKind is the provider of a resource handler.
type HandlerKind string

// The kinds of resource handler.
const (
	HandlerVSphere   HandlerKind = "vsphere"
	HandlerSimulated HandlerKind = "simulated"
)

// HandlerKinds are all of them.
var HandlerKinds = []HandlerKind{HandlerVSphere, HandlerSimulated}

// ResourceHandler is one back end and how to reach it.
type ResourceHandler struct {
	Row
	Name        string
	Kind        HandlerKind
	Description string
	URL         string
	Username    string
	Password    string `json:"-"` // sealed by pkg/secret; never shown
	Insecure    bool   // do not check the server's certificate
	VerifiedAt  *time.Time
	Product     string // what Verify found

	NewPassword string `gorm:"-" json:"-"` // to be sealed with the row
}

// GlobalPrefix implements Keyed.
func (*ResourceHandler) GlobalPrefix() string { return "RH" }

// Validate checks the rules that hold for every writer of the row.
func (h *ResourceHandler) Validate() error {
	if err := validName(h.Name); err != nil {
		return err
	}
	switch h.Kind {
	case HandlerVSphere:
		at := h.URL
		if !strings.Contains(at, "://") {
			at = "https://" + at
		}
		u, err := url.Parse(at)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return fault.InvalidField(fault.Member("url"), "is no address of a vCenter, such as https://vcenter.example/sdk")
		}
		return nil
	case HandlerSimulated:
		return nil
	}
	return fault.InvalidField(fault.Member("type"), "is none of vsphere, simulated")
}

// Environment is a place in a resource handler that groups may order into.
// Money is per month and unit.
type Environment struct {
	Row
	Name         string
	Description  string
	AutoApproval bool
	GroupID      ID // the group that provides it
	HandlerID    ID
	Datacenter   string
	Cluster      string
	ResourcePool string
	Datastore    string
	Folder       string
	Network      string
	Domain       string // appended to hostnames to make them fully qualified
	CPURate      Money
	MemRate      Money // per GB
	DiskRate     Money // per GB

	Choices PlacementChoices `gorm:"serializer:json"` // of the back end, for orders

	// The groups that may use it and the choices to order, read and written with the
	// row. An empty list means no limit.
	GroupIDs   []ID `gorm:"-"`
	SizeIDs    []ID `gorm:"-"`
	OSBuildIDs []ID `gorm:"-"`
}

// GlobalPrefix implements Keyed.
func (*Environment) GlobalPrefix() string { return "ENV" }

// Validate checks the rules that hold for every writer of the row.
func (e *Environment) Validate() error {
	if err := validName(e.Name); err != nil {
		return err
	}
	if err := e.Choices.validate(); err != nil {
		return err
	}
	var bad []fault.Field
	for _, r := range []struct {
		name string
		rate Money
	}{{"cpu-rate", e.CPURate}, {"mem-rate", e.MemRate}, {"disk-rate", e.DiskRate}} {
		if r.rate < 0 {
			bad = append(bad, fault.Field{Path: fault.Member(r.name), Reason: "is negative"})
		}
	}
	return fault.InvalidFields(bad)
}

// EnvironmentGroup lets a group, and those below it, use an environment. An
// environment without any is open to every group.
type EnvironmentGroup struct {
	EnvironmentID ID `gorm:"primaryKey"`
	GroupID       ID `gorm:"primaryKey"`
}

// IPPool is a range of addresses of one network, given to guests one by one.
type IPPool struct {
	Row
	Name      string
	HandlerID ID
	Network   string
	FirstIP   string
	LastIP    string
	Prefix    int
	Gateway   string
	DNS       []string `gorm:"serializer:json"`
}

// TableName returns the name of the table.
func (IPPool) TableName() string { return "ip_pools" }

// GlobalPrefix implements Keyed.
func (*IPPool) GlobalPrefix() string { return "IPP" }

// IPAddress is an address of a pool that a server uses.
type IPAddress struct {
	PoolID   ID     `gorm:"primaryKey"`
	Address  string `gorm:"primaryKey"`
	ServerID ID
}

// TableName returns the name of the table.
func (IPAddress) TableName() string { return "ip_addresses" }

// OSBuild is an operating system image, known to each handler by a template.
type OSBuild struct {
	Row
	Name        string
	OSFamily    string
	OSVersion   string
	Description string
	Templates   []OSBuildTemplate `gorm:"foreignKey:OSBuildID"`
}

// TableName returns the name of the table.
func (OSBuild) TableName() string { return "os_builds" }

// GlobalPrefix implements Keyed.
func (*OSBuild) GlobalPrefix() string { return "OSB" }

// Validate checks the rules that hold for every writer of the row.
func (o *OSBuild) Validate() error { return validName(o.Name) }

// OSBuildTemplate is an OS build's template in one handler.
type OSBuildTemplate struct {
	OSBuildID ID `gorm:"primaryKey"`
	HandlerID ID `gorm:"primaryKey"`
	Template  string
}

// TableName returns the name of the table.
func (OSBuildTemplate) TableName() string { return "os_build_templates" }

// MaxCPUs is how many processors a size or a server may have.
const MaxCPUs = 1024

// Size is a performance type: the resources of a server and their price per month.
type Size struct {
	Row
	Name        string
	Description string
	CPUs        int `gorm:"column:cpus"`
	MemoryMB    int `gorm:"column:memory_mb"`
	GPUs        int `gorm:"column:gpus"`
	Rate        Money
}

// GlobalPrefix implements Keyed.
func (*Size) GlobalPrefix() string { return "SIZ" }

// Validate checks the rules that hold for every writer of the row.
func (s *Size) Validate() error {
	if err := validName(s.Name); err != nil {
		return err
	}
	var bad []fault.Field
	if s.CPUs < 1 || s.CPUs > MaxCPUs {
		bad = append(bad, fault.Field{Path: fault.Member("cpu-cnt"), Reason: fmt.Sprintf("is not between 1 and %d", MaxCPUs)})
	}
	if s.MemoryMB < 64 || s.MemoryMB > 64<<20 {
		bad = append(bad, fault.Field{Path: fault.Member("mem-size"), Reason: "is not between 64 MB and 64 TB"})
	}
	if s.GPUs < 0 {
		bad = append(bad, fault.Field{Path: fault.Member("gpu-cnt"), Reason: "is negative"})
	}
	if s.Rate < 0 {
		bad = append(bad, fault.Field{Path: fault.Member("rate"), Reason: "is negative"})
	}
	return fault.InvalidFields(bad)
}

// BlueprintState is a step in the life of a blueprint.
type BlueprintState string

// The blueprint states: only an active one can be ordered.
const (
	BlueprintDraft    BlueprintState = "Draft"
	BlueprintActive   BlueprintState = "Active"
	BlueprintPaused   BlueprintState = "Paused"
	BlueprintArchived BlueprintState = "Archived"
)

// BlueprintStates are all of them.
var BlueprintStates = []BlueprintState{BlueprintDraft, BlueprintActive, BlueprintPaused, BlueprintArchived}

// Blueprint is a catalogue item.
type Blueprint struct {
	Row
	Name        string
	Description string
	State       BlueprintState
	GroupID     ID              // the group that provides it
	Inputs      []Input         `gorm:"serializer:json"`
	Items       []BlueprintItem `gorm:"foreignKey:BlueprintID"`
	GroupIDs    []ID            `gorm:"-"` // who may order it, as read and written with the row
	PriceFrom   *Money          `gorm:"-"` // by the month, with the cheapest sizes; as read for those who ask
}

// GlobalPrefix implements Keyed.
func (*Blueprint) GlobalPrefix() string { return "BP" }

// Validate checks the rules that hold for every writer of the row.
func (b *Blueprint) Validate() error {
	if err := validName(b.Name); err != nil {
		return err
	}
	switch b.State {
	case BlueprintDraft, BlueprintActive, BlueprintPaused, BlueprintArchived:
	default:
		return fault.InvalidField(fault.Member("state"), "is none of Draft, Active, Paused, Archived")
	}
	seen := map[string]bool{}
	for _, in := range b.Inputs {
		key := InputKey(in.Name)
		if key == "" || seen[key] {
			return fault.InvalidField(fault.Member("inputs"), "%q is empty or there twice", in.Name)
		}
		seen[key] = true
		if err := in.validate(); err != nil {
			return err
		}
	}
	return nil
}

// Input finds an input by name, - and _ being alike.
func (b *Blueprint) Input(name string) (*Input, bool) {
	key := InputKey(name)
	for i := range b.Inputs {
		if InputKey(b.Inputs[i].Name) == key {
			return &b.Inputs[i], true
		}
	}
	return nil, false
}

// Item returns the build item of that name.
func (b *Blueprint) Item(name string) (*BlueprintItem, bool) {
	for i := range b.Items {
		if b.Items[i].Name == name {
			return &b.Items[i], true
		}
	}
	return nil, false
}

// serverInputs are the parameters that every build item of servers takes.
var serverInputs = []Input{
	{Name: "vm-size", Type: InputSize},
	{Name: "os_build", Type: InputOSBuild},
	{Name: "mem_size", Type: InputMemory},
	{Name: "cpu-cnt", Type: InputInteger, Minimum: new(int64(1)), Maximum: new(int64(MaxCPUs))},
}

// ServerInputs returns the parameters that a build item of servers takes: the inputs of
// the blueprint, and the size and operating system where no input asks for them.
func (b *Blueprint) ServerInputs() []Input {
	list := slices.Clone(b.Inputs)
	for _, in := range serverInputs {
		if _, has := b.Input(in.Name); !has {
			list = append(list, in)
		}
	}
	return list
}

// InputKey is the form of an input's name that comparisons use: - and _ are
// alike, and so are upper and lower case.
func InputKey(name string) string {
	return strings.ToLower(strings.ReplaceAll(name, "-", "_"))
}

// BlueprintGroup lets a group, and those below it, order a blueprint. A
// blueprint without any is open to every group.
type BlueprintGroup struct {
	BlueprintID ID `gorm:"primaryKey"`
	GroupID     ID `gorm:"primaryKey"`
}

// BlueprintItem is a build item of a blueprint: a tier of servers, or an action that runs
// after the build items before it are done and before those after it start.
type BlueprintItem struct {
	ID          ID `gorm:"primaryKey"`
	BlueprintID ID
	Position    int
	Name        string
	Type        string // BlueprintItemServer or BlueprintItemAction
	Quantity    int    // of servers; 1 for an action
	ActionID    ID     `json:",omitempty"` // of an action

	Action *Action `gorm:"-" json:"-"` // as read with the row

	// The defaults of an order. 0 or empty: none.
	EnvironmentID ID
	OSBuildID     ID
	SizeID        ID
	Hostname      string  // template: {name} {item} {id} {n} {owner} {group}
	Parameters    []Param `gorm:"serializer:json"`
}

// SizeName returns the name of the default size where it is a parameter, "" otherwise.
func (it *BlueprintItem) SizeName() string {
	name, _ := ParamValue(it.Parameters, KeyVMSize)
	return name
}

// HasAmounts reports whether the build item has default amounts of processors and memory.
func (it *BlueprintItem) HasAmounts() bool {
	_, cpus := ParamValue(it.Parameters, KeyCPUCnt)
	_, memory := ParamValue(it.Parameters, KeyMemSize)
	return cpus && memory
}

// HasSize reports whether the build item needs no size from an order.
func (it *BlueprintItem) HasSize() bool {
	return it.SizeID != 0 || it.SizeName() != "" || it.HasAmounts()
}

// Build returns the default OS build, 0 for none. A parameter comes before the member.
func (it *BlueprintItem) Build() ID {
	text, _ := ParamValue(it.Parameters, KeyOSBuild)
	if id, err := strconv.ParseInt(text, 10, 64); err == nil {
		return ID(id)
	}
	return it.OSBuildID
}

// WithDefaults adds the build item's default parameters to those of an order. A size of
// the order replaces default amounts of processors and memory, and an OS build of the
// order the default one: hasBuild reports whether the order names one elsewhere.
func (it *BlueprintItem) WithDefaults(given []Param, hasBuild bool) []Param {
	_, sized := ParamValue(given, KeyVMSize)
	out := given
	for _, x := range it.Parameters {
		key := InputKey(x.Name)
		if sized && (key == KeyCPUCnt || key == KeyMemSize) || hasBuild && key == KeyOSBuild {
			continue
		}
		if _, has := ParamValue(given, x.Name); !has {
			out = append(out, x)
		}
	}
	return out
}

// The types of build item.
const (
	BlueprintItemServer = "server" // a tier of servers
	BlueprintItemAction = "action" // the run of an action
)

// IsAction reports whether the build item runs an action.
func (it *BlueprintItem) IsAction() bool { return it.Type == BlueprintItemAction }

// ActionInputs returns the parameters of an action's run, nil for a tier of servers.
func (it *BlueprintItem) ActionInputs() []Input {
	if it.Action == nil {
		return nil
	}
	return it.Action.Inputs
}

// Tiers returns the build items of servers.
func (b *Blueprint) Tiers() []BlueprintItem {
	if !slices.ContainsFunc(b.Items, func(it BlueprintItem) bool { return it.IsAction() }) {
		return b.Items
	}
	return slices.DeleteFunc(slices.Clone(b.Items), func(it BlueprintItem) bool { return it.IsAction() })
}

// FitsBuildItem returns an error about the member action unless a build item can run the
// action: those that decide on orders have nothing to decide there, and a removal would
// undo the deployment.
func (a *Action) FitsBuildItem() error {
	if a.Kind == ActionBuiltIn && (a.BuiltIn.Decides() || a.BuiltIn == BuiltInDecommission) {
		return fault.InvalidField(fault.Member("action"), "%s runs %s, which a build item cannot run", a.Name, a.BuiltIn)
	}
	return nil
}
