package order

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/catalog"
	"halcyon/pkg/fault"
	"halcyon/pkg/query"
	"halcyon/pkg/server"
	"halcyon/pkg/store"
)

// Plan is what an order would do: checked, and priced.
type Plan struct {
	Services []PlannedService
	Servers  []PlannedServer // of prov items: they belong to no service
	Mods     []PlannedMod
	Decoms   []PlannedDecom
	Rate     models.Money // what the order adds per month; negative when it saves
	envs     []*models.Environment
}

// PlannedService is one deploy item's service and its servers.
type PlannedService struct {
	Item      *models.OrderItem
	Blueprint *models.Blueprint
	Name      string
	Params    []models.Param
	Servers   []PlannedServer
}

// PlannedServer is one server to be made.
type PlannedServer struct {
	Item     *models.OrderItem
	Key      string // which instance of the order it is
	Tier     string
	Hostname string
	Env      *models.Environment
	OSBuild  *models.OSBuild
	SizeID   models.ID
	CPUs     int
	MemoryMB int
	Rate     models.Rate
	Expires  string
	Params   []models.Param
}

// PlannedMod is one change of a server.
type PlannedMod struct {
	Item   *models.OrderItem
	Server *models.Server
	Args   models.JobArgs
}

// PlannedDecom is the removal of servers, and of the services that go with them.
type PlannedDecom struct {
	Item     *models.OrderItem
	Servers  []*models.Server
	Services []*models.Service
}

// pointerFunc says where in the caller's request an item stands.
type pointerFunc func(it *models.OrderItem) string

// itemPointer is an item's place in a whole order.
func itemPointer(it *models.OrderItem) string {
	return fmt.Sprintf("/items/%s-items/%d", it.Kind, it.Position-1)
}

// onlyNew is for requests whose body is one item.
func onlyNew(id models.ID) pointerFunc {
	return func(it *models.OrderItem) string {
		if it.ID == id {
			return ""
		}
		return itemPointer(it)
	}
}

// planner collects what is wrong with all items before it gives up.
type planner struct {
	*Service
	tx     *store.Tx
	actor  access.Actor
	order  *models.Order
	bad    []fault.Field
	failed error // of a query whose caller has no place for it
	detail string
	plan   Plan
	taken  map[models.ID]bool // servers that an item already changes or removes
	names  map[string]bool    // host names of servers to be made, in lower case
}

// plan checks an order's items and prices them. A cart without a group takes the
// one of the first server that it changes or removes.
func (s *Service) plan(tx *store.Tx, a access.Actor, o *models.Order, pointer pointerFunc) (*Plan, error) {
	p := &planner{Service: s, tx: tx, actor: a, order: o, taken: map[models.ID]bool{}, names: map[string]bool{}}
	for i := range o.Items {
		it := &o.Items[i]
		it.Rate = 0
		at := pointer(it)
		var err error
		switch it.Kind {
		case models.ItemDeploy:
			err = p.deploy(it, at)
		case models.ItemProv:
			err = p.prov(it, at)
		case models.ItemMod:
			err = p.mod(it, at)
		case models.ItemDecom:
			err = p.decom(it, at)
		}
		if err != nil {
			return nil, err
		}
		p.plan.Rate += it.Rate
	}
	if p.failed != nil {
		return nil, p.failed
	}
	if err := fault.InvalidFields(p.bad); err != nil {
		e := fault.From(err)
		e.Detail = p.detail
		return nil, e
	}
	return &p.plan, nil
}

func (p *planner) complain(at, format string, args ...any) {
	p.bad = append(p.bad, fault.Field{Pointer: at, Reason: fmt.Sprintf(format, args...)})
}

// missing turns NotFound into a complaint and lets other errors through.
func (p *planner) missing(err error, at, format string, args ...any) error {
	if fault.Is(err, fault.NotFound) {
		p.complain(at, format, args...)
		return nil
	}
	return err
}

