package order

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/catalog"
	"halcyon/pkg/fault"
	"halcyon/pkg/job"
	"halcyon/pkg/server"
	"halcyon/pkg/store"
)

// This file scales a tier of a service. A scale item gives the new number of servers. The difference is
// planned as a deployment into the service, or as a removal from it, and uses their prices, approvals and
// jobs.

// actionScale is the action of the parent job that creates or removes the servers.
const actionScale = "scale"

// CanScale guards scaling by an order of its own.
func CanScale(a access.Actor, svc *models.Service) error {
	if err := server.CanScale(a, svc); err != nil {
		return err
	}
	return CanOrderFor(a, svc.GroupID)
}

// Scale submits an order with the scale item for the service with the id ref.
func (s *Service) Scale(ctx context.Context, a access.Actor, ref string, it models.ScaleItem) (*models.Order, error) {
	return s.order(ctx, a, func(tx *store.Tx) (Draft, error) {
		svc, err := server.ServiceTx(tx, a, ref)
		if err != nil {
			return Draft{}, err
		}
		it.ServiceID = svc.ID
		return Draft{
			GroupID: svc.GroupID, Submit: true, place: onlyOne,
			Items: []models.OrderItem{{Kind: models.ItemScale, Scale: &it}},
		}, CanScale(a, svc)
	})
}

// onlyOne is the placing for requests about a single item.
func onlyOne(*models.OrderItem) fault.Path { return nil }

// Tier is a build item of a deployed blueprint, with its number of servers.
type Tier struct {
	Name     string
	Quantity int
}

// Tiers returns the tiers of a service that can be scaled, in the blueprint's order.
func (s *Service) Tiers(ctx context.Context, svc *models.Service) ([]Tier, error) {
	tx := s.store.Read(ctx)
	bp, err := s.deployed(tx, svc)
	if err != nil {
		return nil, err
	}
	living, err := members(tx, svc.ID)
	if err != nil {
		return nil, err
	}
	return tiers(bp, living), nil
}

// deployed returns the blueprint of a service, even if the group may no longer order it.
func (s *Service) deployed(tx *store.Tx, svc *models.Service) (*models.Blueprint, error) {
	bp, err := s.catalog.Blueprints.FindTx(tx, access.System("halcyon"), svc.BlueprintID.String())
	if err != nil {
		return nil, fmt.Errorf("blueprint of service %s: %w", svc.ID, err)
	}
	return bp, nil
}

// members returns the living servers of a service, the oldest first.
func members(tx *store.Tx, service models.ID) ([]models.Server, error) {
	return store.Find[models.Server](tx.Where("service_id = ? AND status <> ?", service, models.ServerHistorical).Order("id"))
}

func tiers(bp *models.Blueprint, living []models.Server) []Tier {
	var list []Tier
	for _, b := range bp.Items {
		n := 0
		for i := range living {
			if living[i].Tier == b.Name {
				n++
			}
		}
		if n > 0 {
			list = append(list, Tier{b.Name, n})
		}
	}
	return list
}

func (p *planner) scale(it *models.OrderItem, at fault.Path) error {
	d := it.Scale
	svc, err := server.ServiceTx(p.tx, p.actor, d.ServiceID.String())
	if err != nil {
		return p.missing(err, at.Member("service"), "does not exist")
	}
	if p.order.GroupID == 0 {
		p.order.GroupID = svc.GroupID
	}
	if svc.GroupID != p.order.GroupID {
		p.complain(at.Member("service"), "%s belongs to another group than the order", svc.Name)
		return nil
	}
	if err := CanScale(p.actor, svc); err != nil {
		if fault.Is(err, fault.Forbidden) {
			return err
		}
		p.complain(at.Member("service"), "%s", strings.TrimSuffix(fault.Message(err), "."))
		return nil
	}
	living, err := members(p.tx, svc.ID)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(living, func(sv models.Server) bool { return p.taken[sv.ID] }) || p.scaled[svc.ID] {
		p.complain(at.Member("service"), "%s is changed by another item of the order", svc.Name)
		return nil
	}
	p.scaled[svc.ID] = true
	bp, err := p.deployed(p.tx, svc)
	if err != nil {
		return err
	}
	b, have := p.scaledTier(bp, living, svc, d, at)
	if b == nil {
		return nil
	}
	switch {
	case d.Quantity < 1 || d.Quantity > catalog.MaxQuantity:
		p.complain(at.Member("quantity"), "%d is not between 1 and %d", d.Quantity, catalog.MaxQuantity)
	case d.Quantity == len(have):
		p.complain(at.Member("quantity"), "changes nothing: %s has %d already", b.Name, d.Quantity)
	case d.Quantity > len(have):
		d.Delta = delta(b, have, d)
		return p.more(it, svc, bp, b, have, at)
	case len(d.Parameters) > 0:
		p.complain(at.Member("parameters"), "are for servers to be made, and %d are to be removed", len(have)-d.Quantity)
	default:
		d.Delta = delta(b, have, d)
		return p.fewer(it, svc, have, at)
	}
	return nil
}

