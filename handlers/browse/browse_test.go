package browse

import (
	"bytes"
	"strings"
	"testing"

	g "maragu.dev/gomponents"

	"halcyon/hal"
	"halcyon/pkg/view"
)

func render(t *testing.T, n g.Node) string {
	t.Helper()
	var b bytes.Buffer
	if err := n.Render(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestValues(t *testing.T) {
	t.Parallel()
	object := func(props ...hal.Prop) hal.Value { return hal.Object(props) }
	for name, test := range map[string]struct {
		value hal.Value
		want  string
	}{
		"nothing":            {hal.Null(), noneMarkup},
		"an empty text":      {hal.String(""), noneMarkup},
		"a boolean":          {hal.Bool(true), "yes"},
		"markup":             {hal.String(`<b a="1">&'`), "&lt;b a=&#34;1&#34;&gt;&amp;&#39;"},
		"an instant":         {hal.String("2018-07-26T17:43:47.463904"), `<time datetime="2018-07-26T17:43:47Z">26 Jul 2018, 17:43 UTC</time>`},
		"no instant":         {hal.String("2018-99-26T17:43:47.463904"), "2018-99-26T17:43:47.463904"},
		"memory":             {hal.String("1.2500 GB"), "1.25 GB"},
		"whole memory":       {hal.String("4.0000 GB"), "4 GB"},
		"a disk":             {hal.String("100 GB"), "100 GB"},
		"an address":         {hal.String("/api/v2/groups/2"), `<a href="/api/v2/groups/2">/api/v2/groups/2</a>`},
		"an action":          {hal.String("/api/v2/servers/1/actions/poweron/"), "/api/v2/servers/1/actions/poweron/"},
		"actions themselves": {hal.String("/api/v2/actions/3"), `<a href="/api/v2/actions/3">/api/v2/actions/3</a>`},
		"lines":              {hal.String("a\n<b>"), "<span class=\"lines\">a\n&lt;b&gt;</span>"},
		"a script":           {hal.LinkValue(hal.Link{Href: "javascript:alert(1)", Title: "x"}), "x"},
		"another host":       {hal.LinkValue(hal.Link{Href: "//evil.example/", Title: "x"}), "x"},
		"a reference":        {object(hal.Prop{Name: "href", Value: hal.String("/api/v2/groups/2")}, hal.Prop{Name: "title", Value: hal.String("A&B")}), `<a href="/api/v2/groups/2">A&amp;B</a>`},
		"an object":          {object(hal.Prop{Name: "cpu-cnt", Value: hal.Int(2)}), `<dl class="props"><dt>CPU count</dt><dd>2</dd></dl>`},
		"what others see":    {object(hal.Prop{Name: "a", Value: hal.Int(2), Only: hal.InCloudBolt}), `<dl class="props"></dl>`},
		"texts":              {hal.Strings([]string{"a", "<b>"}), `<ul class="values"><li>a</li><li>&lt;b&gt;</li></ul>`},
		"stored JSON":        {hal.Raw([]byte(`{"a":"<b>"}`)), "<pre class=\"json\">{\n  &#34;a&#34;: &#34;&lt;b&gt;&#34;\n}</pre>"},
		"objects": {
			hal.List([]hal.Value{object(hal.Prop{Name: "name", Value: hal.String("x")}), object(hal.Prop{Name: "size", Value: hal.Int(1)})}),
			`<div class="scroll small"><table><thead><tr><th scope="col">Name</th><th scope="col">Size</th></tr></thead><tbody><tr><td>x</td><td>` +
				noneMarkup + `</td></tr><tr><td>` + noneMarkup + `</td><td>1</td></tr></tbody></table></div>`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := render(t, value(test.value)); got != test.want {
				t.Errorf("%s\nwant %s", got, test.want)
			}
		})
	}
}

func TestHighlight(t *testing.T) {
	t.Parallel()
	got := render(t, highlight([]byte(`{"a\"<":["/api/v2/groups/2","/api/v2/x/1/actions/y","/api/v2/{rel}",-1.5e3,true,null,"<\\"]}`)))
	want := `{
  <span class="key">&#34;a\&#34;&lt;&#34;</span>: [
    "<a href="/api/v2/groups/2">/api/v2/groups/2</a>",
    <span class="string">&#34;/api/v2/x/1/actions/y&#34;</span>,
    <span class="string">&#34;/api/v2/{rel}&#34;</span>,
    <span class="number">-1.5e3</span>,
    <span class="literal">true</span>,
    <span class="literal">null</span>,
    <span class="string">&#34;&lt;\\&#34;</span>
  ]
}`
	if got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	a := addressOf("/api/v2/servers/", "page=3&filter=a:1;b:2&order=id&after=x&bad=%zz")
	for want, got := range map[string]address{
		"/api/v2/servers/?page=3&filter=a%3A1%3Bb%3A2&order=id&after=x": a,
		"/api/v2/servers/?filter=a%3A1%3Bb%3A2&order=-id":               a.fromFirstPage(pair{"order", "-id"}),
		"/api/v2/servers/?order=id&page=2":                              a.fromFirstPage(pair{"filter", ""}, pair{"page", "2"}),
	} {
		if got.String() != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if got := a.get("filter"); got != "a:1;b:2" {
		t.Errorf("the filter is %q", got)
	}
}

// TestCommands checks that a document's values cannot break out of a shell command.
func TestCommands(t *testing.T) {
	t.Parallel()
	v := &view.View{Origin: "https://halcyon.example"}
	got := curlCommand(v, "POST", "/api/v2/groups/?a=$(x)", "application/hal+json", `{"name":"it's $HOME"}`)
	want := "curl -X POST -H \"Authorization: Bearer $TOKEN\" -H 'Accept: application/hal+json' \\\n" +
		`  -H 'Content-Type: application/json' -d '{"name":"it'\''s $HOME"}'` + " \\\n  'https://halcyon.example/api/v2/groups/?a=$(x)'"
	if got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

func TestSamples(t *testing.T) {
	t.Parallel()
	got := sampleBody(&hal.Template{Properties: []hal.TemplateProperty{
		{Name: "name", Required: true},
		{Name: "left-out"},
		{Name: "cpus", Type: "number", Value: "2"},
		{Name: "on", Type: "checkbox", Value: "true"},
		{Name: "size", Required: true, Options: []hal.Option{{Value: "small"}}},
		{Name: "groups", Multiple: true, Selected: []string{"1", "2"}},
		{Name: "items", Type: "textarea", Value: `[{"a":1}]`},
		{Name: "least", Type: "number", Required: true, Min: "3"},
	}})
	if want := `{"name":"…","cpus":2,"on":true,"size":"small","groups":["1","2"],"items":[{"a":1}],"least":3}`; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

// TestPaging checks that the pages around the current one are linked by number, the gaps
// are dots, and the neighbors use the document's own links.
func TestPaging(t *testing.T) {
	t.Parallel()
	shown := func(at, pages int) string {
		c := hal.Collection{Path: "/l/", Noun: "Rows", Page: at, PageSize: 10, Total: 10 * pages, Rel: "rows", Docs: make([]hal.Document, 10)}
		if at < pages {
			c.After = "cursor"
		}
		doc := c.Document()
		out := render(t, paging(&view.View{Doc: &doc, Path: "/l/", Many: true}))
		if at < pages && !strings.Contains(out, `after=cursor" rel="next"`) {
			t.Errorf("page %d of %d has no cursor: %s", at, pages, out)
		}
		_, out, _ = strings.Cut(out, `class="pages">`)
		out, _, _ = strings.Cut(out, "</ul>")
		var words []string
		for item := range strings.SplitSeq(out, "</li>") {
			text := strings.TrimSuffix(item, "</a>")
			text = text[strings.LastIndexByte(text, '>')+1:]
			if strings.Contains(item, "aria-current") {
				text = "[" + text + "]"
			}
			words = append(words, text)
		}
		return strings.TrimSpace(strings.Join(words, " "))
	}
	for want, at := range map[string][2]int{
		"":                              {1, 1},
		"[1] 2 Next":                    {1, 2},
		"Previous 1 [2]":                {2, 2},
		"[1] 2 … 9 Next":                {1, 9},
		"Previous 1 … 8 [9]":            {9, 9},
		"Previous 1 2 [3] 4 … 9 Next":   {3, 9},
		"Previous 1 … 4 [5] 6 … 9 Next": {5, 9},
		"Previous 1 … 6 [7] 8 9 Next":   {7, 9},
		"Previous 1 … 499 [500] 501 … 1000000 Next": {500, 1000000},
	} {
		if got := shown(at[0], at[1]); got != want {
			t.Errorf("page %d of %d: %q, want %q", at[0], at[1], got, want)
		}
	}
}
