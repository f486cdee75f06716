package models

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"halcyon/pkg/fault"
)

// QuotaKind is the unit that a quota counts.
type QuotaKind string

// The kinds of quota.
const (
	QuotaServers QuotaKind = "servers"
	QuotaCPU     QuotaKind = "cpu"    // processors
	QuotaMemory  QuotaKind = "memory" // MB
	QuotaDisk    QuotaKind = "disk"   // GB
	QuotaMoney   QuotaKind = "money"  // Money per month
)

// QuotaKinds are all of them.
var QuotaKinds = []QuotaKind{QuotaServers, QuotaCPU, QuotaMemory, QuotaDisk, QuotaMoney}

// Format writes an amount of this kind for people: "2048 MB", "28.80/month".
func (k QuotaKind) Format(n int64) string {
	switch k {
	case QuotaMemory:
		return strconv.FormatInt(n, 10) + " MB"
	case QuotaDisk:
		return strconv.FormatInt(n, 10) + " GB"
	case QuotaMoney:
		return Money(n).PerMonth()
	case QuotaServers, QuotaCPU:
	}
	return strconv.FormatInt(n, 10)
}

// parse reads an amount of this kind, with its unit or without.
func (k QuotaKind) parse(text string) (int64, error) {
	switch k {
	case QuotaMoney:
		m, err := ParseMoney(strings.TrimSuffix(text, "/month"))
		return int64(m), err
	case QuotaMemory:
		text = strings.TrimSuffix(text, " MB")
	case QuotaDisk:
		text = strings.TrimSuffix(text, " GB")
	case QuotaServers, QuotaCPU:
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is no whole number", text)
	}
	return n, nil
}

// Quota limits what the servers of a group and of those below it, in an environment, or
// of both, may use together.
type Quota struct {
	Row
	GroupID       ID // none: whatever the group
	EnvironmentID ID // none: whatever the environment
	Kind          QuotaKind
	Limit         int64 `gorm:"column:maximum"`
	Used          int64 `gorm:"->"` // the sum of what is reserved; only pkg/quota counts it

	NewLimit *string `gorm:"-" json:"-"` // as somebody wrote it, to be read with the kind
}

// TableName returns the name of the table.
func (Quota) TableName() string { return "quotas" }

// GlobalPrefix implements Keyed.
func (*Quota) GlobalPrefix() string { return "QUO" }

// maxQuota is far from where sums would overflow.
const maxQuota = math.MaxInt64 / 1024

// Validate reads NewLimit and checks what any writer of the row must keep to.
func (q *Quota) Validate() error {
	var bad []fault.Field
	switch q.Kind {
	case QuotaServers, QuotaCPU, QuotaMemory, QuotaDisk, QuotaMoney:
		if q.NewLimit == nil {
			break
		}
		n, err := q.Kind.parse(*q.NewLimit)
		switch {
		case err != nil:
			bad = append(bad, fault.Field{Path: fault.Member("limit"), Reason: err.Error()})
		case n < 0:
			bad = append(bad, fault.Field{Path: fault.Member("limit"), Reason: "is negative"})
		case n > maxQuota:
			bad = append(bad, fault.Field{Path: fault.Member("limit"), Reason: "is too large"})
		default:
			q.Limit, q.NewLimit = n, nil
		}
	default:
		bad = append(bad, fault.Field{Path: fault.Member("kind"), Reason: fmt.Sprintf("%q is none of servers, cpu, memory, disk, money", q.Kind)})
	}
	if q.GroupID == 0 && q.EnvironmentID == 0 {
		bad = append(bad, fault.Field{Path: fault.Member("group"), Reason: "is required, unless environment is given"})
	}
	return fault.InvalidFields(bad)
}

// Amounts is the usage of servers, by kind of quota.
type Amounts struct {
	Servers  int64
	CPUs     int64 `gorm:"column:cpus"`
	MemoryMB int64 `gorm:"column:memory_mb"`
	DiskGB   int64 `gorm:"column:disk_gb"`
	Rate     Money
}

// Of returns the amount of one kind.
func (a Amounts) Of(k QuotaKind) int64 {
	switch k {
	case QuotaServers:
		return a.Servers
	case QuotaCPU:
		return a.CPUs
	case QuotaMemory:
		return a.MemoryMB
	case QuotaDisk:
		return a.DiskGB
	case QuotaMoney:
		return int64(a.Rate)
	}
	return 0
}

// Plus returns the sum of both amounts.
func (a Amounts) Plus(b Amounts) Amounts {
	return Amounts{a.Servers + b.Servers, a.CPUs + b.CPUs, a.MemoryMB + b.MemoryMB, a.DiskGB + b.DiskGB, a.Rate + b.Rate}
}

// Minus returns the difference of both amounts.
func (a Amounts) Minus(b Amounts) Amounts {
	return Amounts{a.Servers - b.Servers, a.CPUs - b.CPUs, a.MemoryMB - b.MemoryMB, a.DiskGB - b.DiskGB, a.Rate - b.Rate}
}

// Max returns the larger amount of each kind.
func (a Amounts) Max(b Amounts) Amounts {
	return Amounts{
		max(a.Servers, b.Servers), max(a.CPUs, b.CPUs), max(a.MemoryMB, b.MemoryMB),
		max(a.DiskGB, b.DiskGB), max(a.Rate, b.Rate),
	}
}

// Reservation is the quota that a pending order holds for one server: a new server, or
// the growth of a changed one.
type Reservation struct {
	ID            ID `gorm:"primaryKey"`
	OrderID       ID
	OrderItemID   ID
	ServerID      ID     // of a change
	ItemKey       string // of a creation, as the server will have it
	GroupID       ID
	EnvironmentID ID
	Reserved      Amounts `gorm:"embedded;embeddedPrefix:reserved_"`
}