func (p *planner) deploy(it *models.OrderItem, at string) error {
	d := it.Deploy
	bp, err := p.blueprint(d.BlueprintID)
	if err != nil {
		return p.missing(err, at+"/blueprint", "cannot be ordered by this group")
	}
	it.BlueprintID = bp.ID
	if d.Name == "" {
		d.Name = bp.Name
	}
	svc := PlannedService{Item: it, Blueprint: bp, Name: d.Name}
	svc.Params = p.params(bp.Inputs, d.Parameters, at+"/resource-parameters")
	seen := map[string]bool{}
	for i := range d.Arguments {
		arg := &d.Arguments[i]
		place := at + "/blueprint-items-arguments/build-item-" + arg.Item
		k := slices.IndexFunc(bp.Items, func(b models.BlueprintItem) bool { return b.Name == arg.Item })
		if k < 0 {
			names := make([]string, len(bp.Items))
			for j, b := range bp.Items {
				names[j] = "build-item-" + b.Name
			}
			p.complain(place, "is no build item of %s, which has %s", bp.Name, strings.Join(names, ", "))
			continue
		}
		seen[arg.Item] = true
		if err := p.tier(&svc, &bp.Items[k], arg, place); err != nil {
			return err
		}
	}
	for k := range bp.Items {
		if b := &bp.Items[k]; !seen[b.Name] {
			place := at + "/blueprint-items-arguments/build-item-" + b.Name
			if err := p.tier(&svc, b, &models.BuildItemArgs{Item: b.Name}, place); err != nil {
				return err
			}
		}
	}
	p.plan.Services = append(p.plan.Services, svc)
	return nil
}

// tier plans the servers of one build item.
func (p *planner) tier(svc *PlannedService, b *models.BlueprintItem, arg *models.BuildItemArgs, at string) error {
	quantity := arg.Quantity
	if quantity == 0 {
		quantity = b.Quantity
	}
	given := p.params(svc.Blueprint.Inputs, arg.Parameters, at+"/parameters")
	// What was said for the whole service holds where the build item is silent.
	for _, x := range svc.Params {
		if _, has := models.ParamValue(given, x.Name); !has {
			given = append(given, x)
		}
	}
	given = p.defaults(svc.Blueprint.Inputs, given, at+"/parameters")
	srv := PlannedServer{Item: svc.Item, Tier: b.Name, Params: given}
	w := want{env: arg.EnvironmentID, build: arg.OSBuildID, defaultBuild: b.OSBuildID, defaultSize: b.SizeID, quantity: quantity}
	ok, err := p.fit(&srv, w, at)
	if err != nil || !ok {
		return err
	}
	for n := 1; n <= quantity; n++ {
		one := srv
		one.Key = fmt.Sprintf("deploy/%d/%s/%d", svc.Item.Position, b.Name, n)
		host := arg.Hostname
		if host == "" {
			host, _ = models.ParamValue(given, models.KeyHostname)
		}
		one.Hostname = p.hostname(host, b, svc, srv.Env, n, quantity, at+"/attributes/hostname")
		svc.Servers = append(svc.Servers, one)
		svc.Item.Rate += one.Rate.Total()
	}
	return nil
}

func (p *planner) prov(it *models.OrderItem, at string) error {
	d := it.Prov
	for i, name := range d.Applications {
		p.complain(fmt.Sprintf("%s/applications/%d", at, i), "%q does not exist", name)
	}
	for i, name := range d.Preconfigurations {
		p.complain(fmt.Sprintf("%s/preconfigurations/%d", at, i), "%q does not exist", name)
	}
	given := p.params(provInputs, d.Parameters, at+"/parameters")
	srv := PlannedServer{Item: it, Params: given}
	quantity := max(d.Quantity, 1)
	ok, err := p.fit(&srv, want{env: d.EnvironmentID, build: d.OSBuildID, quantity: d.Quantity}, at)
	if err != nil || !ok {
		return err
	}
	for n := 1; n <= quantity; n++ {
		one := srv
		one.Key = fmt.Sprintf("prov/%d/%d", it.Position, n)
		one.Hostname = p.hostname(d.Hostname, &models.BlueprintItem{Name: "server"}, nil, srv.Env, n, quantity, at+"/attributes/hostname")
		p.plan.Servers = append(p.plan.Servers, one)
		it.Rate += one.Rate.Total()
	}
	return nil
}

