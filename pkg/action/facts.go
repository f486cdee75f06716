package action

import (
	"context"
	"encoding/json"
	"fmt"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/order"
	"halcyon/pkg/refdata"
	"halcyon/pkg/store"
)

// Facts are the values for conditions and webhooks. Each field is a variable of
// conditions and a member of a webhook's data, with the same name and members; see
// docs/actions.md.
type Facts struct {
	Order       *OrderFacts       `json:"order,omitempty"`
	Item        *ItemFacts        `json:"item,omitempty"`
	Server      *ServerFacts      `json:"server,omitempty"`
	Service     *ServiceFacts     `json:"service,omitempty"`
	Group       *GroupFacts       `json:"group,omitempty"`
	Environment *EnvironmentFacts `json:"environment,omitempty"`
	User        *UserFacts        `json:"user,omitempty"`
}

// OrderFacts describe an order.
type OrderFacts struct {
	ID           string      `json:"id"` // "" before the order is stored
	Name         string      `json:"name"`
	Status       string      `json:"status"`
	Summary      string      `json:"summary"`
	Rate         float64     `json:"rate"`    // added price per month
	Servers      int64       `json:"servers"` // servers to create; this and the next two are set only at trigger points of orders
	CPUs         int64       `json:"cpus"`
	MemoryMB     int64       `json:"memory_mb"`
	Environments []string    `json:"environments"` // names of the environments of its items
	Items        []ItemFacts `json:"items"`
}

// ItemFacts describe one item of an order.
type ItemFacts struct {
	Kind         string            `json:"kind"`      // deploy, prov, mod, decom, action
	Name         string            `json:"name"`      // of the service of a deploy item
	Blueprint    string            `json:"blueprint"` // of a deploy item
	Quantity     int64             `json:"quantity"`  // of a prov item
	Rate         float64           `json:"rate"`
	Parameters   map[string]string `json:"parameters"`
	Applications []string          `json:"applications"` // ids
}

// ServerFacts describe a server.
type ServerFacts struct {
	ID          string            `json:"id"`
	Hostname    string            `json:"hostname"`
	Status      string            `json:"status"`
	PowerStatus string            `json:"power_status"`
	IP          string            `json:"ip"`
	CPUs        int64             `json:"cpus"`
	MemoryMB    int64             `json:"memory_mb"`
	DiskGB      int64             `json:"disk_gb"`
	OSFamily    string            `json:"os_family"`
	OSBuild     string            `json:"os_build"`
	Size        string            `json:"size"`
	Tier        string            `json:"tier"`
	Rate        float64           `json:"rate"`
	ExpiresOn   string            `json:"expires_on"`
	Labels      []string          `json:"labels"`
	Parameters  map[string]string `json:"parameters"`
}

// ServiceFacts describe a service, a deployed blueprint.
type ServiceFacts struct {
	ID         string            `json:"id"`
	Name       string            `json:"name"`
	Status     string            `json:"status"`
	Blueprint  string            `json:"blueprint"`
	Parameters map[string]string `json:"parameters"`
}

// GroupFacts describe a group.
type GroupFacts struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Type string `json:"type"`
}

// EnvironmentFacts describe an environment.
type EnvironmentFacts struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// UserFacts describe the user who ordered or who runs the action.
type UserFacts struct {
	ID       string `json:"id"`
	Username string `json:"username"`
	Email    string `json:"email"`
}

// activation returns the values of a scope's variables. Missing objects have empty
// fields.
func (f *Facts) activation(sc scope) map[string]any {
	vars := make(map[string]any, len(variables[sc]))
	for _, name := range variables[sc] {
		switch name {
		case "order":
			vars[name] = orZero(f.Order)
		case "item":
			vars[name] = orZero(f.Item)
		case "server":
			vars[name] = orZero(f.Server)
		case "service":
			vars[name] = orZero(f.Service)
		case "group":
			vars[name] = orZero(f.Group)
		case "environment":
			vars[name] = orZero(f.Environment)
		case "user":
			vars[name] = orZero(f.User)
		}
	}
	return vars
}

func orZero[T any](p *T) *T {
	if p == nil {
		return new(T)
	}
	return p
}

// amount returns money as a floating-point number. It is the nearest to the decimal
// value, like a literal in a condition: 28.8 equals 28.8.
func amount(m models.Money) float64 { return float64(m) / float64(models.Unit) }

func parameters(lists ...[]models.Param) map[string]string {
	out := map[string]string{}
	for _, list := range lists {
		for _, p := range list {
			out[models.InputKey(p.Name)] = p.Value
		}
	}
	return out
}

// factReader builds facts. Names come from the reference data, without a query.
type factReader struct {
	ctx     context.Context
	refdata *refdata.Cache
}

var system = access.System("halcyon")

func (n factReader) title(table string, id models.ID) string {
	if id == 0 {
		return ""
	}
	titles, err := n.refdata.Titles(n.ctx)
	if err != nil {
		return "" // the next use of the database returns the error
	}
	defer titles.Release()
	name, _ := titles.Title(system, table, id)
	return name
}

func (n factReader) group(id models.ID) *GroupFacts {
	g, err := n.refdata.Group(n.ctx, id)
	if err != nil {
		return nil
	}
	return &GroupFacts{ID: g.ID.String(), Name: g.Name, Type: g.Type}
}

func (n factReader) environment(id models.ID) *EnvironmentFacts {
	if id == 0 {
		return nil
	}
	return &EnvironmentFacts{ID: id.String(), Name: n.title(refdata.Environment, id)}
}

