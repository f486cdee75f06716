package models

import (
	"slices"
	"time"

	"halcyon/pkg/fault"
)

// ServerStatus is a step in the life of a server.
type ServerStatus string

// The server statuses.
const (
	ServerProv       ServerStatus = "PROV"
	ServerActive     ServerStatus = "ACTIVE"
	ServerModify     ServerStatus = "MODIFY"
	ServerDecom      ServerStatus = "DECOM"
	ServerHistorical ServerStatus = "HISTORICAL"
	ServerProvFailed ServerStatus = "PROVFAILED"
)

// ServerStatuses are all of them, in the order of life.
var ServerStatuses = []ServerStatus{ServerProv, ServerActive, ServerModify, ServerDecom, ServerHistorical, ServerProvFailed}

// serverEdges is the whole life of a server. A machine that vanished from the
// back end and comes back turns HISTORICAL into ACTIVE again; a failed creation
// is retried.
var serverEdges = map[ServerStatus][]ServerStatus{
	ServerProv:       {ServerActive, ServerProvFailed, ServerHistorical},
	ServerActive:     {ServerModify, ServerDecom, ServerHistorical},
	ServerModify:     {ServerActive, ServerHistorical},
	ServerDecom:      {ServerHistorical, ServerActive, ServerProvFailed},
	ServerProvFailed: {ServerProv, ServerDecom, ServerHistorical},
	ServerHistorical: {ServerActive},
}

// PowerStatus is a server's power state as last seen.
type PowerStatus string

// The power states.
const (
	PowerOn      PowerStatus = "POWERON"
	PowerOff     PowerStatus = "POWEROFF"
	PowerUnknown PowerStatus = "UNKNOWN"
)

// PowerStatuses are all of them.
var PowerStatuses = []PowerStatus{PowerOn, PowerOff, PowerUnknown}

// Server is a machine, whether it was ordered here or found in a back end. Its
// UUID is the tag that the back end's object carries.
type Server struct {
	Row
	Hostname       string
	Status         ServerStatus
	PowerStatus    PowerStatus
	IP             string `gorm:"column:ip"`
	MAC            string `gorm:"column:mac"`
	CPUs           int    `gorm:"column:cpus"`
	MemoryMB       int    `gorm:"column:memory_mb"`
	DiskGB         int    `gorm:"column:disk_gb"`
	OSFamily       string
	Notes          string
	Labels         []string     `gorm:"serializer:json"`
	Disks          []ServerDisk `gorm:"serializer:json"`
	Networks       []ServerNIC  `gorm:"serializer:json"`
	Parameters     []Param      `gorm:"serializer:json"`
	TechDetails    []Param      `gorm:"serializer:json"`
	OwnerID        ID
	GroupID        ID
	EnvironmentID  ID
	HandlerID      ID
	OSBuildID      ID
	SizeID         ID
	ServiceID      ID
	Tier           string // the build item's name within the service
	OrderID        ID
	ItemKey        string // "deploy/1/Server/2": which instance of the order it is, once
	ProvisionJobID ID
	BackendRef     string // the back end's own id
	BackendName    string // name in the back end
	Rate           Money  // per month
	HardwareRate   Money
	SoftwareRate   Money
	ExtraRate      Money
	ExpiresOn      string     // YYYY-MM-DD, the last day of its lease; "" for never
	LeaseWarned    int        // days before the end of which the last warning told; 0 for none yet
	LeaseExpiredAt *time.Time // when it was switched off since its lease had ended
	ActionJobID    ID         // the open job of an action, which has the server to itself
	AddedAt        time.Time
	SyncedAt       *time.Time

	Reserved Amounts `gorm:"embedded;embeddedPrefix:reserved_"` // of the quotas; only pkg/quota sets it
}

// GlobalPrefix implements Keyed.
func (*Server) GlobalPrefix() string { return "SVR" }

// MoveTo changes the status. It returns a Conflict unless the change is an allowed
// edge.
func (s *Server) MoveTo(to ServerStatus) error {
	if !slices.Contains(serverEdges[s.Status], to) {
		return fault.Conflictf("A server cannot go from %s to %s.", s.Status, to)
	}
	s.Left = append(s.Left, string(s.Status))
	s.Status = to
	return nil
}

// Lease sets the server's last day, "" for no expiry, and resets the state of the old
// lease.
func (s *Server) Lease(day string) {
	s.ExpiresOn, s.LeaseWarned, s.LeaseExpiredAt = day, 0, nil
}

// ServerDisk is one virtual disk.
type ServerDisk struct {
	UUID             string `json:"uuid"`
	Name             string `json:"name"`
	SizeGB           int    `json:"size_gb"`
	Datastore        string `json:"datastore"`
	ProvisioningType string `json:"provisioning_type"`
}

// ServerNIC is one network card.
type ServerNIC struct {
	Name    string   `json:"name"`
	Network string   `json:"network"`
	MAC     string   `json:"mac"`
	IPs     []string `json:"ips"`
}

// ServiceStatus is a step in the life of a deployed blueprint.
type ServiceStatus string

// The service statuses.
const (
	ServiceProvisioning ServiceStatus = "Provisioning"
	ServiceActive       ServiceStatus = "Active"
	ServiceHistorical   ServiceStatus = "Historical"
	ServiceProvFailed   ServiceStatus = "PROVFAILED"
)

// ServiceStatuses are all of them.
var ServiceStatuses = []ServiceStatus{ServiceProvisioning, ServiceActive, ServiceHistorical, ServiceProvFailed}

var serviceEdges = map[ServiceStatus][]ServiceStatus{
	ServiceProvisioning: {ServiceActive, ServiceProvFailed, ServiceHistorical},
	ServiceActive:       {ServiceHistorical},
	ServiceProvFailed:   {ServiceProvisioning, ServiceActive, ServiceHistorical},
}

// Service is a deployed blueprint: the servers that one deploy item made.
type Service struct {
	Row
	Name        string
	Status      ServiceStatus
	BlueprintID ID
	OwnerID     ID
	GroupID     ID
	OrderID     ID
	ItemKey     string  // "deploy/1"
	Parameters  []Param `gorm:"serializer:json"`
	ExpiresOn   string  // the last day of the lease that lasts longest of its servers'; "" when one has no end
	LeaseWarned int     // as of a server
	InstalledAt *time.Time

	Busy string `gorm:"-"` // what works on its servers, "" for nothing; as read with the row
}

// GlobalPrefix implements Keyed.
func (*Service) GlobalPrefix() string { return "RSC" }

// MoveTo changes the status. It returns a Conflict unless the change is an allowed
// edge.
func (s *Service) MoveTo(to ServiceStatus) error {
	if !slices.Contains(serviceEdges[s.Status], to) {
		return fault.Conflictf("A service cannot go from %s to %s.", s.Status, to)
	}
	s.Left = append(s.Left, string(s.Status))
	s.Status = to
	return nil
}
