package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// aspects are what a blueprint may or may not have. The test orders blueprints with every
// combination of them.
var aspects = []string{"size", "OS build", "environment", "parameters", "size input", "OS build input", "two tiers", "action"}

// blueprintWith returns the body of a blueprint with the aspects whose bits are set. The
// action is one with a required input.
func blueprintWith(bits int, action string) string {
	has := func(name string) bool { return bits&(1<<slices.Index(aspects, name)) != 0 }
	item := map[string]any{"name": "One"}
	if has("size") {
		item["perf-type"] = "1"
	}
	if has("OS build") {
		item["os-build"] = "1"
	}
	if has("environment") {
		item["environment"] = "3"
	}
	if has("parameters") {
		item["parameters"] = map[string]any{"cpu-cnt": 2, "mem_size": "2 GB"}
	}
	items := []any{item}
	if has("action") {
		items = append(items, map[string]any{"name": "Mark", "type": "action", "action": action})
	}
	if has("two tiers") {
		items = append(items, map[string]any{"name": "Other"})
	}
	inputs := []any{}
	if has("size input") {
		inputs = append(inputs, map[string]any{"name": "vm-size", "type": "size"})
	}
	if has("OS build input") {
		inputs = append(inputs, map[string]any{"name": "os_build", "type": "os-build"})
	}
	body, _ := json.Marshal(map[string]any{"name": fmt.Sprintf("Combination %d", bits), "state": "Active", "build-items": items, "inputs": inputs})
	return string(body)
}

// orderMember is a member of an order form, as far as the test reads it.
type orderMember struct {
	Name     string
	Required bool
	Value    string
	Options  struct {
		Inline []struct{ Value string }
	}
}

// TestFormsSamplesAndOrdersAgree makes blueprints with every combination of aspects. The
// members that the form requires are enough for an order, each of them is needed unless
// it has a default, and the sample order can be sent as it is.
func TestFormsSamplesAndOrdersAgree(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, open func(testing.TB) string) {
		c := newCloud(t, open(t))
		c.stopWorkers(t)
		action := c.want(t, http.StatusCreated, call{
			actor: "admin", method: http.MethodPost, path: "/api/v2/actions/",
			body: `{"name": "Label", "type": "built-in", "built-in": "add-label", "inputs": [{"name": "label", "required": true, "options": ["front", "back"]}]}`,
		}).header.Get("Location")
		for bits := range 1 << len(aspects) {
			b := c.want(t, http.StatusCreated, call{actor: "admin", method: http.MethodPost, path: "/api/v2/blueprints/", body: blueprintWith(bits, action)})
			path := b.header.Get("Location")
			form := c.orderForm(t, path)
			filled, unanswered := map[string]string{}, []string(nil)
			for _, p := range form {
				switch {
				case !p.Required:
				case p.Value != "":
					filled[p.Name] = p.Value
				case len(p.Options.Inline) > 0:
					filled[p.Name] = p.Options.Inline[0].Value
					unanswered = append(unanswered, p.Name)
				default:
					t.Fatalf("combination %d: %s is required and has no choice", bits, p.Name)
				}
			}
			sent, _ := json.Marshal(filled)
			order := call{actor: "alice", method: http.MethodPost, path: path + "/actions/order", body: string(sent)}
			if a := c.ask(t, order); a.status != http.StatusCreated {
				t.Errorf("combination %d: the form with %s is refused: %s\n%s", bits, sent, a.body, blueprintWith(bits, action))
				continue
			}
			order.path += "?dry-run=1"
			if a := c.ask(t, order); a.status != http.StatusOK {
				t.Errorf("combination %d: a dry run of what succeeds says %s", bits, a.body)
			}
			for _, name := range unanswered {
				less := map[string]string{}
				for k, v := range filled {
					if k != name {
						less[k] = v
					}
				}
				sent, _ := json.Marshal(less)
				for _, query := range []string{"", "?dry-run=1"} {
					a := c.ask(t, call{actor: "alice", method: http.MethodPost, path: path + "/actions/order" + query, body: string(sent)})
					if a.status != http.StatusBadRequest || !strings.Contains(string(a.body), `"/`+name+`"`) {
						t.Errorf("combination %d: without %s, which the form requires: %d %s", bits, name, a.status, a.body)
					}
				}
			}
			var sample struct{ Body json.RawMessage }
			if err := json.Unmarshal(c.want(t, http.StatusOK, call{actor: "alice", path: path + "/sample-order"}).body, &sample); err != nil {
				t.Fatal(err)
			}
			if a := c.ask(t, call{actor: "alice", method: http.MethodPost, path: "/api/v2/orders/", body: string(sample.Body)}); a.status != http.StatusCreated {
				t.Errorf("combination %d: the sample order is refused: %s\n%s", bits, a.body, sample.Body)
			}
		}
	})
}

// orderForm returns alice's order form of a blueprint.
func (c *cloud) orderForm(t *testing.T, path string) []orderMember {
	t.Helper()
	var doc struct {
		Templates map[string]struct{ Properties []orderMember } `json:"_templates"`
	}
	a := c.want(t, http.StatusOK, call{actor: "alice", path: path, accept: "application/prs.hal-forms+json"})
	if err := json.Unmarshal(a.body, &doc); err != nil {
		t.Fatal(err)
	}
	for key, form := range doc.Templates {
		if key == "order" || len(doc.Templates) == 1 {
			return form.Properties
		}
	}
	t.Fatalf("there is no order form:\n%s", a.body)
	return nil
}
