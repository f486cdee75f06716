package v2

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"halcyon/hal"
	"halcyon/handlers/halserver"
	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/apidoc"
	"halcyon/pkg/fault"
	"halcyon/pkg/jsonbody"
	"halcyon/pkg/order"
	"halcyon/pkg/query"
	"halcyon/pkg/resource"
	"halcyon/pkg/schema"
	"halcyon/pkg/web"
)

// cartRoutes are the routes of orders and their items beside their declarations.
type cartRoutes struct{ face *Face }

func (f *Face) orders() resource.Resource[models.Order] {
	key := func(o *models.Order) *models.Row { return &o.Row }
	do := func(run func(context.Context, access.Actor, string) (*models.Order, error)) func(context.Context, access.Actor, string, *jsonbody.Value) (resource.Result[models.Order], error) {
		return func(ctx context.Context, a access.Actor, ref string, n *jsonbody.Value) (resource.Result[models.Order], error) {
			n.Done()
			if err := n.Faults().Err(); err != nil {
				return resource.Result[models.Order]{}, err
			}
			o, err := run(ctx, a, ref)
			return resource.Result[models.Order]{Row: o}, err
		}
	}
	return resource.Resource[models.Order]{
		Name: "order", Plural: "orders", Noun: "Orders", Entity: order.Orders,
		Doc: "A request for catalogue items: a cart until it is submitted, then decided by an approver or a policy, then worked on by jobs.",
		Key: key, Title: func(o *models.Order) string { return "Order id " + o.ID.String() },
		Columns: []string{"id", "name", "status", "group", "owner.username", "rate", "create-date"},
		Fields: append([]resource.Field[models.Order]{
			resource.Text("name", func(o *models.Order) string { return o.Name }, "Name that approvers see.").On("name").Listed(),
			resource.ID(key),
			resource.Enum("status", models.OrderStatuses, func(o *models.Order) models.OrderStatus { return o.Status }, "Step in the life of the order.").On("status").Listed(),
			resource.Text("summary", func(o *models.Order) string { return o.Summary }, "What the order does.").On("summary"),
			resource.Rate("rate", func(o *models.Order) models.Money { return o.Rate }, "What the order adds by the month; negative when it saves.").On("rate"),
			resource.Time("create-date", func(o *models.Order) *time.Time { return &o.CreatedAt }, "When the cart was made.").On("created_at"),
			resource.Time("submit-date", func(o *models.Order) *time.Time { return o.SubmittedAt }, "When it was submitted.").On("submitted_at").OmitEmpty(),
			resource.Time("approve-date", func(o *models.Order) *time.Time { return o.ApprovedAt }, "When it was approved.").On("approved_at").OmitEmpty(),
			resource.Time("end-date", func(o *models.Order) *time.Time { return o.EndedAt }, "When its last job ended, or it was denied or canceled.").On("ended_at").OmitEmpty(),
			resource.Value("deny-reason", func(o *models.Order) hal.Value { return textOrNull(o.DenyReason) }, "Why it was denied.").Typed(schema.String()).From("deny_reason").OmitEmpty(),
			resource.Value("items", orderItems, "What is ordered, by kind of item.").Typed(itemsJSON()),
			resource.Value("problems", orderProblems, "What keeps the caller from submitting or approving it as it is: where, and why.").Typed(apidoc.FieldErrors()).OmitEmpty(),
		}, resource.Identity(key)...),
		Relations: append([]resource.Relation[models.Order]{
			resource.One("group", "groups", "group", func(o *models.Order) models.ID { return o.GroupID }, "Group that it is ordered for."),
			resource.One("owner", "users", "owner", func(o *models.Order) models.ID { return o.OwnerID }, "Who ordered."),
			resource.One("approved-by", "users", "approved_by", func(o *models.Order) models.ID { return o.ApprovedByID }, "Who approved.").Also("approved_by").Optional(),
			resource.One("recipient", "users", "recipient", func(o *models.Order) models.ID { return o.RecipientID }, "Whose the servers will be, when not the owner's.").Optional(),
			resource.Many[models.Order]("jobs", "jobs", "jobs", "Jobs that make it real, parents and children.").Known(madeJobs),
			resource.Many[models.Order]("servers", "servers", "servers", "Servers that it makes, changes or removes, once it is active.").Optional().Known(madeServers),
			eventsAbout("orders", func(o *models.Order) models.ID { return o.ID }, "What happens to it, its jobs and its servers; see events."),
		}, itemLinks()...),
		Subs: []resource.Sub[models.Order]{
			historySub(func(o *models.Order) string { return "Order id " + o.ID.String() }),
		},
		Actions: []resource.Action[models.Order]{
			{Rel: "submit", Title: "Submit", Doc: "Sends the cart for approval; where none is needed, work begins.", Can: order.CanSubmit, Do: do(f.Orders.Submit), DryRun: &resource.DryRun{Do: dryRuns{f}.drySubmit, Schema: forecastSchema}},
			{Rel: "approve", Title: "Approve", Doc: "Lets a pending order go on.", Can: order.CanApprove, Do: do(f.Orders.Approve)},
			{
				Rel: "deny", Title: "Deny", Doc: "Ends a pending order, with a reason if there is one (reason).", Can: order.CanDeny,
				Body: schema.Struct(schema.Optional("reason", apidoc.WordUpTo(1024))...),
				Do: func(ctx context.Context, a access.Actor, ref string, n *jsonbody.Value) (resource.Result[models.Order], error) {
					reason := n.Field("reason").TextUpTo(1024)
					n.Done()
					if err := n.Faults().Err(); err != nil {
						return resource.Result[models.Order]{}, err
					}
					o, err := f.Orders.Deny(ctx, a, ref, reason)
					return resource.Result[models.Order]{Row: o}, err
				},
				Form: func(context.Context, access.Actor, *models.Order) ([]hal.TemplateProperty, error) {
					return []hal.TemplateProperty{{Name: "reason", Prompt: "Reason", Type: "text", MaxLength: 1024}}, nil
				},
			},
			{Rel: "cancel", Title: "Cancel", Doc: "Ends the order; running work is stopped and undone.", Can: order.CanCancel, Do: do(f.Orders.Cancel)},
			{Rel: "duplicate", Title: "Duplicate", Doc: "Makes a new cart of the same items.", Can: order.CanDuplicate, Do: do(f.Orders.Duplicate)},
		},
		// Whether what waits can go on depends on the catalogue, on quotas and rules, and on
		// the servers that it is about.
		Started: &resource.Started{
			Doc:    "An order was submitted, which somebody has to approve: the order to watch.",
			Follow: f.orderJob, Into: "jobs",
		},
		List: f.Orders.List, Find: f.Orders.Find,
		Post: func(ctx context.Context, a access.Actor, refs *resource.Refs, n *jsonbody.Value) (*models.Order, error) {
			d, err := readDraft(n, refs)
			if err != nil {
				return nil, err
			}
			return f.Orders.Create(ctx, a, d)
		},
		PostForm: f.newOrder, PostBody: orderBody(), PostNone: true, CreateDryRun: &resource.DryRun{Do: dryRuns{f}.dryCreate, Schema: forecastSchema}, Templates: f.cartTemplates,
		Display: &resource.Display[models.Order]{
			Attributes: []string{"owner.username", "recipient.username", "approved-by.username"},
			Lists: []resource.Listing{
				{Rel: "jobs", Query: "attributes=progress,parent,start-date,end-date,action,errors&order=id&page_size=100"},
				{Rel: "servers", Query: "attributes=status,power-status,ip,cpu-cnt,mem-size&order=id&page_size=100"},
				{Rel: "history", Query: "order=-id&page_size=30"},
			},
			Parts: f.orderParts,
		},
		CanUpdate: order.CanEdit,
	}
}