func (n factReader) user(id models.ID) *UserFacts {
	u, err := n.refdata.UserByID(n.ctx, id)
	if err != nil {
		return nil
	}
	return &UserFacts{ID: u.ID.String(), Username: u.Username, Email: u.Email}
}

func (n factReader) order(o *models.Order, p *order.Plan) *OrderFacts {
	f := &OrderFacts{
		ID: o.ID.String(), Name: o.Name, Status: string(o.Status), Summary: o.Summary, Rate: amount(o.Rate),
		Environments: []string{}, Items: []ItemFacts{},
	}
	for i := range o.Items {
		f.Items = append(f.Items, *n.item(&o.Items[i]))
	}
	if p == nil {
		return f
	}
	quantity := map[*models.OrderItem]int64{}
	add := func(list []order.PlannedServer) {
		for i := range list {
			quantity[list[i].Item]++
			f.Servers++
			f.CPUs += int64(list[i].CPUs)
			f.MemoryMB += int64(list[i].MemoryMB)
		}
	}
	for i := range p.Services {
		add(p.Services[i].Servers)
	}
	add(p.Servers)
	for i := range o.Items {
		if made := quantity[&o.Items[i]]; made > 0 {
			f.Items[i].Quantity = made
		}
	}
	seen := map[models.ID]bool{}
	for _, env := range p.Environments() {
		if !seen[env.ID] {
			seen[env.ID] = true
			f.Environments = append(f.Environments, env.Name)
		}
	}
	return f
}

func (n factReader) item(it *models.OrderItem) *ItemFacts {
	f := &ItemFacts{Kind: string(it.Kind), Rate: amount(it.Rate), Parameters: map[string]string{}, Applications: []string{}}
	switch it.Kind {
	case models.ItemDeploy:
		f.Name, f.Blueprint = it.Deploy.Name, n.title(refdata.Blueprints, it.Deploy.BlueprintID)
		lists := [][]models.Param{it.Deploy.Parameters}
		for _, arg := range it.Deploy.Arguments {
			lists = append(lists, arg.Parameters)
		}
		f.Parameters = parameters(lists...)
	case models.ItemProv:
		f.Name, f.Quantity, f.Parameters = it.Prov.Hostname, int64(max(it.Prov.Quantity, 1)), parameters(it.Prov.Parameters)
		f.Applications = append(f.Applications, it.Prov.Applications...)
	case models.ItemMod:
		f.Parameters = parameters(it.Mod.Parameters)
	case models.ItemAction:
		f.Name, f.Parameters = it.Action.Name, parameters(it.Action.Parameters)
	case models.ItemScale:
		f.Name, f.Quantity, f.Parameters = it.Scale.Tier, int64(it.Scale.Quantity), parameters(it.Scale.Parameters)
	case models.ItemDecom:
	}
	return f
}

func (n factReader) server(sv *models.Server) *ServerFacts {
	return &ServerFacts{
		ID: sv.ID.String(), Hostname: sv.Hostname, Status: string(sv.Status), PowerStatus: string(sv.PowerStatus), IP: sv.IP,
		CPUs: int64(sv.CPUs), MemoryMB: int64(sv.MemoryMB), DiskGB: int64(sv.DiskGB),
		OSFamily: sv.OSFamily, OSBuild: n.title(refdata.OSBuilds, sv.OSBuildID), Size: n.title(refdata.Sizes, sv.SizeID), Tier: sv.Tier,
		Rate: amount(sv.Rate), ExpiresOn: sv.ExpiresOn,
		Labels: append([]string{}, sv.Labels...), Parameters: parameters(sv.Parameters),
	}
}

func (n factReader) service(svc *models.Service) *ServiceFacts {
	return &ServiceFacts{
		ID: svc.ID.String(), Name: svc.Name, Status: string(svc.Status),
		Blueprint: n.title(refdata.Blueprints, svc.BlueprintID), Parameters: parameters(svc.Parameters),
	}
}

// factsOf returns the facts of a job: those stored with it, or the current ones.
func (s *Service) factsOf(ctx context.Context, tx *store.Tx, j *models.Job) (*Facts, error) {
	if r := j.Args.Run; r != nil && r.Facts != "" {
		f := &Facts{}
		if err := json.Unmarshal([]byte(r.Facts), f); err != nil {
			return nil, fmt.Errorf("facts of job %s: %w", j.ID, err)
		}
		return f, nil
	}
	n := factReader{ctx, s.refdata}
	f := &Facts{Group: n.group(j.GroupID), User: n.user(j.OwnerID)}
	if j.OrderID != 0 {
		o, err := store.First[models.Order](tx.Where("id = ?", j.OrderID))
		if err != nil {
			return nil, err
		}
		if o.Items, err = store.Find[models.OrderItem](tx.Where("order_id = ?", o.ID).Order("id")); err != nil {
			return nil, err
		}
		f.Order = n.order(o, nil)
		for i := range o.Items {
			if o.Items[i].ID == j.OrderItemID {
				f.Item = n.item(&o.Items[i])
			}
		}
	}
	if j.ServerID != 0 {
		sv, err := store.First[models.Server](tx.Where("id = ?", j.ServerID))
		if err != nil {
			return nil, err
		}
		f.Server, f.Environment = n.server(sv), n.environment(sv.EnvironmentID)
	}
	if j.ServiceID != 0 {
		svc, err := store.First[models.Service](tx.Where("id = ?", j.ServiceID))
		if err != nil && !fault.Is(err, fault.NotFound) {
			return nil, err
		}
		if svc != nil {
			f.Service = n.service(svc)
		}
	}
	return f, nil
}
