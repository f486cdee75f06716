package models

import (
	"slices"
	"time"

	"halcyon/pkg/fault"
)

// OrderStatus is a step in the life of an order.
type OrderStatus string

// The order statuses.
const (
	OrderCart     OrderStatus = "CART"
	OrderPending  OrderStatus = "PENDING"
	OrderActive   OrderStatus = "ACTIVE"
	OrderSuccess  OrderStatus = "SUCCESS"
	OrderWarning  OrderStatus = "WARNING"
	OrderFailure  OrderStatus = "FAILURE"
	OrderDenied   OrderStatus = "DENIED"
	OrderCanceled OrderStatus = "CANCELED"
)

// OrderStatuses are all of them, in the order of life.
var OrderStatuses = []OrderStatus{OrderCart, OrderPending, OrderActive, OrderSuccess, OrderWarning, OrderFailure, OrderDenied, OrderCanceled}

// orderEdges is the whole life of an order.
var orderEdges = map[OrderStatus][]OrderStatus{
	OrderCart:    {OrderPending, OrderActive, OrderCanceled},
	OrderPending: {OrderActive, OrderDenied, OrderCanceled},
	OrderActive:  {OrderSuccess, OrderWarning, OrderFailure, OrderCanceled},
	// A retried job makes its order active again.
	OrderFailure:  {OrderActive},
	OrderWarning:  {OrderActive},
	OrderCanceled: {OrderActive},
}

// Order is a request for catalogue items, submitted from a cart and decided by
// an approver or a policy.
type Order struct {
	Row
	Name              string
	Status            OrderStatus
	GroupID           ID
	OwnerID           ID
	RecipientID       ID
	ApprovedByID      ID
	Current           bool // the owner's cart behind /user/current-order
	Summary           string
	Rate              Money // per month, what the order adds
	DenyReason        string
	SubmittedAt       *time.Time
	ApprovedAt        *time.Time
	EndedAt           *time.Time
	CancelRequestedAt *time.Time  // running work is being stopped
	Items             []OrderItem `gorm:"foreignKey:OrderID"`
	Made              *OrderMade  `gorm:"-"` // by the transaction that the row comes from

	Problems []fault.Field `gorm:"-"` // why it cannot go on as it is; as read with the row by who could let it
}

// GlobalPrefix implements Keyed.
func (*Order) GlobalPrefix() string { return "ORD" }

// Validate checks the rules that hold for every writer of the row. A cart needs no
// name.
func (o *Order) Validate() error {
	if o.Name == "" {
		return nil
	}
	return validName(o.Name)
}

// Ended reports whether the order has come to an end (a retried job may make it
// active again).
func (o *Order) Ended() bool { return o.EndedAt != nil }

// MoveTo changes the status. It returns a Conflict unless the change is an allowed
// edge.
func (o *Order) MoveTo(to OrderStatus) error {
	if !slices.Contains(orderEdges[o.Status], to) {
		return fault.Conflictf("An order cannot go from %s to %s.", o.Status, to)
	}
	o.Left = append(o.Left, string(o.Status))
	o.Status = to
	return nil
}

// OrderMade is all that an order has come to so far, by the order of their ids.
type OrderMade struct {
	Jobs    []*Job
	Servers []*Server
}

// ItemKind is the operation that an order item requests.
type ItemKind string

// The item kinds.
const (
	ItemDeploy ItemKind = "deploy"
	ItemProv   ItemKind = "prov"
	ItemMod    ItemKind = "mod"
	ItemDecom  ItemKind = "decom"
	ItemScale  ItemKind = "scale"
	ItemAction ItemKind = "action"
)

// ItemKinds are all of them, in wire order.
var ItemKinds = []ItemKind{ItemDeploy, ItemProv, ItemMod, ItemDecom, ItemScale, ItemAction}

