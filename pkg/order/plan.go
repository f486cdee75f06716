package order

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/catalog"
	"halcyon/pkg/fault"
	"halcyon/pkg/store"
)

// Plan lists the changes of a valid order, with their prices.
type Plan struct {
	Services []PlannedService
	Servers  []PlannedServer // servers of prov items, which have no service
	Mods     []PlannedMod
	Decoms   []PlannedDecom
	Runs     []PlannedRun
	Rate     models.Money // change of the monthly costs; negative for savings
	envs     []*models.Environment
}

// PlannedService is the new service of a deploy item with its servers, or the service of
// a scale item with its additional servers.
type PlannedService struct {
	Item      *models.OrderItem
	Blueprint *models.Blueprint
	Service   *models.Service // the scaled service; nil for a new one
	Name      string
	Params    []models.Param
	Servers   []PlannedServer
	Actions   []PlannedAction // in the order of the build items

	wrong []string // keys of the service's parameters with problems
}

// PlannedServer is a new server.
type PlannedServer struct {
	Item     *models.OrderItem
	Key      string // unique within the order, such as deploy/1/Web/2
	Tier     string // name of the build item; "" without a service
	Hostname string
	Env      *models.Environment
	OSBuild  *models.OSBuild
	SizeID   models.ID
	CPUs     int
	MemoryMB int
	Rate     models.Rate
	Expires  string
	Params   []models.Param

	Applications []models.ID
}

// PlannedAction is the run of an action at its place in a deployment.
type PlannedAction struct {
	BuildItem string
	Action    *models.Action
	Params    []models.Param
	After     int // the number of the service's servers that are created before it
}

// PlannedMod is a change to one server.
type PlannedMod struct {
	Item   *models.OrderItem
	Server *models.Server
	Args   models.JobArgs
}

// PlannedDecom is the removal of servers and of whole services.
type PlannedDecom struct {
	Item     *models.OrderItem
	Servers  []*models.Server // includes those of Services
	Services []*models.Service
	Scaled   *models.Service // the service that a scale item makes smaller; otherwise nil
}

// PlannedRun is the run of an action.
type PlannedRun struct {
	Item     *models.OrderItem
	Name, On string // of the action, and of its server or service
	Approval bool   // the action requires approval, whatever the policy
}

// placing returns the path of an item in the caller's request.
type placing func(it *models.OrderItem) fault.Path

// itemPath returns the path of an item in a request about a whole order.
func itemPath(it *models.OrderItem) fault.Path {
	return fault.Item(string(it.Kind), it.Position-1)
}

// onlyItem returns the placing for requests about one item: its paths begin at the item,
// and those of the other items at the order.
func onlyItem(id models.ID) placing {
	return func(it *models.OrderItem) fault.Path {
		if it.ID == id {
			return nil
		}
		return itemPath(it)
	}
}

// planner builds a plan, and collects the problems of all items instead of stopping at
// the first one.
type planner struct {
	*Service
	tx     *store.Tx
	actor  access.Actor
	order  *models.Order
	bad    []fault.Field
	failed error // of queries in functions that return no error
	detail string
	plan   Plan
	taken  map[models.ID]bool // servers changed or removed by an earlier item
	names  map[string]bool    // host names of new servers, in lower case
	scaled map[models.ID]bool // services scaled by an earlier item
}