// The inputs of a server that comes from no blueprint, and those of a change.
var (
	provInputs = []models.Input{
		{Name: "vm-size", Type: models.InputSize},
		{Name: "os_build", Type: models.InputOSBuild},
		{Name: "mem_size", Type: models.InputMemory},
		{Name: "cpu-cnt", Type: models.InputInteger, Minimum: new(int64(1)), Maximum: new(int64(1024))},
		{Name: "expiration-date", Type: models.InputDate},
	}
	modInputs = []models.Input{
		{Name: "vm-size", Type: models.InputSize},
		{Name: "mem_size", Type: models.InputMemory},
		{Name: "cpu-cnt", Type: models.InputInteger, Minimum: new(int64(1)), Maximum: new(int64(1024))},
		{Name: "disk_size", Type: models.InputInteger, Minimum: new(int64(1)), Maximum: new(int64(64 << 10))},
		{Name: "expiration-date", Type: models.InputDate, Clears: true},
	}
)

// params checks given values against the declared inputs and gives their
// canonical form, in the order in which they came.
func (p *planner) params(inputs []models.Input, given []models.Param, at string) []models.Param {
	var out []models.Param
	for _, x := range given {
		i := slices.IndexFunc(inputs, func(in models.Input) bool { return models.InputKey(in.Name) == models.InputKey(x.Name) })
		if i < 0 {
			p.complain(at+"/"+x.Name, "is no parameter that is known here")
			if p.detail == "" {
				names := make([]string, len(inputs))
				for j, in := range inputs {
					names[j] = in.Name
				}
				p.detail = "Known parameters: " + strings.Join(names, ", ") + "."
			}
			continue
		}
		if x.Value == "" {
			continue // absent
		}
		v, err := inputs[i].Parse(x.Value, p.tx.Now)
		if err != nil {
			p.complain(at+"/"+x.Name, "%s", err)
			continue
		}
		out = append(out, models.Param{Name: inputs[i].Name, Value: v})
	}
	return out
}

// defaults adds the inputs' defaults, and complains of required ones without a value.
func (p *planner) defaults(inputs []models.Input, given []models.Param, at string) []models.Param {
	for _, in := range inputs {
		if _, has := models.ParamValue(given, in.Name); has {
			continue
		}
		switch {
		case in.Default != "":
			given = append(given, models.Param{Name: in.Name, Value: in.Default})
		case in.Required:
			p.complain(at+"/"+in.Name, "is required")
		}
	}
	return given
}

// want is what an item says about a server, beside its parameters.
type want struct {
	env, build, defaultBuild, defaultSize models.ID
	quantity                              int
}

// fit finds environment, OS build, size and price of a planned server. It gives
// false after a complaint.
func (p *planner) fit(srv *PlannedServer, w want, at string) (bool, error) {
	before := len(p.bad)
	if w.quantity < 0 || w.quantity > catalog.MaxQuantity {
		p.complain(at+"/attributes/quantity", "%d is not between 1 and %d", w.quantity, catalog.MaxQuantity)
	}
	if err := p.fitEnvironment(srv, w, at); err != nil {
		return false, err
	}
	if err := p.fitBuild(srv, w, at); err != nil {
		return false, err
	}
	if err := p.fitSize(srv, w, at); err != nil {
		return false, err
	}
	srv.Expires, _ = models.ParamValue(srv.Params, models.KeyExpiration)
	return len(p.bad) == before, nil
}

func (p *planner) fitEnvironment(srv *PlannedServer, w want, at string) error {
	if w.env == 0 {
		p.complain(at+"/environment", "is required")
		return nil
	}
	env, err := p.environment(w.env)
	if err != nil {
		return p.missing(err, at+"/environment", "cannot be ordered into by this group")
	}
	if err := p.catalog.LoadEnvironment(p.tx, env); err != nil {
		return err
	}
	srv.Env = env
	p.plan.envs = append(p.plan.envs, env)
	return nil
}

