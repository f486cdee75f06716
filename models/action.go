package models

import (
	"regexp"
	"slices"
	"strings"

	"halcyon/pkg/fault"
)

// ActionKind is the way an action runs.
type ActionKind string

// The kinds of action.
const (
	ActionWebhook ActionKind = "webhook"  // somebody else does it, and is told by a POST
	ActionBuiltIn ActionKind = "built-in" // we do it
)

// ActionKinds are all of them.
var ActionKinds = []ActionKind{ActionWebhook, ActionBuiltIn}

// BuiltIn is something that we know to do by ourselves.
type BuiltIn string

// The built-in actions. The first three decide on an order; all others work on a
// server, or on each server of a service.
const (
	BuiltInRefuse          BuiltIn = "refuse-order"     // setting message
	BuiltInRequireApproval BuiltIn = "require-approval" // whatever approves by itself
	BuiltInApprove         BuiltIn = "approve-order"    // without asking
	BuiltInAddLabel        BuiltIn = "add-label"        // setting label
	BuiltInAddNote         BuiltIn = "add-note"         // setting note
	BuiltInSetParameter    BuiltIn = "set-parameter"    // settings name, value
	BuiltInSetExpiration   BuiltIn = "set-expiration"   // setting days
	BuiltInPowerOn         BuiltIn = "power-on"
	BuiltInPowerOff        BuiltIn = "power-off"
	BuiltInReboot          BuiltIn = "reboot"
	BuiltInRefresh         BuiltIn = "refresh-info"
	BuiltInSnapshot        BuiltIn = "take-snapshot" // setting name, optional: the job's id is put behind it
	BuiltInDecommission    BuiltIn = "decommission"  // by an order
)

// BuiltIns are all of them.
var BuiltIns = []BuiltIn{
	BuiltInRefuse, BuiltInRequireApproval, BuiltInApprove,
	BuiltInAddLabel, BuiltInAddNote, BuiltInSetParameter, BuiltInSetExpiration,
	BuiltInPowerOn, BuiltInPowerOff, BuiltInReboot, BuiltInRefresh, BuiltInSnapshot, BuiltInDecommission,
}

// builtInSettings are the names that each built-in action reads; those with a
// star are required.
var builtInSettings = map[BuiltIn][]string{
	BuiltInRefuse:        {"message*"},
	BuiltInAddLabel:      {"label*"},
	BuiltInAddNote:       {"note*"},
	BuiltInSetParameter:  {"name*", "value*"},
	BuiltInSetExpiration: {"days*"},
	BuiltInSnapshot:      {"name"},
}

// Settings returns the names of the built-in action's settings, and those that are
// required.
func (b BuiltIn) Settings() (names, required []string) {
	for _, s := range builtInSettings[b] {
		name, must := strings.CutSuffix(s, "*")
		names = append(names, name)
		if must {
			required = append(required, name)
		}
	}
	return names, required
}

// Decides reports whether the action decides on an order.
func (b BuiltIn) Decides() bool {
	return b == BuiltInRefuse || b == BuiltInRequireApproval || b == BuiltInApprove
}

// writes reports whether the action only changes the server's row, and no machine.
func (b BuiltIn) writes() bool {
	switch b {
	case BuiltInAddLabel, BuiltInAddNote, BuiltInSetParameter, BuiltInSetExpiration:
		return true
	case BuiltInRefuse, BuiltInRequireApproval, BuiltInApprove, BuiltInPowerOn, BuiltInPowerOff,
		BuiltInReboot, BuiltInRefresh, BuiltInSnapshot, BuiltInDecommission:
	}
	return false
}

// Action is an operation that administrators define. It runs on request or at a trigger
// point. Its uses refer to it: server actions, service actions, orchestration actions,
// rules and applications.
type Action struct {
	Row
	Name        string
	Description string
	Kind        ActionKind
	BuiltIn     BuiltIn
	Settings    []Param `gorm:"serializer:json"` // of a built-in action
	Inputs      []Input `gorm:"serializer:json"` // what whoever runs it is asked for
	URL         string
	HeaderNames []string `gorm:"serializer:json"`
	Headers     string   `json:"-"` // a JSON object, sealed by pkg/secret; never shown
	Secret      string   `json:"-"` // sealed by pkg/secret; never shown
	Timeout     int      // seconds that the receiver has

	NewHeaders map[string]string `gorm:"-" json:"-"` // to be sealed with the row; nil for no change
	NewSecret  *string           `gorm:"-" json:"-"` // to be sealed with the row; nil for no change
}

// GlobalPrefix implements Keyed.
func (*Action) GlobalPrefix() string { return "ACT" }

// MaxActionTimeout is how many seconds the receiver of a webhook may take at most:
// a step of a job is shorter than a minute.
const MaxActionTimeout = 30

// DefaultActionTimeout is the time limit in seconds of an action without one.
const DefaultActionTimeout = 10