// plan checks an order's items and sets their prices. The error is Invalid with a field
// for each problem; place returns the paths of the items, and nil stands for itemPath. An
// order without a group gets that of the first server or service among its items.
func (s *Service) plan(tx *store.Tx, a access.Actor, o *models.Order, place placing) (*Plan, error) {
	if place == nil {
		place = itemPath
	}
	p := &planner{Service: s, tx: tx, actor: a, order: o, taken: map[models.ID]bool{}, names: map[string]bool{}, scaled: map[models.ID]bool{}}
	for i := range o.Items {
		it := &o.Items[i]
		it.Rate = 0
		at := place(it)
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
		case models.ItemScale:
			err = p.scale(it, at)
		case models.ItemAction:
			err = p.action(it, at)
		}
		if err != nil {
			return nil, err
		}
		p.plan.Rate += it.Rate
		if p.enough() {
			break
		}
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

// enough reports whether there are more problems than an answer lists.
func (p *planner) enough() bool { return len(p.bad) > fault.MaxFields }

func (p *planner) complain(at fault.Path, format string, args ...any) {
	p.bad = append(p.bad, fault.Field{Path: at, Reason: fmt.Sprintf(format, args...)})
}

// missing reports a problem when err is NotFound, and returns other errors.
func (p *planner) missing(err error, at fault.Path, format string, args ...any) error {
	if fault.Is(err, fault.NotFound) {
		p.complain(at, format, args...)
		return nil
	}
	return err
}

func (p *planner) deploy(it *models.OrderItem, at fault.Path) error {
	d := it.Deploy
	bp, err := p.blueprint(d.BlueprintID)
	if err != nil {
		return p.missing(err, at.Member("blueprint"), "cannot be ordered by this group")
	}
	it.BlueprintID = bp.ID
	if d.Name == "" {
		d.Name = bp.Name
	}
	svc := PlannedService{Item: it, Blueprint: bp, Name: d.Name}
	before := len(p.bad)
	svc.Params = p.params(bp.Inputs, d.Parameters, at)
	svc.wrong = wrong(p.bad[before:])
	for i := range d.Arguments {
		if p.enough() {
			return nil
		}
		if _, has := bp.Item(d.Arguments[i].Item); !has {
			p.bad = append(p.bad, noBuildItem(bp, at.BuildItem(d.Arguments[i].Item)))
		}
	}
	envs, err := p.environmentsOf(bp, d)
	if err != nil {
		return err
	}
	for k := range bp.Items {
		b := &bp.Items[k]
		if b.IsAction() {
			p.actionItem(&svc, b, d.ArgumentsOf(b.Name), at)
			continue
		}
		if err := p.tier(&svc, b, d.ArgumentsOf(b.Name), envs[b.Name], at.BuildItem(b.Name)); err != nil {
			return err
		}
	}
	p.plan.Services = append(p.plan.Services, svc)
	return nil
}

// noBuildItem returns the problem of arguments for a build item that is not part of the
// blueprint.
func noBuildItem(bp *models.Blueprint, at fault.Path) fault.Field {
	f := fault.Field{Path: at, Reason: "is no build item of " + bp.Name + ", which has"}
	for _, b := range bp.Items {
		f.Instead = append(f.Instead, fault.BuildItem(b.Name).Last())
	}
	return f
}

// tier plans the servers of one build item, in the environment env.
func (p *planner) tier(svc *PlannedService, b *models.BlueprintItem, arg *models.BuildItemArgs, env models.ID, at fault.Path) error {
	quantity := arg.Quantity
	if quantity == 0 {
		quantity = b.Quantity
	}
	before := len(p.bad)
	given := p.serverParams(svc.Blueprint.ServerInputs(), arg.Parameters, at)
	bad := append(wrong(p.bad[before:]), svc.wrong...)
	// Parameters of the whole service apply unless the build item overrides them.
	for _, x := range svc.Params {
		if _, has := models.ParamValue(given, x.Name); !has {
			given = append(given, x)
		}
	}
	ordered := len(given)
	given = b.WithDefaults(given, arg.OSBuildID != 0)
	given = p.defaults(svc.Blueprint.Inputs, given, bad, at)
	srv := PlannedServer{Item: svc.Item, Tier: b.Name, Params: given}
	w := want{env: env, build: arg.OSBuildID, defaultBuild: b.OSBuildID, defaultSize: b.SizeID, quantity: quantity, wrong: bad, inherited: given[ordered:]}
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
		one.Hostname = p.hostname(host, b, svc, srv.Env, n, quantity, at.Member("hostname"))
		svc.Servers = append(svc.Servers, one)
		svc.Item.Rate += one.Rate.Total()
	}
	return nil
}

func (p *planner) prov(it *models.OrderItem, at fault.Path) error {
	d := it.Prov
	for i, name := range d.Preconfigurations {
		p.complain(at.Member("preconfigurations").Entry(i), "%q does not exist", name)
	}
	before := len(p.bad)
	given := p.serverParams(provInputs, d.Parameters, at)
	bad := wrong(p.bad[before:])
	srv := PlannedServer{Item: it, Params: given}
	quantity := max(d.Quantity, 1)
	ok, err := p.fit(&srv, want{env: d.EnvironmentID, build: d.OSBuildID, quantity: d.Quantity, wrong: bad}, at)
	if err != nil {
		return err
	}
	if srv.Applications, err = p.applications(d, srv.OSBuild, at); err != nil || !ok {
		return err
	}
	for n := 1; n <= quantity; n++ {
		one := srv
		one.Key = fmt.Sprintf("prov/%d/%d", it.Position, n)
		one.Hostname = p.hostname(d.Hostname, &models.BlueprintItem{Name: "server"}, nil, srv.Env, n, quantity, at.Member("hostname"))
		p.plan.Servers = append(p.plan.Servers, one)
		it.Rate += one.Rate.Total()
	}
	return nil
}