func (p *planner) fitBuild(srv *PlannedServer, w want, at string) error {
	id, place := w.build, at+"/os-build"
	if text, has := models.ParamValue(srv.Params, models.KeyOSBuild); has {
		place = at + "/parameters/os_build"
		row, err := p.catalog.OSBuilds.FindTx(p.tx, p.actor, tail(text))
		if err != nil {
			return p.missing(err, place, "%q does not exist", text)
		}
		if id != 0 && id != row.ID {
			p.complain(place, "is another OS build than os-build names")
			return nil
		}
		id = row.ID
	}
	if id == 0 {
		id = w.defaultBuild
	}
	if id == 0 {
		p.complain(at+"/os-build", "is required")
		return nil
	}
	build, err := store.First[models.OSBuild](p.tx.Where("id = ?", id))
	if err != nil {
		return p.missing(err, place, "does not exist")
	}
	srv.OSBuild = build
	if srv.Env == nil {
		return nil
	}
	if len(srv.Env.OSBuildIDs) > 0 && !slices.Contains(srv.Env.OSBuildIDs, id) {
		p.complain(place, "%s is not allowed in %s", build.Name, srv.Env.Name)
		return nil
	}
	if _, err := store.First[models.OSBuildTemplate](p.tx.Where("os_build_id = ? AND handler_id = ?", id, srv.Env.HandlerID)); err != nil {
		return p.missing(err, place, "%s has no template for %s", build.Name, srv.Env.Name)
	}
	return nil
}

func (p *planner) fitSize(srv *PlannedServer, w want, at string) error {
	size, err := p.size(srv.Params, w.defaultSize, at)
	if err != nil {
		return err
	}
	if size != nil {
		if srv.Env != nil && len(srv.Env.SizeIDs) > 0 && !slices.Contains(srv.Env.SizeIDs, size.ID) {
			p.complain(at+"/parameters/vm-size", "%s is not allowed in %s", size.Name, srv.Env.Name)
			return nil
		}
		srv.SizeID, srv.CPUs, srv.MemoryMB = size.ID, size.CPUs, size.MemoryMB
	}
	cpus, mem := amounts(srv.Params)
	if size == nil && (cpus == 0 || mem == 0) {
		if len(p.bad) == 0 || !strings.HasSuffix(p.bad[len(p.bad)-1].Pointer, "vm-size") {
			p.complain(at+"/parameters/vm-size", "is required, unless both cpu-cnt and mem_size are given")
		}
		return nil
	}
	if cpus != 0 {
		srv.CPUs = cpus
	}
	if mem != 0 {
		srv.MemoryMB = mem
	}
	if srv.Env != nil {
		srv.Rate = rate(srv.Env, size, srv.CPUs, srv.MemoryMB)
	}
	return nil
}

// size gives the size that parameters name, or the default one, or nil.
func (p *planner) size(params []models.Param, fallback models.ID, at string) (*models.Size, error) {
	if name, has := models.ParamValue(params, models.KeyVMSize); has {
		size, err := store.First[models.Size](p.tx.Where("name = ?", name))
		if err != nil {
			return nil, p.missing(err, at+"/parameters/vm-size", "%q is no size", name)
		}
		return size, nil
	}
	if fallback == 0 {
		return nil, nil
	}
	return store.First[models.Size](p.tx.Where("id = ?", fallback))
}

// amounts gives the processors and MB of memory that parameters ask for, 0 for none.
func amounts(params []models.Param) (cpus, memoryMB int) {
	if v, has := models.ParamValue(params, models.KeyCPUCnt); has {
		cpus, _ = strconv.Atoi(v) // params has checked it
	}
	if v, has := models.ParamValue(params, models.KeyMemSize); has {
		memoryMB, _ = models.ParseMemory(v)
	}
	return cpus, memoryMB
}

// rate prices a server: as its size says when it is of that size, and by its
// components otherwise.
func rate(env *models.Environment, size *models.Size, cpus, memoryMB int) models.Rate {
	if size != nil && size.CPUs == cpus && size.MemoryMB == memoryMB {
		return models.Rate{Hardware: size.Rate}
	}
	return models.Rate{Hardware: env.CPURate*models.Money(cpus) + env.MemRate*models.Money(memoryMB)/1024}
}

func (p *planner) blueprint(id models.ID) (*models.Blueprint, error) {
	if p.order.GroupID != 0 {
		return p.catalog.BlueprintFor(p.tx, p.order.GroupID, id)
	}
	return p.catalog.Blueprints.FindTx(p.tx, p.actor, id.String())
}

func (p *planner) environment(id models.ID) (*models.Environment, error) {
	if p.order.GroupID != 0 {
		return p.catalog.EnvironmentFor(p.tx, p.order.GroupID, id)
	}
	env, err := p.catalog.Environments.FindTx(p.tx, p.actor, id.String())
	if err == nil && env.HandlerID == 0 {
		return nil, fault.NotFoundf("Not found.")
	}
	return env, err
}

