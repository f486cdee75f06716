package browse

import (
	"bytes"
	"encoding/json"
	"strings"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"halcyon/hal"
	"halcyon/pkg/view"
)

// source returns the page that shows the answer other clients get at this address: its
// headers, its JSON with links, and the curl command for it.
func source(v *view.View) g.Node {
	var headers g.Group
	for _, x := range v.Headers {
		headers = append(headers, h.Dt(g.Text(x.Name)), h.Dd(h.Code(g.Text(x.Value))))
	}
	return g.Group{
		h.Section(h.Class("card"), g.Attr("aria-label", "Answer"),
			h.P(h.Code(g.Text("HTTP/1.1 200 OK"))),
			g.If(headers != nil, h.Dl(h.Class("props headers"), headers))),
		curl("", curlCommand(v, "GET", requestURI(v), v.Shown.ContentType(), "")),
		h.Pre(h.Class("source"), h.TabIndex("0"), h.Code(highlight(v.Source))),
		curls(v),
	}
}

// highlight returns JSON with its tokens marked up.
func highlight(text []byte) g.Node {
	var out bytes.Buffer
	if json.Indent(&out, text, "", "  ") != nil {
		return g.Text(string(text))
	}
	rest := out.Bytes()
	b := make([]byte, 0, 4*len(rest))
	for len(rest) > 0 {
		n, kind := token(rest)
		switch part := string(rest[:n]); kind {
		case "":
			b = append(b, part...) // punctuation and blanks
		case "string":
			b = appendQuoted(b, part, bytes.HasPrefix(rest[n:], []byte(":")))
		default:
			b = append(append(append(b, `<span class="`...), kind...), `">`...)
			b = append(append(b, part...), "</span>"...)
		}
		rest = rest[n:]
	}
	return markup(b)
}

// token returns the length and the kind of the first token of a JSON text. The kind is ""
// for punctuation and blanks.
func token(text []byte) (n int, kind string) {
	switch c := text[0]; {
	case c == '"':
		for n = 1; n < len(text) && text[n] != '"'; n++ {
			if text[n] == '\\' {
				n++
			}
		}
		return min(n+1, len(text)), "string"
	case c == '-' || c >= '0' && c <= '9':
		for n < len(text) && strings.IndexByte("+-.0123456789eE", text[n]) >= 0 {
			n++
		}
		return n, "number"
	case c >= 'a' && c <= 'z':
		for n < len(text) && text[n] >= 'a' && text[n] <= 'z' {
			n++
		}
		return n, "literal"
	}
	return 1, ""
}

func appendQuoted(b []byte, text string, key bool) []byte {
	var plain string
	switch {
	case key:
		b = append(b, `<span class="key">`...)
	case json.Unmarshal([]byte(text), &plain) == nil && strings.HasPrefix(plain, apiBase+"/") && isNavigable(plain):
		b = append(b, '"')
		b = appendLink(b, plain, text[1:len(text)-1])
		return append(b, '"')
	default:
		b = append(b, `<span class="string">`...)
	}
	return append(appendText(b, text), "</span>"...)
}

// curls returns a curl command for each template, and for an order the command that
// places the same order again.
func curls(v *view.View) g.Node {
	var list g.Group
	if body, ok := orderBody(v); ok {
		list = append(list, curl("Order the same", curlCommand(v, "POST", apiBase+"/orders/", v.Shown.ContentType(), body)))
	}
	for i := range v.Doc.Templates {
		t := &v.Doc.Templates[i]
		target := t.Target
		if target == "" {
			target = selfOf(v.Doc)
		}
		body := ""
		if len(t.Properties) > 0 {
			body = sampleBody(t)
		}
		list = append(list, curl(t.Title, curlCommand(v, t.Method, target, v.Shown.ContentType(), body)))
	}
	if list == nil {
		return nil
	}
	return h.Section(h.H2(g.Text("What can be done from here, with curl")), list)
}

// requestURI returns the path and query of the page.
func requestURI(v *view.View) string {
	if v.Query == "" {
		return v.Path
	}
	return v.Path + "?" + v.Query
}

func curl(title, text string) g.Node {
	return h.Div(h.Class("curl"), g.If(title != "", h.H3(g.Text(title))),
		h.Pre(h.Class("source"), h.TabIndex("0"), h.Data("copy", ""), h.Code(g.Text(text))))
}

// curlCommand returns a request as a shell command.
func curlCommand(v *view.View, method, target, accept, body string) string {
	var b strings.Builder
	b.WriteString("curl")
	if method != "GET" {
		b.WriteString(" -X " + method)
	}
	b.WriteString(` -H "Authorization: Bearer $TOKEN" -H ` + quote("Accept: "+accept))
	if body != "" {
		b.WriteString(" \\\n  -H 'Content-Type: application/json' -d " + quote(body))
	}
	b.WriteString(" \\\n  " + quote(v.Origin+target))
	return b.String()
}

// quote returns a text as one word of a POSIX shell.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// sampleBody returns a JSON body for a template: the form's initial values, and an
// example for each required property.
func sampleBody(t *hal.Template) string {
	props := make([]hal.Prop, 0, len(t.Properties))
	for i := range t.Properties {
		p := &t.Properties[i]
		if v := sampleValue(p); v.Kind() != hal.KindNull {
			props = append(props, hal.Prop{Name: p.Name, Value: v})
		}
	}
	return string(hal.Object(props).AppendJSON(nil, hal.HAL))
}

func sampleValue(p *hal.TemplateProperty) hal.Value {
	list := p.Selected
	if p.Value != "" {
		list = []string{p.Value}
	}
	switch {
	case len(list) > 0 || !p.Required:
	case len(p.Options) > 0:
		list = []string{p.Options[0].Value}
	case p.Placeholder != "":
		list = []string{p.Placeholder}
	case p.Min != "":
		list = []string{p.Min}
	default:
		list = []string{"…"}
	}
	if len(list) == 0 {
		return hal.Null()
	}
	if p.Multiple {
		return hal.Strings(list)
	}
	text := list[0]
	switch {
	case p.Type == "number":
		return hal.Decimal(text)
	case text == "true" || text == "false":
		return hal.Bool(text == "true")
	case p.Type == "textarea" && json.Valid([]byte(text)):
		return hal.Raw([]byte(text))
	}
	return hal.String(text)
}

// orderBody returns the body that places the same order again, and reports whether the
// page is that of an order with items.
func orderBody(v *view.View) (string, bool) {
	if v.Of == nil || v.Many || v.Of.Plural != "orders" {
		return "", false
	}
	items := member(v.Doc.Props, "items")
	if items.Len() == 0 {
		return "", false
	}
	props := make([]hal.Prop, 0, 4)
	for _, l := range linksOf(v.Doc, "group") {
		props = append(props, hal.Prop{Name: "group", Value: hal.String(l.Href)})
	}
	if name := member(v.Doc.Props, "name"); name.Text() != "" {
		props = append(props, hal.Prop{Name: "name", Value: name})
	}
	props = append(props, hal.Prop{Name: "submit-now", Value: hal.Bool(true)}, hal.Prop{Name: "items", Value: items})
	return string(hal.Object(props).AppendJSON(nil, hal.HAL)), true
}