// OrderItem is one line of an order. Exactly the member of its kind is set.
type OrderItem struct {
	ID          ID `gorm:"primaryKey"`
	OrderID     ID
	Kind        ItemKind
	Position    int         // counts from 1 within the order and kind
	BlueprintID ID          // of a deploy item, for the provider's visibility
	Deploy      *DeployItem `gorm:"serializer:json"`
	Prov        *ProvItem   `gorm:"serializer:json"`
	Mod         *ModItem    `gorm:"serializer:json"`
	Decom       *DecomItem  `gorm:"serializer:json"`
	Scale       *ScaleItem  `gorm:"serializer:json"`
	Action      *ActionItem `gorm:"serializer:json"`
	Rate        Money       // per month, as priced last
}

// DeployItem asks for a blueprint to be deployed.
type DeployItem struct {
	BlueprintID ID     `json:"blueprint"`
	Name        string `json:"name,omitempty"` // of the service

	// EnvironmentID is the default for build items without an environment.
	EnvironmentID ID `json:"environment,omitempty"`

	Parameters []Param         `json:"parameters,omitempty"`
	Arguments  []BuildItemArgs `json:"arguments,omitempty"`
}

// ArgumentsOf returns the order's choices for the build item of that name, none if the
// order does not mention it.
func (d *DeployItem) ArgumentsOf(name string) *BuildItemArgs {
	for i := range d.Arguments {
		if d.Arguments[i].Item == name {
			return &d.Arguments[i]
		}
	}
	return &BuildItemArgs{Item: name}
}

// BuildItemArgs are the choices for one build item of a blueprint.
type BuildItemArgs struct {
	Item          string  `json:"item"`
	Quantity      int     `json:"quantity"`
	Hostname      string  `json:"hostname,omitempty"`
	EnvironmentID ID      `json:"environment,omitempty"`
	OSBuildID     ID      `json:"os_build,omitempty"`
	Parameters    []Param `json:"parameters,omitempty"`
}

// ProvItem asks for servers without a blueprint.
type ProvItem struct {
	EnvironmentID     ID       `json:"environment,omitempty"`
	Hostname          string   `json:"hostname,omitempty"`
	Quantity          int      `json:"quantity"`
	OSBuildID         ID       `json:"os_build,omitempty"`
	Parameters        []Param  `json:"parameters,omitempty"`
	Preconfigurations []string `json:"preconfigurations,omitempty"`
	Applications      []string `json:"applications,omitempty"` // ids, once the order has been checked
}

// ModItem asks for a server to be changed.
type ModItem struct {
	ServerID      ID      `json:"server"`
	EnvironmentID ID      `json:"environment,omitempty"`
	Parameters    []Param `json:"parameters,omitempty"`
	DiskUUID      string  `json:"disk_uuid,omitempty"`
	Delta         []Param `json:"delta,omitempty"` // "Mem Size": "1 GB -> 2 GB"
}

// DecomItem asks for servers and services to be removed.
type DecomItem struct {
	EnvironmentID ID      `json:"environment,omitempty"`
	ServerIDs     []ID    `json:"servers,omitempty"`
	ServiceIDs    []ID    `json:"services,omitempty"`
	Names         []Named `json:"names,omitempty"` // what they were called when the item was made
}

// ScaleItem asks for a tier of a service to have so many servers.
type ScaleItem struct {
	ServiceID  ID      `json:"service"`
	Tier       string  `json:"tier,omitempty"` // a build item; "" for a service that has only one
	Quantity   int     `json:"quantity"`
	Parameters []Param `json:"parameters,omitempty"` // of the servers to be made
	Delta      []Param `json:"delta,omitempty"`      // "Web": "2 -> 3"
}

// Named is an object and its name at the time.
type Named struct {
	Kind string `json:"kind"`
	ID   ID     `json:"id"`
	Name string `json:"name"`
}

// Param is a named value; a list of them keeps the order in which they came.
type Param struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// ParamValue finds a value by name, - and _ being alike.
func ParamValue(params []Param, name string) (string, bool) {
	key := InputKey(name)
	for _, p := range params {
		if InputKey(p.Name) == key {
			return p.Value, true
		}
	}
	return "", false
}