func delta(b *models.BlueprintItem, have []models.Server, d *models.ScaleItem) []models.Param {
	return []models.Param{{Name: b.Name, Value: fmt.Sprintf("%d -> %d", len(have), d.Quantity)}}
}

// scaledTier returns the build item to scale, and its servers: the one that the item names, or the only
// one. It returns nil after reporting a problem.
func (p *planner) scaledTier(bp *models.Blueprint, living []models.Server, svc *models.Service, d *models.ScaleItem, at fault.Path) (*models.BlueprintItem, []models.Server) {
	all := tiers(bp, living)
	names := make([]string, len(all))
	for i, t := range all {
		names[i] = t.Name
	}
	name := d.Tier
	if name == "" && len(names) == 1 {
		name = names[0]
	}
	switch {
	case name == "":
		p.complain(at.Member("tier"), "is required: %s has %s", svc.Name, strings.Join(names, ", "))
		return nil, nil
	case !slices.Contains(names, name):
		p.complain(at.Member("tier"), "%q is no tier of %s, which has %s", name, svc.Name, strings.Join(names, ", "))
		return nil, nil
	}
	d.Tier = name
	k := slices.IndexFunc(bp.Items, func(b models.BlueprintItem) bool { return b.Name == name })
	return &bp.Items[k], slices.DeleteFunc(living, func(sv models.Server) bool { return sv.Tier != name })
}

// more plans new servers of a tier: like the newest working one, with the changes that the item requests.
func (p *planner) more(it *models.OrderItem, svc *models.Service, bp *models.Blueprint, b *models.BlueprintItem, have []models.Server, at fault.Path) error {
	d := it.Scale
	like := &have[len(have)-1]
	for i := range slices.Backward(have) {
		if have[i].Status != models.ServerProvFailed {
			like = &have[i]
			break
		}
	}
	before := len(p.bad)
	given := p.params(bp.Inputs, d.Parameters, at)
	bad := wrong(p.bad[before:])
	w := want{env: like.EnvironmentID, build: like.OSBuildID, defaultBuild: b.OSBuildID, defaultSize: cmp.Or(b.SizeID, like.SizeID), quantity: d.Quantity}
	if _, other := models.ParamValue(given, models.KeyOSBuild); other {
		w.build = 0
	}
	_, resized := models.ParamValue(given, models.KeyVMSize)
	ordered := len(given)
	for _, x := range like.Parameters {
		switch key := models.InputKey(x.Name); {
		case key == models.KeyHostname, key == models.KeyOSBuild, key == models.KeyExpiration, key == "disk_size":
			// These are values of that server itself, or more accurate in its row.
		case resized && (key == models.KeyCPUCnt || key == models.KeyMemSize):
		default:
			if _, has := models.ParamValue(given, x.Name); !has {
				given = append(given, x)
			}
		}
	}
	given = p.defaults(bp.Inputs, given, bad, at)
	w.inherited = given[ordered:]
	srv := PlannedServer{Item: it, Tier: b.Name, Params: given}
	ok, err := p.fit(&srv, w, at)
	if err != nil || !ok {
		return err
	}
	if srv.Expires == "" {
		srv.Expires = like.ExpiresOn
	}
	plan := PlannedService{Item: it, Blueprint: bp, Service: svc, Name: svc.Name}
	name, n, err := p.naming(b, &plan, like, have, srv.Env.Domain)
	if err != nil {
		return err
	}
	for range d.Quantity - len(have) {
		one := srv
		for one.Hostname = name(n); p.names[strings.ToLower(one.Hostname)] || p.inUse(one.Hostname, srv.Env.ID); one.Hostname = name(n) {
			n++
		}
		if !validHostname(one.Hostname) {
			p.complain(at.Member("tier"), "%q, made of the other servers' names, is no host name", one.Hostname)
			return nil
		}
		p.names[strings.ToLower(one.Hostname)] = true
		one.Key = fmt.Sprintf("scale/%d/%s/%d", it.Position, b.Name, n)
		n++
		plan.Servers = append(plan.Servers, one)
		it.Rate += one.Rate.Total()
	}
	p.plan.Services = append(p.plan.Services, plan)
	return nil
}

