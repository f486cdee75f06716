package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/cache"
	"halcyon/pkg/fault"
	"halcyon/pkg/history"
	"halcyon/pkg/job"
	"halcyon/pkg/provider"
	"halcyon/pkg/provider/pool"
	"halcyon/pkg/quota"
	"halcyon/pkg/refdata"
	"halcyon/pkg/store"
)

// machines holds the dependencies of all kinds of jobs about servers.
type machines struct {
	job.Base
	store  *store.Store
	pool   *pool.Pool
	log    *slog.Logger
	places places
}

// places caches the places where servers are created: every step of every job needs one.
type places struct {
	environments *cache.Cache[models.ID, models.Environment]
	osBuilds     *cache.Cache[buildKey, models.OSBuild]
}

// buildKey is an OS build with its template in one resource handler.
type buildKey struct{ build, handler models.ID }

// placeEntries is the maximum number of cached environments and OS builds.
const placeEntries = 8192

func newPlaces(s *store.Store) places {
	topics := []string{refdata.Environment, refdata.OSBuilds}
	return places{
		environments: cache.OfTables[models.ID](placeEntries, cache.Tables[models.Environment]{Store: s, Topics: topics}),
		osBuilds:     cache.OfTables[buildKey](placeEntries, cache.Tables[models.OSBuild]{Store: s, Topics: topics}),
	}
}

func (m machines) environment(read *store.Tx, id models.ID) (*models.Environment, error) {
	return cache.Row(m.places.environments, read, id, func() (*models.Environment, error) {
		return store.First[models.Environment](read.Where("id = ?", id))
	})
}

// build returns an OS build with its template in one resource handler.
func (m machines) build(read *store.Tx, id, handler models.ID) (*models.OSBuild, error) {
	return cache.Row(m.places.osBuilds, read, buildKey{id, handler}, func() (*models.OSBuild, error) {
		return store.First[models.OSBuild](read.Where("id = ?", id).Preload("Templates", "handler_id = ?", handler))
	})
}

// system is the actor in the history for changes by jobs.
var system = access.System("halcyon")

// load reads the server that a job is about.
func load(read *store.Tx, j *models.Job) (*models.Server, error) {
	sv, err := store.First[models.Server](read.Where("id = ?", j.ServerID))
	if err != nil {
		return nil, fmt.Errorf("load server %s: %w", j.ServerID, err)
	}
	return sv, nil
}

// lock reads the server that a job is about, and locks its row.
func lock(tx *store.Tx, id models.ID) (*models.Server, error) {
	sv, err := store.First[models.Server](tx.ForUpdate().Where("id = ?", id))
	if err != nil {
		return nil, fmt.Errorf("load server %s: %w", id, err)
	}
	return sv, nil
}

// save writes a server's row and its usage of the quotas.
func save(tx *store.Tx, sv *models.Server) error {
	quota.Settle(tx, sv)
	if err := store.Save(tx, sv); err != nil {
		return fmt.Errorf("save server %s: %w", sv.ID, err)
	}
	return nil
}

// settle saves a server with a changed status, and updates its service.
func settle(tx *store.Tx, sv *models.Server, event, message string) error {
	if err := save(tx, sv); err != nil {
		return err
	}
	if event != "" {
		if err := history.Add(tx, system, models.ObjectServer, sv.ID, event, message, nil, map[string]any{"status": sv.Status}); err != nil {
			return err
		}
	}
	return follow(tx, sv.ServiceID)
}

// Follow updates a service to match its servers: its state and the end of its lease.
func Follow(tx *store.Tx, id models.ID) error { return follow(tx, id) }

// follow is Follow; it does nothing for id 0.
func follow(tx *store.Tx, id models.ID) error {
	if id == 0 {
		return nil
	}
	svc, err := store.First[models.Service](tx.ForUpdate().Where("id = ?", id))
	if err != nil {
		return fmt.Errorf("load service %s: %w", id, err)
	}
	servers, err := store.Find[models.Server](tx.Select("id", "status", "expires_on").Where("service_id = ?", id))
	if err != nil {
		return fmt.Errorf("servers of service %s: %w", id, err)
	}
	lease := leaseOf(servers, svc.ExpiresOn)
	leased := lease == svc.ExpiresOn
	if !leased {
		svc.ExpiresOn, svc.LeaseWarned = lease, 0
	}
	to := serviceStatus(servers)
	was := svc.Status
	// An active service stays active while one of its servers is recreated.
	if to == was || to == "" || svc.MoveTo(to) != nil {
		if leased {
			return nil
		}
		return store.Save(tx, svc)
	}
	if to == models.ServiceActive && svc.InstalledAt == nil {
		now := tx.Now
		svc.InstalledAt = &now
	}
	if err := store.Save(tx, svc); err != nil {
		return fmt.Errorf("save service %s: %w", id, err)
	}
	return history.Add(tx, system, models.ObjectService, id, "status", fmt.Sprintf("%s -> %s", was, to),
		map[string]any{"status": was}, map[string]any{"status": to})
}