// hostname makes a server's name from what was asked for, or from the build
// item's template: {name} {item} {order} {n} {owner}. No two servers of an order
// have the same.
func (p *planner) hostname(asked string, b *models.BlueprintItem, svc *PlannedService, env *models.Environment, n, quantity int, at string) string {
	if asked == "" {
		host := p.madeUp(b, svc, n, quantity, env.Domain)
		for p.names[strings.ToLower(host)] { // by another item
			n++
			host = p.madeUp(b, svc, n, quantity, env.Domain)
		}
		if !validHostname(host) {
			p.complain(at, "%q, made of the blueprint's %q, is no host name", host, b.Hostname)
		}
		p.names[strings.ToLower(host)] = true
		return host
	}
	host := asked
	if quantity > 1 {
		short, domain, dotted := strings.Cut(host, ".")
		host = short + "-" + strconv.Itoa(n)
		if dotted {
			host += "." + domain
		}
	}
	host = qualified(host, env.Domain)
	switch key := strings.ToLower(host); {
	case !validHostname(host):
		p.complain(at, "%q is no host name", host)
	case p.names[key]:
		p.complain(at, "%q is in the order twice", host)
	case p.inUse(host, env.ID):
		p.complain(at, "%q is the name of another server in %s", host, env.Name)
	default:
		p.names[key] = true
	}
	return host
}

// inUse reports whether a living server of the environment has the name.
func (p *planner) inUse(host string, env models.ID) bool {
	var n int64
	err := p.tx.Model(&models.Server{}).Where("hostname = ? AND environment_id = ? AND status <> ?", host, env, models.ServerHistorical).Count(&n).Error
	p.failed = errors.Join(p.failed, store.Fault(err))
	return n > 0
}

// madeUp makes a name of the build item's template. What the template leaves out
// to tell the servers apart is put behind it.
func (p *planner) madeUp(b *models.BlueprintItem, svc *PlannedService, n, quantity int, domain string) string {
	template := b.Hostname
	if template == "" {
		template = "{item}-{order}-{n}"
	}
	if !strings.Contains(template, "{n}") && (quantity > 1 || n > 1) {
		short, rest, dotted := strings.Cut(template, ".")
		template = short + "-{n}"
		if dotted {
			template += "." + rest
		}
	}
	name := b.Name
	if svc != nil {
		name = svc.Name
	}
	// People's words are cut short, and never the numbers behind them.
	const longest = 50
	for room := longest; ; room-- {
		cut := func(s string) string {
			s = label(strings.ReplaceAll(s, ".", "-")) // a dot would begin the domain
			return strings.TrimRight(s[:min(len(s), room)], "-")
		}
		host := label(strings.NewReplacer(
			"{name}", cut(name), "{item}", cut(b.Name), "{order}", p.order.ID.String(),
			"{n}", strconv.Itoa(n), "{owner}", cut(p.actor.Username),
		).Replace(template))
		if short, _, _ := strings.Cut(host, "."); len(short) <= longest || room == 0 {
			return qualified(host, domain)
		}
	}
}

// qualified puts the domain behind a name that has none.
func qualified(host, domain string) string {
	if domain == "" || strings.Contains(host, ".") {
		return host
	}
	return host + "." + domain
}

// label makes a valid host name of any text (RFC 1123).
func label(s string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(s) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '.':
			b.WriteRune(r)
		default:
			if out := b.String(); out != "" && !strings.HasSuffix(out, "-") {
				b.WriteByte('-')
			}
		}
	}
	out := strings.Trim(b.String(), "-.")
	if out == "" {
		return "server"
	}
	return out
}

func validHostname(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	for _, part := range strings.Split(s, ".") {
		if part == "" || len(part) > 63 || part[0] == '-' || part[len(part)-1] == '-' {
			return false
		}
		for _, c := range []byte(part) {
			if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' {
				return false
			}
		}
	}
	return true
}

// tail gives the last segment of an href, or the text itself.
func tail(ref string) string {
	ref = strings.TrimRight(ref, "/")
	return ref[strings.LastIndexByte(ref, '/')+1:]
}