// itemLinks declares the links to the items of each kind.
func itemLinks() []resource.Relation[models.Order] {
	var list []resource.Relation[models.Order]
	for _, kind := range models.ItemKinds {
		list = append(list, resource.Path("cb:"+itemMember(kind), func(base string, o *models.Order) (hal.Link, bool) {
			return hal.Link{Href: base + "/orders/" + o.ID.String() + "/" + itemMember(kind) + "/", Title: itemsTitle(kind, o)}, o.ID != 0 // a dry run has no order
		}, "Its "+string(kind)+" items. A POST adds one while the order is a cart."))
	}
	return list
}

func orderProblems(o *models.Order) hal.Value {
	if len(o.Problems) == 0 {
		return hal.Null()
	}
	list := make([]hal.Value, len(o.Problems))
	for i, p := range o.Problems {
		list[i] = hal.Object([]hal.Prop{{Name: "pointer", Value: hal.String(names.Pointer(p.Path))}, {Name: "reason", Value: hal.String(p.Text(names))}})
	}
	return hal.List(list)
}

func textOrNull(s string) hal.Value {
	if s == "" {
		return hal.Null()
	}
	return hal.String(s)
}

// currentOrder answers the caller's cart, which is made on first use.
func (r cartRoutes) currentOrder(c echo.Context) error {
	if err := halserver.NoQuery(c); err != nil {
		return err
	}
	o, err := r.face.Orders.Current(c.Request().Context(), web.Actor(c))
	if err != nil {
		return err
	}
	return r.face.hal.Show(c, http.StatusOK, r.face.reg.Def("orders"), o)
}