// serviceStatus returns the status of a service with these servers.
func serviceStatus(servers []models.Server) models.ServiceStatus {
	count := map[models.ServerStatus]int{}
	for i := range servers {
		count[servers[i].Status]++
	}
	switch {
	case len(servers) == 0:
		return ""
	case count[models.ServerHistorical] == len(servers):
		return models.ServiceHistorical
	case count[models.ServerProv] > 0:
		return models.ServiceProvisioning
	case count[models.ServerProvFailed] > 0:
		return models.ServiceProvFailed
	case count[models.ServerActive]+count[models.ServerModify] > 0:
		return models.ServiceActive
	}
	return "" // the rest is being removed: the end of that decides
}

// backendName returns the machine's name in the back end: unique, and recognizable
// while the tag is still missing.
func backendName(sv *models.Server) string {
	const longest = 80 // the limit of vCenter
	mark := "-" + sv.UUID[:8]
	host := sv.Hostname[:min(len(sv.Hostname), longest-len(mark))]
	return strings.TrimRight(host, "-.") + mark
}

// recordStep returns the step that reads the machine and updates the row.
func (m machines) recordStep(p provider.Provider, sv *models.Server, ref string) job.Step {
	var seen provider.Machine
	return job.Step{
		Step: provider.Step{
			Name: "record", Title: "Reading what " + sv.Hostname + " has become",
			Run: func(ctx context.Context, memo provider.Memo) (_ time.Duration, err error) {
				at := ref
				if memo[provider.MemoRef] != "" {
					at = memo[provider.MemoRef]
				}
				if at == "" {
					seen, err = p.Find(ctx, sv.UUID)
				} else {
					seen, err = p.Inspect(ctx, at)
				}
				return 0, err
			},
		},
		Apply: func(tx *store.Tx, _ *models.Job, memo provider.Memo) error {
			memo[provider.MemoRef] = seen.Ref
			row, err := lock(tx, sv.ID)
			if err != nil {
				return err
			}
			if err := claim(tx, row, seen.Ref); err != nil {
				return err
			}
			if !observe(row, seen) {
				return nil
			}
			return save(tx, row)
		},
	}
}

// claim ensures that no other living row refers to the machine. A synchronisation that
// saw it before it was tagged may have created one.
func claim(tx *store.Tx, sv *models.Server, ref string) error {
	if ref == "" || sv.HandlerID == 0 {
		return nil
	}
	others, err := store.Find[models.Server](tx.ForUpdate().Where("handler_id = ? AND backend_ref = ? AND status <> ? AND id <> ?",
		sv.HandlerID, ref, models.ServerHistorical, sv.ID))
	if err != nil {
		return fmt.Errorf("servers with the ref %s: %w", ref, err)
	}
	for i := range others {
		o := &others[i]
		if o.OrderID != 0 {
			return fault.Conflictf("The machine %s belongs to the server %s already.", ref, o.Hostname)
		}
		if err := o.MoveTo(models.ServerHistorical); err != nil {
			return err
		}
		o.BackendRef, o.PowerStatus = "", models.PowerUnknown
		if err := forgetSnapshots(tx, o.ID); err != nil {
			return err
		}
		if err := settle(tx, o, "merged", "It is "+sv.Hostname+", which was being made when it was found."); err != nil {
			return err
		}
	}
	return nil
}

// observe copies a machine's state from the back end into its row, and reports whether
// the row changed.
func observe(sv *models.Server, m provider.Machine) bool {
	changed := false
	put(&changed, &sv.BackendRef, m.Ref)
	put(&changed, &sv.BackendName, m.Name)
	power := models.PowerStatus(m.Power)
	if !slices.Contains(models.PowerStatuses, power) {
		power = models.PowerUnknown
	}
	put(&changed, &sv.PowerStatus, power)
	put(&changed, &sv.MAC, m.MAC)
	put(&changed, &sv.CPUs, m.CPUs)
	put(&changed, &sv.MemoryMB, m.MemoryMB)
	put(&changed, &sv.DiskGB, m.DiskGB())
	if m.IP != "" { // no address is known while the machine is off
		put(&changed, &sv.IP, m.IP)
	}
	if sv.OSFamily == "" {
		put(&changed, &sv.OSFamily, m.OSFamily)
	}
	if sv.GroupID == models.UnassignedID && sv.OrderID == 0 {
		put(&changed, &sv.Hostname, hostname(m))
	}
	disks := make([]models.ServerDisk, len(m.Disks))
	for i, d := range m.Disks {
		disks[i] = models.ServerDisk(d)
	}
	if !slices.Equal(disks, sv.Disks) || sv.Disks == nil {
		sv.Disks, changed = disks, true
	}
	nics := make([]models.ServerNIC, len(m.NICs))
	for i, n := range m.NICs {
		nics[i] = models.ServerNIC(n)
		if nics[i].IPs == nil {
			nics[i].IPs = []string{}
		}
	}
	same := func(a, b models.ServerNIC) bool {
		return a.Name == b.Name && a.Network == b.Network && a.MAC == b.MAC && slices.Equal(a.IPs, b.IPs)
	}
	if !slices.EqualFunc(nics, sv.Networks, same) || sv.Networks == nil {
		sv.Networks, changed = nics, true
	}
	details := make([]models.Param, 0, len(m.Details))
	for _, k := range slices.Sorted(maps.Keys(m.Details)) {
		details = append(details, models.Param{Name: k, Value: m.Details[k]})
	}
	if !slices.Equal(details, sv.TechDetails) || sv.TechDetails == nil {
		sv.TechDetails, changed = details, true
	}
	return changed
}

