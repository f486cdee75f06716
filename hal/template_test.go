package hal_test

import (
	"testing"

	"halcyon/hal"
)

func TestTemplates(t *testing.T) {
	t.Parallel()
	d := hal.Document{
		Links: []hal.Rel{{Name: "self", Links: []hal.Link{{Href: "/api/v2/blueprints/1"}}}},
		Props: []hal.Prop{{Name: "name", Value: hal.String("Web")}},
		Templates: []hal.Template{
			{
				Title: "Order \"Web\"", Method: "POST", Target: "/api/v2/orders/", ContentType: "application/json",
				Properties: []hal.TemplateProperty{
					{Name: "hostname", Prompt: "Host name", Type: "text", Required: true, Regex: `^[a-z]{1,15}\d$`, MinLength: 2, MaxLength: 15, Placeholder: "web1"},
					{Name: "quantity", Type: "number", Value: "1", Min: "1", Max: "10.5"},
					{Name: "expires", Type: "date", Min: "2026-01-01", Max: "2026-12-31", ReadOnly: true},
					{Name: "size", Value: "small", Options: []hal.Option{{Prompt: "Small", Value: "small"}, {Value: "large"}}},
					{Name: "os-build", Required: true, OptionsLink: hal.Link{Href: "/api/v2/os-builds/", Type: "application/hal+json"}, PromptField: "name", ValueField: "id"},
					{Name: "labels", Multiple: true, Options: []hal.Option{{Prompt: "A", Value: "a"}}},
					{Name: "groups", Multiple: true, Options: []hal.Option{{Value: "1"}, {Value: "2"}, {Value: "3"}}, Selected: []string{"1", "3"}},
					{Name: "on", Type: "checkbox", Value: "true"},
					{Name: "off", Type: "checkbox", Value: "false"},
					{Name: "text", Type: "text", Value: "false"},
				},
			},
			{Key: "delete", Method: "DELETE"},
			{Key: "search"},
		},
	}
	wantJSON(t, encode(t, &d, hal.HALForms), `{"_links":{"self":{"href":"/api/v2/blueprints/1"}},"name":"Web","_templates":{
	 "default":{"title":"Order \"Web\"","method":"POST","target":"/api/v2/orders/","contentType":"application/json","properties":[
	  {"name":"hostname","prompt":"Host name","type":"text","required":true,"placeholder":"web1","regex":"^[a-z]{1,15}\\d$","minLength":2,"maxLength":15},
	  {"name":"quantity","type":"number","value":"1","min":1,"max":10.5},
	  {"name":"expires","type":"date","readOnly":true,"min":"2026-01-01","max":"2026-12-31"},
	  {"name":"size","value":"small","options":{"inline":[{"prompt":"Small","value":"small"},{"prompt":"large","value":"large"}],"maxItems":1,"selectedValues":["small"]}},
	  {"name":"os-build","required":true,"options":{"link":{"href":"/api/v2/os-builds/","type":"application/hal+json"},"promptField":"name","valueField":"id","maxItems":1,"minItems":1}},
	  {"name":"labels","options":{"inline":[{"prompt":"A","value":"a"}]}},
	  {"name":"groups","options":{"inline":[{"prompt":"1","value":"1"},{"prompt":"2","value":"2"},{"prompt":"3","value":"3"}],"selectedValues":["1","3"]}},
	  {"name":"on","type":"checkbox","value":"true"},
	  {"name":"off","type":"checkbox"},
	  {"name":"text","type":"text","value":"false"}]},
	 "delete":{"method":"DELETE","properties":[]},
	 "search":{"method":"GET","properties":[]}}}`)

	const plain = `{"_links":{"self":{"href":"/api/v2/blueprints/1"}},"name":"Web"}`
	wantJSON(t, encode(t, &d, hal.HAL), plain)
	wantJSON(t, encode(t, &d, hal.CloudBolt), plain)
}

// A single template is the default one, since clients look for no other.
func TestOneTemplate(t *testing.T) {
	t.Parallel()
	d := hal.Document{Links: []hal.Rel{{Name: "self", Links: []hal.Link{{Href: "/orders/1"}}}}, Templates: []hal.Template{{Key: "submit", Method: "POST", Target: "/orders/1/submit"}}}
	wantJSON(t, encode(t, &d, hal.HALForms), `{"_links":{"self":{"href":"/orders/1"}},"_templates":{"default":{"method":"POST","target":"/orders/1/submit","properties":[]}}}`)
}