// order finds the order that the path is about: the one that it names, or the
// caller's cart.
func (r cartRoutes) order(c echo.Context) (*models.Order, error) {
	if id := c.Param("id"); id != "" {
		return r.face.Orders.Find(c.Request().Context(), web.Actor(c), id)
	}
	return r.face.Orders.Current(c.Request().Context(), web.Actor(c))
}

// editing is the common part of the handlers of a cart's parts. The right to change the
// cart is checked before the body.
func (r cartRoutes) editing(run func(c echo.Context, ref string, n *jsonbody.Value) (*models.Order, error)) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := halserver.NoQuery(c); err != nil {
			return err
		}
		o, err := r.order(c)
		if err != nil {
			return err
		}
		ctx, err := r.face.hal.Expect(c, r.face.reg.Def("orders"), &o.Row)
		if err != nil {
			return err
		}
		c.SetRequest(c.Request().WithContext(ctx))
		if err := order.CanEdit(web.Actor(c), o); err != nil {
			return err
		}
		n, err := r.face.hal.Read(c)
		if err != nil {
			return err
		}
		if o, err = run(c, o.ID.String(), n); err != nil {
			return err
		}
		return r.face.hal.Show(c, http.StatusOK, r.face.reg.Def("orders"), o)
	}
}

// editOrder changes the cart's own members.
func (r cartRoutes) editOrder(c echo.Context, ref string, n *jsonbody.Value) (*models.Order, error) {
	ctx, a := c.Request().Context(), web.Actor(c)
	refs := r.face.reg.Refs(ctx, a)
	name, group, recipient := n.Field("name"), n.Field("group"), n.Field("recipient")
	var changes []func(*models.Order)
	if name.Given() {
		v := name.TextUpTo(maxName)
		changes = append(changes, func(o *models.Order) { o.Name = v })
	}
	if group.Given() {
		v := refs.To(group, "groups")
		changes = append(changes, func(o *models.Order) { o.GroupID = v })
	}
	if recipient.Given() {
		v := refs.To(recipient, "users")
		changes = append(changes, func(o *models.Order) { o.RecipientID = v })
	}
	n.Done()
	if err := n.Faults().Err(); err != nil {
		return nil, err
	}
	return r.face.Orders.Edit(ctx, a, ref, func(o *models.Order) error {
		for _, change := range changes {
			change(o)
		}
		return nil
	})
}