// server gives a server that an item wants to change or remove.
func (p *planner) server(id models.ID, env models.ID, at string, can func(access.Actor, *models.Server) error) (*models.Server, error) {
	sv, err := query.Find[models.Server](p.tx, &query.Schema{Name: "server", Plural: "servers", Table: "servers", Prefix: "SVR"}, p.actor, id.String())
	if err != nil {
		return nil, p.missing(err, at, "does not exist")
	}
	if p.order.GroupID == 0 {
		p.order.GroupID = sv.GroupID
		if err := CanOrderFor(p.actor, sv.GroupID); err != nil {
			return nil, err
		}
	}
	switch {
	case p.taken[id]:
		p.complain(at, "%s is in the order twice", sv.Hostname)
	case sv.GroupID != p.order.GroupID:
		// Otherwise a group's approvers could be avoided through another group.
		p.complain(at, "%s belongs to another group than the order", sv.Hostname)
	case env != 0 && sv.EnvironmentID != env:
		p.complain(at, "%s is not in this environment", sv.Hostname)
	default:
		if err := can(p.actor, sv); err != nil {
			if fault.Is(err, fault.Forbidden) {
				return nil, err
			}
			p.complain(at, "%s", strings.TrimSuffix(fault.From(err).Message, "."))
			return nil, nil
		}
		p.taken[id] = true
		return sv, nil
	}
	return nil, nil
}

func (p *planner) mod(it *models.OrderItem, at string) error {
	d := it.Mod
	sv, err := p.server(d.ServerID, d.EnvironmentID, at+"/server", server.CanModify)
	if err != nil || sv == nil {
		return err
	}
	before := len(p.bad)
	given := p.params(modInputs, d.Parameters, at+"/parameters")
	env, err := store.First[models.Environment](p.tx.Where("id = ?", sv.EnvironmentID))
	if err != nil {
		return err
	}
	p.plan.envs = append(p.plan.envs, env)
	size, err := p.size(given, 0, at)
	if err != nil {
		return err
	}
	m := PlannedMod{Item: it, Server: sv}
	sizeID := sv.SizeID
	if size != nil {
		sizeID = size.ID
		m.Args.CPUs, m.Args.MemoryMB = size.CPUs, size.MemoryMB
	}
	if cpus, mem := amounts(given); cpus != 0 || mem != 0 {
		if cpus != 0 {
			m.Args.CPUs = cpus
		}
		if mem != 0 {
			m.Args.MemoryMB = mem
		}
	}
	if err := p.modDisk(&m, d, given, at); err != nil {
		return err
	}
	m.Args.Expires, _ = models.ParamValue(given, models.KeyExpiration)
	m.delta(d)
	if len(d.Delta) == 0 && len(p.bad) == before {
		p.complain(at+"/parameters", "change nothing")
	}
	cpus, mem := sv.CPUs, sv.MemoryMB
	if m.Args.CPUs != 0 {
		cpus = m.Args.CPUs
	}
	if m.Args.MemoryMB != 0 {
		mem = m.Args.MemoryMB
	}
	if cpus != sv.CPUs || mem != sv.MemoryMB || sizeID != sv.SizeID {
		if size == nil && sv.SizeID != 0 {
			if size, err = store.First[models.Size](p.tx.Where("id = ?", sv.SizeID)); err != nil {
				return err
			}
		}
		r := rate(env, size, cpus, mem)
		r.Software, r.Extra = sv.SoftwareRate, sv.ExtraRate
		m.Args.Rate, m.Args.SizeID = &r, sizeID
		it.Rate = r.Total() - sv.Rate
	}
	m.Args.Params = merged(sv.Parameters, given)
	p.plan.Mods = append(p.plan.Mods, m)
	return nil
}

func (p *planner) modDisk(m *PlannedMod, d *models.ModItem, given []models.Param, at string) error {
	text, has := models.ParamValue(given, "disk_size")
	if !has {
		if d.DiskUUID != "" {
			p.complain(at+"/parameters/disk_size", "is required with disk-uuid")
		}
		return nil
	}
	gb, _ := strconv.Atoi(text) // params has checked it
	if d.DiskUUID == "" && len(m.Server.Disks) == 1 {
		d.DiskUUID = m.Server.Disks[0].UUID
	}
	for _, disk := range m.Server.Disks {
		if disk.UUID != d.DiskUUID {
			continue
		}
		if gb <= disk.SizeGB {
			p.complain(at+"/parameters/disk_size", "%d GB is not more than the disk has, %d GB", gb, disk.SizeGB)
			return nil
		}
		m.Args.DiskUUID, m.Args.DiskGB = disk.UUID, gb
		return nil
	}
	p.complain(at+"/disk-uuid", "%q is no disk of %s", d.DiskUUID, m.Server.Hostname)
	return nil
}