// Validate checks the rules that hold for every writer of the row. The caller of the
// webhook checks its address.
func (a *Action) Validate() error {
	if err := validName(a.Name); err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, in := range a.Inputs {
		key := InputKey(in.Name)
		if key == "" || seen[key] {
			return fault.InvalidField(fault.Member("inputs"), "%q is empty or there twice", in.Name)
		}
		seen[key] = true
		if in.Type == InputOSBuild || in.Type == InputSize {
			return fault.InvalidField(fault.Member("inputs"), "%s: type %q is only for blueprints", in.Name, in.Type)
		}
		if err := in.validate(); err != nil {
			return err
		}
	}
	switch a.Kind {
	case ActionWebhook:
		return a.validWebhook()
	case ActionBuiltIn:
		return a.validBuiltIn()
	}
	return fault.InvalidField(fault.Member("type"), "is none of webhook, built-in")
}

func (a *Action) validWebhook() error {
	if a.BuiltIn != "" || len(a.Settings) > 0 {
		return fault.InvalidField(fault.Member("built-in"), "is for actions of the type built-in")
	}
	if a.URL == "" {
		return fault.InvalidField(fault.Member("url"), "is required")
	}
	if a.Timeout < 1 || a.Timeout > MaxActionTimeout {
		return fault.InvalidField(fault.Member("timeout"), "is not between 1 and %d seconds", MaxActionTimeout)
	}
	return nil
}