// The inputs of a server without a blueprint, and those of a change.
var (
	provInputs = []models.Input{
		{Name: "vm-size", Type: models.InputSize},
		{Name: "os_build", Type: models.InputOSBuild},
		{Name: "mem_size", Type: models.InputMemory},
		{Name: "cpu-cnt", Type: models.InputInteger, Minimum: new(int64(1)), Maximum: new(int64(models.MaxCPUs))},
		{Name: "expiration-date", Type: models.InputDate},
	}
	modInputs = []models.Input{
		{Name: "vm-size", Type: models.InputSize},
		{Name: "mem_size", Type: models.InputMemory},
		{Name: "cpu-cnt", Type: models.InputInteger, Minimum: new(int64(1)), Maximum: new(int64(models.MaxCPUs))},
		{Name: "disk_size", Type: models.InputInteger, Minimum: new(int64(1)), Maximum: new(int64(64 << 10))},
		{Name: "expiration-date", Type: models.InputDate, Clears: true},
	}
)

// ProvInputs returns the parameters of a server without a blueprint.
func ProvInputs() []models.Input { return slices.Clone(provInputs) }

// ModInputs returns the parameters of a change of a server.
func ModInputs() []models.Input { return slices.Clone(modInputs) }

// serverParams is params for new servers: the values may also choose the location of a server. The
// environment checks those.
func (p *planner) serverParams(inputs []models.Input, given []models.Param, at fault.Path) []models.Param {
	var places, others []models.Param
	for _, x := range given {
		asked := slices.ContainsFunc(inputs, func(in models.Input) bool { return models.InputKey(in.Name) == models.InputKey(x.Name) })
		switch key := models.PlacementKey(x.Name); {
		case key == "" || asked:
			others = append(others, x)
		case x.Value != "":
			places = append(places, models.Param{Name: key, Value: x.Value})
		}
	}
	return append(p.params(inputs, others, at), places...)
}

// params checks given values against the declared inputs, and reports those with
// problems. It returns the others in canonical form and in the given order, without empty
// values.
func (p *planner) params(inputs []models.Input, given []models.Param, at fault.Path) []models.Param {
	var out []models.Param
	for _, x := range given {
		if p.enough() {
			break
		}
		i := slices.IndexFunc(inputs, func(in models.Input) bool { return models.InputKey(in.Name) == models.InputKey(x.Name) })
		if i < 0 {
			p.complain(at.Parameter(x.Name), "is no parameter that is known here")
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
			continue // the same as no parameter
		}
		v, err := inputs[i].Parse(x.Value, p.tx.Now)
		if err != nil {
			p.complain(at.Parameter(x.Name), "%s", err)
			continue
		}
		out = append(out, models.Param{Name: inputs[i].Name, Value: v})
	}
	return out
}

// wrong returns the keys of the parameters with problems.
func wrong(bad []fault.Field) []string {
	keys := make([]string, len(bad))
	for i, x := range bad {
		keys[i] = models.InputKey(x.Path.Last().Name)
	}
	return keys
}

// defaults adds the defaults of the inputs without a value, and reports missing required
// ones. It skips the keys in bad: their problems are reported already.
func (p *planner) defaults(inputs []models.Input, given []models.Param, bad []string, at fault.Path) []models.Param {
	for _, in := range inputs {
		if _, has := models.ParamValue(given, in.Name); has {
			continue
		}
		switch {
		case in.Default != "":
			given = append(given, models.Param{Name: in.Name, Value: in.Default})
		case in.Required && !slices.Contains(bad, models.InputKey(in.Name)):
			p.complain(at.Parameter(in.Name), "is required")
		}
	}
	return given
}

// want holds the choices of an item for its servers, apart from parameters.
type want struct {
	env, build, defaultBuild, defaultSize models.ID
	quantity                              int
	wrong                                 []string       // keys of the parameters with problems
	inherited                             []models.Param // parameters that the order does not give: defaults, or those of another server
}

// missized reports whether a parameter for the size, CPUs or memory has a problem.
func (w *want) missized() bool {
	return slices.ContainsFunc(w.wrong, func(key string) bool {
		return key == models.KeyVMSize || key == models.KeyCPUCnt || key == models.KeyMemSize
	})
}

// fit sets the environment, OS build, size and price of a planned server. It returns
// false after reporting a problem.
func (p *planner) fit(srv *PlannedServer, w want, at fault.Path) (bool, error) {
	before := len(p.bad)
	if w.quantity < 0 || w.quantity > catalog.MaxQuantity {
		p.complain(at.Member("quantity"), "%d is not between 1 and %d", w.quantity, catalog.MaxQuantity)
	}
	if err := p.fitEnvironment(srv, w, at); err != nil {
		return false, err
	}
	p.fitPlacement(srv, w, at)
	if err := p.fitBuild(srv, w, at); err != nil {
		return false, err
	}
	if err := p.fitSize(srv, w, at); err != nil {
		return false, err
	}
	srv.Expires, _ = models.ParamValue(srv.Params, models.KeyExpiration)
	return len(p.bad) == before, nil
}