func put[T comparable](changed *bool, to *T, v T) {
	if *to != v {
		*to, *changed = v, true
	}
}

func hostname(m provider.Machine) string {
	if m.Hostname != "" {
		return m.Hostname
	}
	return m.Name
}

// retire makes a server without a machine historical.
func retire(tx *store.Tx, sv *models.Server) error {
	if err := sv.MoveTo(models.ServerHistorical); err != nil {
		return err
	}
	sv.PowerStatus = models.PowerUnknown
	if err := forgetSnapshots(tx, sv.ID); err != nil {
		return err
	}
	return release(tx, sv.ID)
}

// held returns the server's address, or nil.
func held(tx *store.Tx, server models.ID, domain string) (*provider.Address, error) {
	rows, err := store.Find[models.IPAddress](tx.Where("server_id = ?", server).Limit(1))
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	pool, err := store.First[models.IPPool](tx.Where("id = ?", rows[0].PoolID))
	if err != nil {
		return nil, fmt.Errorf("load IP pool %s: %w", rows[0].PoolID, err)
	}
	return &provider.Address{IP: rows[0].Address, Prefix: pool.Prefix, Gateway: pool.Gateway, DNS: pool.DNS, Domain: domain}, nil
}

// pooled returns the pool of a network, or nil.
func pooled(db *store.Tx, handler models.ID, network string) (*models.IPPool, error) {
	if network == "" {
		return nil, nil //nolint:nilnil // most networks have no pool, which is no error
	}
	rows, err := store.Find[models.IPPool](db.Where("handler_id = ? AND network = ?", handler, network).Limit(1))
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return &rows[0], nil
}

// assign assigns a free address of the pool to the server and returns it. A server that
// has one keeps it.
func assign(tx *store.Tx, id models.ID, server models.ID) (string, error) {
	pool, err := store.First[models.IPPool](tx.ForUpdate().Where("id = ?", id)) // lock: one assignment at a time
	if err != nil {
		return "", fmt.Errorf("load IP pool %s: %w", id, err)
	}
	mine, err := store.Find[models.IPAddress](tx.Where("server_id = ?", server).Limit(1))
	if err != nil {
		return "", fmt.Errorf("address of server %s: %w", server, err)
	}
	if len(mine) > 0 {
		return mine[0].Address, nil
	}
	taken, err := store.Find[models.IPAddress](tx.Where("pool_id = ?", id))
	if err != nil {
		return "", fmt.Errorf("addresses of pool %s: %w", id, err)
	}
	address, err := free(pool, taken)
	if err != nil {
		return "", err
	}
	if err := tx.Create(&models.IPAddress{PoolID: id, Address: address, ServerID: server}).Error; err != nil {
		return "", fmt.Errorf("take %s: %w", address, store.Fault(err))
	}
	return address, nil
}

// free returns the first free address of a pool.
func free(pool *models.IPPool, taken []models.IPAddress) (string, error) {
	first, err1 := netip.ParseAddr(pool.FirstIP)
	last, err2 := netip.ParseAddr(pool.LastIP)
	if err := errors.Join(err1, err2); err != nil {
		return "", fault.Wrap(fault.Invalid, err, "The IP pool %s has no valid range.", pool.Name)
	}
	used := make(map[netip.Addr]bool, len(taken)+1)
	for _, t := range taken {
		if a, err := netip.ParseAddr(t.Address); err == nil {
			used[a] = true
		}
	}
	if gateway, err := netip.ParseAddr(pool.Gateway); err == nil {
		used[gateway] = true
	}
	for a := first; a.IsValid() && a.Compare(last) <= 0; a = a.Next() {
		if !used[a] {
			return a.String(), nil
		}
	}
	return "", fault.Conflictf("The IP pool %s has no free address left.", pool.Name)
}

// release returns the server's address to its pool.
func release(tx *store.Tx, server models.ID) error {
	if err := tx.Where("server_id = ?", server).Delete(&models.IPAddress{}).Error; err != nil {
		return fmt.Errorf("release the address of server %s: %w", server, store.Fault(err))
	}
	return nil
}