// replaceOrder replaces the cart by the body.
func (r cartRoutes) replaceOrder(c echo.Context, ref string, n *jsonbody.Value) (*models.Order, error) {
	ctx, a := c.Request().Context(), web.Actor(c)
	o, err := r.face.Orders.Find(ctx, a, ref)
	if err != nil {
		return nil, err
	}
	d, err := readReplacement(n, r.face.reg.Refs(ctx, a), r.face.reg.Def("orders"), o)
	if err != nil {
		return nil, err
	}
	return r.face.Orders.Replace(ctx, a, ref, d)
}

func (r cartRoutes) addItem(kind models.ItemKind) func(c echo.Context, ref string, n *jsonbody.Value) (*models.Order, error) {
	return func(c echo.Context, ref string, n *jsonbody.Value) (*models.Order, error) {
		ctx, a := c.Request().Context(), web.Actor(c)
		it := readItem(kind, n, r.face.reg.Refs(ctx, a), models.OrderItem{})
		if err := n.Faults().Err(); err != nil {
			return nil, err
		}
		o, err := r.face.Orders.AddItem(ctx, a, ref, it)
		return o, moved(err, inItem(kind))
	}
}

// patched and replaced return the part of an item that stays when it is changed by PATCH
// and by PUT.
func patched(it models.OrderItem) models.OrderItem { return it }

func replaced(it models.OrderItem) models.OrderItem {
	return models.OrderItem{ID: it.ID, OrderID: it.OrderID, Kind: it.Kind, Position: it.Position}
}

func (r cartRoutes) changeItem(kind models.ItemKind, left func(models.OrderItem) models.OrderItem) func(c echo.Context, ref string, n *jsonbody.Value) (*models.Order, error) {
	return func(c echo.Context, ref string, n *jsonbody.Value) (*models.Order, error) {
		ctx, a := c.Request().Context(), web.Actor(c)
		position, err := position(c)
		if err != nil {
			return nil, err
		}
		o, err := r.face.Orders.Find(ctx, a, ref)
		if err != nil {
			return nil, err
		}
		// References are looked up before the transaction; changes are applied in it.
		var was models.OrderItem
		for _, it := range o.Items {
			if it.Kind == kind && it.Position == position {
				was = it
			}
		}
		if was.ID == 0 {
			return nil, fault.NotFoundf("Not found.")
		}
		it := readItem(kind, n, r.face.reg.Refs(ctx, a), left(was))
		if err := n.Faults().Err(); err != nil {
			return nil, err
		}
		// The merge is based on the row as it was read: no other change may come in between.
		ctx = r.face.reg.WithPrecondition(ctx, r.face.reg.Def("orders"), o.ID, func(version int64) error {
			if version != o.Version {
				return fault.Conflictf("It was changed by somebody else meanwhile. Read it again.")
			}
			return nil
		})
		o, err = r.face.Orders.ChangeItem(ctx, a, ref, kind, position, func(models.OrderItem) (models.OrderItem, error) { return it, nil })
		return o, moved(err, inItem(kind))
	}
}

func (r cartRoutes) removeItem(kind models.ItemKind) func(c echo.Context, ref string, n *jsonbody.Value) (*models.Order, error) {
	return func(c echo.Context, ref string, n *jsonbody.Value) (*models.Order, error) {
		position, err := position(c)
		if err != nil {
			return nil, err
		}
		return r.face.Orders.RemoveItem(c.Request().Context(), web.Actor(c), ref, kind, position)
	}
}

func position(c echo.Context) (int, error) {
	n, err := strconv.Atoi(c.Param("n"))
	if err != nil || n < 1 {
		return 0, fault.NotFoundf("Not found.")
	}
	return n, nil
}