func (p *planner) fitEnvironment(srv *PlannedServer, w want, at fault.Path) error {
	if w.env == 0 {
		return p.complainEnvironment(at.Member("environment"))
	}
	env, err := p.environment(w.env)
	if err != nil {
		return p.missing(err, at.Member("environment"), "cannot be ordered into by this group")
	}
	srv.Env = env
	p.plan.envs = append(p.plan.envs, env)
	return nil
}

// fitPlacement checks the parameters that choose a location against the environment, and brings them to
// their canonical form. It drops inherited ones that the environment does not allow, because the order
// cannot change them.
func (p *planner) fitPlacement(srv *PlannedServer, w want, at fault.Path) {
	if srv.Env == nil {
		return
	}
	fitting := make([]models.Param, 0, len(srv.Params))
	for _, x := range srv.Params {
		key := models.PlacementKey(x.Name)
		if key == "" {
			fitting = append(fitting, x)
			continue
		}
		v, err := srv.Env.ParsePlacement(key, x.Value)
		_, inherited := models.ParamValue(w.inherited, x.Name)
		switch {
		case err == nil:
			fitting = append(fitting, models.Param{Name: key, Value: v})
		case !inherited:
			p.complain(at.Parameter(x.Name), "%s", err)
		}
	}
	srv.Params = fitting
}

func (p *planner) fitBuild(srv *PlannedServer, w want, at fault.Path) error {
	id, place := w.build, at.Member("os-build")
	if text, has := models.ParamValue(srv.Params, models.KeyOSBuild); has {
		place = at.Parameter("os_build")
		row, err := p.catalog.OSBuilds.FindTx(p.tx, p.actor, text)
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
		p.complain(at.Member("os-build"), "is required")
		return nil
	}
	build, err := p.catalog.OSBuild(p.tx, id)
	if err != nil {
		return p.missing(err, place, "does not exist")
	}
	srv.OSBuild = build
	if srv.Env == nil {
		return nil
	}
	if !catalog.AllowsBuild(srv.Env, id) {
		p.complain(place, "%s is not allowed in %s", build.Name, srv.Env.Name)
		return nil
	}
	if _, err := p.catalog.Template(p.tx, id, srv.Env.HandlerID); err != nil {
		return p.missing(err, place, "%s has no template for %s", build.Name, srv.Env.Name)
	}
	return nil
}

func (p *planner) fitSize(srv *PlannedServer, w want, at fault.Path) error {
	before := len(p.bad)
	size, err := p.size(srv.Params, w.defaultSize, at)
	if err != nil {
		return err
	}
	w.wrong = append(w.wrong, wrong(p.bad[before:])...)
	if size != nil {
		if srv.Env != nil && !catalog.AllowsSize(srv.Env, size.ID) {
			p.complain(at.Parameter("vm-size"), "%s is not allowed in %s", size.Name, srv.Env.Name)
			return nil
		}
		srv.SizeID, srv.CPUs, srv.MemoryMB = size.ID, size.CPUs, size.MemoryMB
	}
	cpus, mem := amounts(srv.Params)
	if size == nil && (cpus == 0 || mem == 0) {
		if !w.missized() {
			p.complain(at.Parameter("vm-size"), "is required, unless both cpu-cnt and mem_size are given")
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

// size returns the size named by the parameters, or else the fallback. It returns nil
// without either, and after reporting a problem.
func (p *planner) size(params []models.Param, fallback models.ID, at fault.Path) (*models.Size, error) {
	if name, has := models.ParamValue(params, models.KeyVMSize); has {
		size, err := p.catalog.SizeByName(p.tx, name)
		if err != nil {
			return nil, p.missing(err, at.Parameter("vm-size"), "%q is no size", name)
		}
		return size, nil
	}
	if fallback == 0 {
		return nil, nil
	}
	return p.catalog.Size(p.tx, fallback)
}

// amounts returns the number of CPUs and the MB of memory in the parameters, 0 if absent.
func amounts(params []models.Param) (cpus, memoryMB int) {
	if v, has := models.ParamValue(params, models.KeyCPUCnt); has {
		cpus, _ = strconv.Atoi(v) // params has checked it
	}
	if v, has := models.ParamValue(params, models.KeyMemSize); has {
		memoryMB, _ = models.ParseMemory(v)
	}
	return cpus, memoryMB
}

// rate returns the monthly price of a server's hardware: the rate of its size, or the sum
// of its CPUs and memory when they differ from those of the size.
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