// delta says for people what a change changes.
func (m *PlannedMod) delta(d *models.ModItem) {
	sv := m.Server
	d.Delta = nil
	add := func(name, from, to string) {
		if from != to {
			d.Delta = append(d.Delta, models.Param{Name: name, Value: from + " -> " + to})
		}
	}
	if m.Args.CPUs != 0 {
		add("CPU Cnt", strconv.Itoa(sv.CPUs), strconv.Itoa(m.Args.CPUs))
	}
	if m.Args.MemoryMB != 0 {
		add("Mem Size", models.FormatMemory(sv.MemoryMB), models.FormatMemory(m.Args.MemoryMB))
	}
	if m.Args.DiskGB != 0 {
		i := slices.IndexFunc(sv.Disks, func(x models.ServerDisk) bool { return x.UUID == m.Args.DiskUUID })
		add("Disk Size", strconv.Itoa(sv.Disks[i].SizeGB)+" GB", strconv.Itoa(m.Args.DiskGB)+" GB")
	}
	if m.Args.Expires != "" {
		from := sv.ExpiresOn
		if from == "" {
			from = models.Never
		}
		add("Expiration Date", from, m.Args.Expires)
	}
}

// merged gives params with the given ones put in their place or behind them.
func merged(params, given []models.Param) []models.Param {
	out := slices.Clone(params)
	for _, g := range given {
		i := slices.IndexFunc(out, func(x models.Param) bool { return models.InputKey(x.Name) == models.InputKey(g.Name) })
		if i >= 0 {
			out[i].Value = g.Value
		} else {
			out = append(out, g)
		}
	}
	return out
}

func (p *planner) decom(it *models.OrderItem, at string) error {
	d := it.Decom
	plan := PlannedDecom{Item: it}
	if len(d.ServerIDs) == 0 && len(d.ServiceIDs) == 0 {
		p.complain(at+"/servers", "is required, unless services are given")
	}
	add := func(id models.ID, place string) error {
		sv, err := p.server(id, d.EnvironmentID, place, server.CanDecom)
		if err != nil || sv == nil {
			return err
		}
		plan.Servers = append(plan.Servers, sv)
		it.Rate -= sv.Rate
		env, err := store.First[models.Environment](p.tx.Where("id = ?", sv.EnvironmentID))
		if err != nil {
			return err
		}
		p.plan.envs = append(p.plan.envs, env)
		return nil
	}
	for i, id := range d.ServerIDs {
		if err := add(id, fmt.Sprintf("%s/servers/%d", at, i)); err != nil {
			return err
		}
	}
	for i, id := range d.ServiceIDs {
		place := fmt.Sprintf("%s/services/%d", at, i)
		svc, err := query.Find[models.Service](p.tx, &query.Schema{Name: "service", Plural: "services", Table: "services", Prefix: "RSC"}, p.actor, id.String())
		if err != nil {
			if err := p.missing(err, place, "does not exist"); err != nil {
				return err
			}
			continue
		}
		if err := server.CanDeleteService(p.actor, svc); err != nil {
			if fault.Is(err, fault.Forbidden) {
				return err
			}
			p.complain(place, "%s", strings.TrimSuffix(fault.From(err).Message, "."))
			continue
		}
		members, err := store.Find[models.Server](p.tx.Where("service_id = ? AND status <> ?", svc.ID, models.ServerHistorical).Order("id"))
		if err != nil {
			return err
		}
		for _, m := range members {
			if p.taken[m.ID] {
				continue // named by itself as well
			}
			if err := add(m.ID, place); err != nil {
				return err
			}
		}
		plan.Services = append(plan.Services, svc)
	}
	d.Names = d.Names[:0]
	for _, sv := range plan.Servers {
		d.Names = append(d.Names, models.Named{Kind: models.ObjectServer, ID: sv.ID, Name: sv.Hostname})
	}
	for _, svc := range plan.Services {
		d.Names = append(d.Names, models.Named{Kind: models.ObjectService, ID: svc.ID, Name: svc.Name})
	}
	p.plan.Decoms = append(p.plan.Decoms, plan)
	return nil
}
