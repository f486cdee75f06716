package models

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"halcyon/pkg/fault"
)

// PlacementChoices are what the orders for an environment may choose of the back end, beside
// the environment's own cluster, datastore and network. Empty lists allow no choice.
type PlacementChoices struct {
	Networks     []string `json:"networks,omitempty"`
	Datastores   []string `json:"datastores,omitempty"`
	Clusters     []string `json:"clusters,omitempty"`
	DiskTypes    []string `json:"disk_types,omitempty"` // of DiskTypes
	LinkedClones bool     `json:"linked_clones,omitempty"`
}

// The types of a new machine's disks.
const (
	diskThin       = "thin"
	diskThick      = "thick"       // lazy zeroed
	diskThickEager = "thick-eager" // eager zeroed
)

// DiskTypes are all of them.
var DiskTypes = []string{diskThin, diskThick, diskThickEager}

// diskTypeNames are further spellings of disk types, those of CloudBolt and of vSphere
// clients, without blanks, - and _.
var diskTypeNames = map[string]string{
	"thinprovision": diskThin, "thickprovision": diskThick, "thickprovisionlazyzeroed": diskThick, "zeroedthick": diskThick, "lazyzeroedthick": diskThick,
	"thickprovisioneagerzeroed": diskThickEager, "eagerzeroedthick": diskThickEager,
}

// diskType returns the disk type of that spelling, or the text as it is.
func diskType(text string) string {
	if name, ok := diskTypeNames[strings.ToLower(strings.NewReplacer(" ", "", "-", "", "_", "").Replace(text))]; ok {
		return name
	}
	return text
}

// The parameters that choose the place of a server, by InputKey. The network of the card n
// is KeyNetwork and n, from 0.
const (
	KeyNetwork     = "sc_nic_"
	KeyDatastore   = "vmware_datastore"
	KeyCluster     = "vmware_cluster"
	KeyDiskType    = "vmware_disk_type"
	KeyLinkedClone = "link_clone"
)

// MaxNICs is how many network cards an order can name networks for.
const MaxNICs = 4

// PlacementKey returns the key of a parameter that chooses the place of a server, "" for
// every other name.
func PlacementKey(name string) string {
	switch key := InputKey(name); key {
	case KeyDatastore, KeyCluster, KeyDiskType, KeyLinkedClone:
		return key
	default:
		n, found := strings.CutPrefix(key, KeyNetwork)
		if i, err := strconv.Atoi(n); found && err == nil && i >= 0 && i < MaxNICs && n == strconv.Itoa(i) {
			return key
		}
	}
	return ""
}

// PlacementNames returns the names of all parameters that choose the place of a server.
func PlacementNames() []string {
	var list []string
	for n := range MaxNICs {
		list = append(list, KeyNetwork+strconv.Itoa(n))
	}
	return append(list, KeyDatastore, KeyCluster, KeyDiskType, KeyLinkedClone)
}

// PlacementInputs returns the parameters with which an order for the environment chooses a
// server's place, with their options. Without one, the environment's own place is taken,
// which orders need not see.
func (e *Environment) PlacementInputs() []Input {
	c := &e.Choices
	var list []Input
	add := func(name, label string, options []string) {
		if len(options) > 0 {
			list = append(list, Input{Name: name, Label: label, Type: InputText, Options: options})
		}
	}
	for n := range MaxNICs {
		add(KeyNetwork+strconv.Itoa(n), "Network "+strconv.Itoa(n+1), c.Networks)
	}
	add(KeyDatastore, "Datastore", c.Datastores)
	add(KeyCluster, "Cluster", c.Clusters)
	add(KeyDiskType, "Disk type", c.DiskTypes)
	if c.LinkedClones {
		list = append(list, Input{Name: KeyLinkedClone, Label: "Linked clone", Type: InputBoolean})
	}
	return list
}

// ParsePlacement returns the canonical form of a choice of a server's place, by PlacementKey.
// The error says what the environment allows instead. No linked clone is allowed everywhere.
func (e *Environment) ParsePlacement(key, value string) (string, error) {
	list := e.PlacementInputs()
	i := slices.IndexFunc(list, func(in Input) bool { return in.Name == key })
	if i >= 0 {
		return list[i].ParsePlacement(value)
	}
	if key == KeyLinkedClone {
		no := Input{Name: key, Type: InputBoolean}
		if v, err := no.ParsePlacement(value); err != nil || v == "false" {
			return v, err
		}
	}
	return "", fmt.Errorf("cannot be chosen in %s", e.Name)
}

// ParsePlacement returns the canonical form of a choice that the environment allows. Disk
// types may have the names of CloudBolt and of vSphere clients.
func (in *Input) ParsePlacement(value string) (string, error) {
	switch {
	case in.Name == KeyDiskType:
		value = diskType(value)
	case in.Type == InputBoolean: // it needs no date
		switch strings.ToLower(value) {
		case "1", "true", "yes":
			return "true", nil
		case "0", "false", "no":
			return "false", nil
		}
		return "", fmt.Errorf("%q is neither true nor false", value)
	}
	for _, o := range in.Options {
		if strings.EqualFold(o, value) {
			return o, nil
		}
	}
	return "", fmt.Errorf("%q is not allowed here; allowed are %s", value, strings.Join(in.Options, ", "))
}

// maxChoices is how many values of one kind an environment can allow.
const maxChoices = 256

// validate checks the rules that hold for every writer of the row.
func (c *PlacementChoices) validate() error {
	for _, x := range []struct {
		member string
		list   []string
	}{{"networks", c.Networks}, {"datastores", c.Datastores}, {"clusters", c.Clusters}, {"disk-types", c.DiskTypes}} {
		if len(x.list) > maxChoices {
			return fault.InvalidField(fault.Member(x.member), "has %d values, at most %d are allowed", len(x.list), maxChoices)
		}
		for i, v := range x.list {
			if strings.TrimSpace(v) == "" || len(v) > MaxInput {
				return fault.InvalidField(fault.Member(x.member).Entry(i), "must have between 1 and %d characters", MaxInput)
			}
		}
	}
	for i, v := range c.DiskTypes {
		if !slices.Contains(DiskTypes, v) {
			return fault.InvalidField(fault.Member("disk-types").Entry(i), "%q is none of %s", v, strings.Join(DiskTypes, ", "))
		}
	}
	return nil
}