func (a *Action) validBuiltIn() error {
	if a.URL != "" || a.NewSecret != nil && *a.NewSecret != "" || len(a.NewHeaders) > 0 || a.Secret != "" || len(a.HeaderNames) > 0 {
		return fault.InvalidField(fault.Member("url"), "is for actions of the type webhook, as are headers and secret")
	}
	if !slices.Contains(BuiltIns, a.BuiltIn) {
		list := make([]string, len(BuiltIns))
		for i, b := range BuiltIns {
			list[i] = string(b)
		}
		return fault.InvalidField(fault.Member("built-in"), "%q is none of %s", a.BuiltIn, strings.Join(list, ", "))
	}
	known, required := a.BuiltIn.Settings()
	for _, p := range a.Settings {
		if !slices.Contains(known, InputKey(p.Name)) {
			return fault.InvalidField(fault.Member("settings").Member(p.Name), "is no setting of %s, which has %s", a.BuiltIn, or(strings.Join(known, ", "), "none"))
		}
	}
	for _, name := range required {
		asked := slices.ContainsFunc(a.Inputs, func(in Input) bool { return InputKey(in.Name) == name })
		if v, _ := ParamValue(a.Settings, name); v == "" && !asked {
			return fault.InvalidField(fault.Member("settings").Member(name), "is required by %s, unless there is an input of that name", a.BuiltIn)
		}
	}
	if days, has := ParamValue(a.Settings, "days"); has {
		in := Input{Name: "days", Type: InputInteger, Minimum: new(int64(1)), Maximum: new(int64(3660))}
		if _, err := in.Parse(days, a.CreatedAt); err != nil {
			return fault.InvalidField(fault.Member("settings").Member("days"), "%s", err)
		}
	}
	return nil
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// Trigger is a point at which something may be made to happen.
type Trigger string

// The trigger points.
const (
	PreOrderSubmit   Trigger = "pre_order_submit"
	PostOrderSubmit  Trigger = "post_order_submit"
	PreOrderApprove  Trigger = "pre_order_approve"
	PostOrderApprove Trigger = "post_order_approve"
	PreProvision     Trigger = "pre_provision"
	PostProvision    Trigger = "post_provision"
	PreDecom         Trigger = "pre_decom"
	PostDecom        Trigger = "post_decom"
	PreModify        Trigger = "pre_modify"
	PostModify       Trigger = "post_modify"
)

// Triggers are all of them.
var Triggers = []Trigger{
	PreOrderSubmit, PostOrderSubmit, PreOrderApprove, PostOrderApprove,
	PreProvision, PostProvision, PreDecom, PostDecom, PreModify, PostModify,
}

// Before reports whether the point is before the thing happens, which can be
// prevented then.
func (t Trigger) Before() bool { return strings.HasPrefix(string(t), "pre_") }

// OfOrder reports whether the point is in the life of an order, and not in that of
// a server.
func (t Trigger) OfOrder() bool { return strings.Contains(string(t), "_order_") }

// Allows returns an Invalid error when the trigger point does not support the action.
func (t Trigger) Allows(a *Action) error {
	if !slices.Contains(Triggers, t) {
		list := make([]string, len(Triggers))
		for i, x := range Triggers {
			list[i] = string(x)
		}
		return fault.InvalidField(fault.Member("trigger"), "%q is none of %s", t, strings.Join(list, ", "))
	}
	if a.Kind == ActionWebhook {
		return nil
	}
	ok := false
	switch b := a.BuiltIn; {
	case t == PreOrderSubmit:
		ok = b.Decides()
	case t == PreOrderApprove:
		ok = b == BuiltInRefuse
	case t.OfOrder():
	case t == PreProvision, t == PostDecom:
		ok = b.writes() // there is no machine
	case t == PreDecom, t == PreModify:
		ok = !b.Decides() && b != BuiltInDecommission
	case t == PostProvision, t == PostModify:
		ok = !b.Decides()
	}
	if !ok {
		return fault.InvalidField(fault.Member("action"), "%s, which does %s, cannot run at %s", a.Name, a.BuiltIn, t)
	}
	for _, in := range a.Inputs {
		if in.Required && in.Default == "" {
			return fault.InvalidField(fault.Member("action"), "%s asks for %s, and nobody is asked at a trigger point", a.Name, in.Name)
		}
	}
	return nil
}

// ServerAction offers an action on servers to who may run them.
type ServerAction struct {
	Row
	Name             string
	Description      string
	ActionID         ID
	Condition        string // over server and user; empty for all servers
	RequiresApproval bool   // running it is an order
	Enabled          bool
}

// GlobalPrefix implements Keyed.
func (*ServerAction) GlobalPrefix() string { return "SVA" }

// ServiceAction offers an action on services to who may run them.
type ServiceAction struct {
	Row
	Name             string
	Description      string
	ActionID         ID
	Condition        string // over service and user; empty for all services
	RequiresApproval bool
	Enabled          bool
}

// GlobalPrefix implements Keyed.
func (*ServiceAction) GlobalPrefix() string { return "RSA" }

// OrchestrationAction has an action run at a trigger point.
type OrchestrationAction struct {
	Row
	Name        string
	Description string
	ActionID    ID
	Trigger     Trigger `gorm:"column:trigger_point"`
	Condition   string  // empty: always
	Priority    int     // lower is earlier
	Enabled     bool
}

// GlobalPrefix implements Keyed.
func (*OrchestrationAction) GlobalPrefix() string { return "ORC" }

// Rule is a condition, and the action that follows where it holds.
type Rule struct {
	Row
	Name        string
	Description string
	ActionID    ID
	Trigger     Trigger `gorm:"column:trigger_point"`
	Condition   string
	Priority    int // lower is earlier
	Enabled     bool
}

// GlobalPrefix implements Keyed.
func (*Rule) GlobalPrefix() string { return "RUL" }

// Application is software that an order can name, and how it gets on a server.
type Application struct {
	Row
	Name        string
	Description string
	Release     string // of the software
	ActionID    ID     // runs on each server that was made with it
	OSFamily    string // that it fits; empty for any

	OSBuildIDs []ID `gorm:"-"` // that it fits, as read and written with the row; none for all
}

// GlobalPrefix implements Keyed.
func (*Application) GlobalPrefix() string { return "APP" }

// Fits reports whether the application can be installed on servers of the OS build.
func (a *Application) Fits(build *OSBuild) bool {
	if a.OSFamily != "" && !strings.EqualFold(a.OSFamily, build.OSFamily) {
		return false
	}
	return len(a.OSBuildIDs) == 0 || slices.Contains(a.OSBuildIDs, build.ID)
}

// The kinds of thing that have actions run, as RunArgs.By names them.
const (
	ByServerAction        = "server-action"
	ByServiceAction       = "service-action"
	ByOrchestrationAction = "orchestration-action"
	ByRule                = "rule"
	ByApplication         = "application"
	ByBuildItem           = "build-item"
)

// RunArgs names the action that a job runs, and the reason.
type RunArgs struct {
	ActionID ID      `json:"action"`
	By       Named   `json:"by"`                   // what it was attached by
	Trigger  Trigger `json:"trigger,omitempty"`    // none: somebody asked for it
	JobID    ID      `json:"job,omitempty"`        // that it comes before or after
	Params   []Param `json:"parameters,omitempty"` // what whoever asked for it said
	Facts    string  `json:"facts,omitempty"`      // what was known of an order then, as JSON
}

// ActionItem asks for an action to be run on a server or a service.
type ActionItem struct {
	ServerID   ID      `json:"server,omitempty"`
	ServiceID  ID      `json:"service,omitempty"`
	ActionID   ID      `json:"action"` // the server action's or the service action's
	Parameters []Param `json:"parameters,omitempty"`
	Name       string  `json:"name,omitempty"` // what the action was called when the item was made
}

// headerName matches the valid names of a webhook's headers.
var headerName = regexp.MustCompile(`^[A-Za-z0-9!#$%&'*+.^_|~-]{1,64}$`)

// ownHeaders are those that the request has by itself.
var ownHeaders = []string{"host", "content-length", "content-type", "transfer-encoding", "connection", "te", "trailer", "upgrade", "expect", "proxy-authorization"}

// ValidHeaders is a 400 unless all can be sent with a webhook.
func ValidHeaders(h map[string]string) error {
	if len(h) > 16 {
		return fault.InvalidField(fault.Member("headers"), "are more than 16")
	}
	for name, value := range h {
		lower := strings.ToLower(name)
		switch {
		case !headerName.MatchString(name):
			return fault.InvalidField(fault.Member("headers"), "%q is no name of a header", name)
		case slices.Contains(ownHeaders, lower) || strings.HasPrefix(lower, "webhook-"):
			return fault.InvalidField(fault.Member("headers").Member(name), "is set by the request itself")
		case len(value) > 4096 || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }):
			return fault.InvalidField(fault.Member("headers").Member(name), "has control characters or more than 4096 bytes")
		}
	}
	return nil
}