// naming returns the function for the names of a tier's additional servers, and the number to start with.
// If an existing server has a name from the build item's template, it continues with the template;
// otherwise it numbers that server's own name.
func (p *planner) naming(b *models.BlueprintItem, plan *PlannedService, like *models.Server, have []models.Server, domain string) (func(n int) string, int, error) {
	const many = 2
	first := 0
	for i := range have {
		first = max(first, instance(&have[i]))
	}
	owner, err := p.catalog.Actor(p.tx.Statement.Context, plan.Service.OwnerID)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return nil, 0, err
	}
	as := *p // as ordered by the service's owner
	as.actor.Username = owner.Username
	as.order = &models.Order{Row: models.Row{ID: plan.Service.OrderID}}
	template := func(n int) string { return as.madeUp(b, plan, n, many, domain) }
	n := instance(like)
	if n > 0 && (template(n) == like.Hostname || as.madeUp(b, plan, n, 1, domain) == like.Hostname) {
		return template, first + 1, nil
	}
	short, rest, dotted := strings.Cut(like.Hostname, ".")
	short = strings.TrimSuffix(short, "-"+strconv.Itoa(n))
	if dotted {
		rest = "." + rest
	}
	return func(n int) string { return short + "-" + strconv.Itoa(n) + rest }, max(first, 1) + 1, nil
}

// instance returns the number of a server within its tier, 0 if it is unknown.
func instance(sv *models.Server) int {
	n, err := strconv.Atoi(sv.ItemKey[strings.LastIndexByte(sv.ItemKey, '/')+1:])
	if err != nil {
		return 0
	}
	return n
}

// fewer plans the removal of a tier's servers: first those that never worked, then the newest.
func (p *planner) fewer(it *models.OrderItem, svc *models.Service, have []models.Server, at fault.Path) error {
	failed := func(sv models.Server) int {
		if sv.Status == models.ServerProvFailed {
			return 0
		}
		return 1
	}
	slices.SortFunc(have, func(x, y models.Server) int {
		return cmp.Or(cmp.Compare(failed(x), failed(y)), cmp.Compare(y.ID, x.ID))
	})
	plan := PlannedDecom{Item: it, Scaled: svc}
	for _, sv := range have[:len(have)-it.Scale.Quantity] {
		row, err := p.server(sv.ID, 0, at.Member("service"), server.CanDecom)
		if err != nil || row == nil {
			return err
		}
		env, err := store.First[models.Environment](p.tx.Where("id = ?", row.EnvironmentID))
		if err != nil {
			return err
		}
		p.plan.envs = append(p.plan.envs, env)
		plan.Servers = append(plan.Servers, row)
		it.Rate -= row.Rate
	}
	p.plan.Decoms = append(p.plan.Decoms, plan)
	return nil
}

// changing inserts the parent job for changing a service by the action, and prevents concurrent changes of
// the service.
func (s *Service) changing(tx *store.Tx, o *models.Order, it *models.OrderItem, svc *models.Service, action string) (*models.Job, error) {
	if err := claim(tx, svc); err != nil {
		return nil, err
	}
	return s.jobs.InsertTx(tx, job.Spec{
		Type: models.JobDeploy, Action: action, OrderID: o.ID, OrderItemID: it.ID,
		OwnerID: o.OwnerID, GroupID: o.GroupID, ServiceID: svc.ID,
	})
}