// items answers the items of one kind of an order, as a document.
func (r cartRoutes) items(kind models.ItemKind) echo.HandlerFunc {
	return func(c echo.Context) error {
		page, size, err := query.ParsePage(c.Request().URL.RawQuery)
		if err != nil {
			return err
		}
		o, err := r.order(c)
		if err != nil {
			return err
		}
		d := r.face.reg.Def("orders")
		path := halserver.SubPath(d, o, string(kind)+"-items")
		doc := r.face.itemPage(o, kind, path, page, size)
		doc.Links = append(doc.Links, hal.Rel{Name: "up", Links: []hal.Link{{Href: d.Href(o.ID), Title: d.TitleOf(o)}}})
		if ctx, a := c.Request().Context(), web.Actor(c); r.face.hal.ReadsForms(c) && order.CanEdit(a, o) == nil {
			props, err := r.face.itemForm(ctx, a, o, kind)
			if err != nil {
				return err
			}
			if props != nil {
				doc.Templates = []hal.Template{{Title: addTitles[kind], Method: "POST", Target: path, Properties: props}}
			}
		}
		return r.face.hal.SendTagged(c, http.StatusOK, doc, &o.Row, nil)
	}
}

// itemPage returns one page of an order's items of one kind.
func (f *Face) itemPage(o *models.Order, kind models.ItemKind, path string, number, size int) *hal.Document {
	var list []*models.OrderItem
	for i := range o.Items {
		if o.Items[i].Kind == kind {
			list = append(list, &o.Items[i])
		}
	}
	p := page{Path: path, Title: itemsTitle(kind, o), Number: number, Size: size, Total: len(list)}
	docs := []hal.Document{}
	from, to := p.rows()
	for _, it := range list[from:to] {
		docs = append(docs, f.itemDocument(o, it))
	}
	return &hal.Document{
		Links:    p.links(),
		Props:    p.props(),
		Embedded: []hal.Embedded{{Rel: string(kind) + "-items", Many: true, Docs: docs}},
	}
}

func (r cartRoutes) oneItem(kind models.ItemKind) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := halserver.NoQuery(c); err != nil {
			return err
		}
		position, err := position(c)
		if err != nil {
			return err
		}
		o, err := r.order(c)
		if err != nil {
			return err
		}
		for _, it := range o.Items {
			if it.Kind == kind && it.Position == position {
				doc := r.face.itemDocument(o, &it)
				if r.face.hal.ReadsForms(c) {
					doc.Templates = itemTemplates(web.Actor(c), o, &it, doc.Links[0].Links[0].Href)
				}
				return r.face.hal.SendTagged(c, http.StatusOK, &doc, &o.Row, nil)
			}
		}
		return fault.NotFoundf("Not found.")
	}
}

func itemsTitle(kind models.ItemKind, o *models.Order) string {
	word := strings.ToUpper(string(kind[:1])) + string(kind[1:])
	return word + " Items Of Order id " + o.ID.String()
}

func (f *Face) itemDocument(o *models.Order, it *models.OrderItem) hal.Document {
	d := f.reg.Def("orders")
	href := halserver.SubPath(d, o, string(it.Kind)+"-items") + strconv.Itoa(it.Position)
	return hal.Document{
		Links: []hal.Rel{
			{Name: "self", Links: []hal.Link{{Href: href, Title: strings.TrimSuffix(itemsTitle(it.Kind, o), "s Of Order id "+o.ID.String()) + " " + strconv.Itoa(it.Position)}}},
			{Name: "up", Links: []hal.Link{{Href: d.Href(o.ID), Title: d.TitleOf(o)}}},
		},
		Props: append(itemProps(it), hal.Prop{Name: "rate", Value: hal.String(it.Rate.PerMonth())}),
	}
}

// orderWork is work that an order asks for.
func orderWork(id models.ID) resource.Work { return resource.Work{Of: "orders", ID: id} }

// orderJob returns the job of an order, which clients of actions wait for; none while the
// order waits for approval.
func (f *Face) orderJob(ctx context.Context, a access.Actor, id models.ID) (resource.Work, error) {
	job, err := f.Orders.Work(ctx, a, id)
	if err != nil || job == 0 {
		return resource.Work{}, err
	}
	return jobWork(job), nil
}
