package hal_test

import (
	"strings"
	"testing"

	"halcyon/hal"
)

const (
	asHAL   = hal.AsHAL
	asForms = hal.AsHALForms
	asHTML  = hal.AsHTML
	asBolt  = hal.AsCloudBolt
)

// accepts lists headers that clients send, the representation that they get, and the one
// that they get from a site that prefers the CloudBolt shape.
var accepts = []struct {
	name      string
	accept    string
	want      hal.Representation
	cloudbolt hal.Representation
}{
	// Headers of real clients.
	{"curl, wget, python-requests, Go, Ruby, HTTPie without a body", "*/*", asHAL, asBolt},
	{"HTTPie with a JSON body", "application/json, */*;q=0.5", asBolt, asBolt},
	{"axios", "application/json, text/plain, */*", asHAL, asBolt},
	{"jQuery getJSON", "application/json, text/javascript, */*; q=0.01", asBolt, asBolt},
	{"Angular", "application/json, text/plain, */*", asHAL, asBolt},
	{"v2 Go SDK, Terraform provider, vendor's sample client", "application/json", asBolt, asBolt},
	{"PowerShell 5 with a header in capitals", "APPLICATION/JSON", asBolt, asBolt},
	{"Ruby rest-client", "*/*", asHAL, asBolt},
	{"old rest-client", "*/*; q=0.5, application/xml", asHAL, asBolt},
	{"Faraday with a charset", "application/json; charset=utf-8", asBolt, asBolt},
	{"CloudBolt's versioned header", "application/json;version=2.0", asBolt, asBolt},
	{"traverson-hal, halyard", "application/hal+json", asHAL, asHAL},
	{"hyperagent", "application/hal+json, application/json;q=0.9", asHAL, asHAL},
	{"HAL browser", "application/hal+json, application/json, */*; q=0.01", asHAL, asHAL},
	{"HAL Explorer", "application/prs.hal-forms+json, application/hal+json, application/json, */*", asForms, asForms},
	{
		"ketting",
		"application/prs.hal-forms+json;q=1.0, application/hal+json;q=0.9, application/vnd.api+json;q=0.8, application/vnd.siren+json;q=0.8, application/vnd.collection+json;q=0.8, application/json;q=0.7, text/html;q=0.6",
		asForms, asForms,
	},
	{"ketting 5", "application/hal+json;q=1.0, application/vnd.api+json;q=0.9, application/vnd.siren+json;q=0.9, application/json;q=0.8, text/html;q=0.7", asHAL, asHAL},
	{"Spring RestTemplate", "application/json, application/*+json", asBolt, asBolt},
	{"Spring Traverson", "application/hal+json", asHAL, asHAL},
	{"Feign, vendor type", "application/vnd.hal+json", asHAL, asHAL},
	{"Firefox", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", asHTML, asHTML},
	{"Chrome", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7", asHTML, asHTML},
	{"Safari", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", asHTML, asHTML},
	{"lynx", "text/html, text/plain, text/sgml, text/css, application/xhtml+xml, */*;q=0.01", asHTML, asHTML},
	{"w3m", "text/html, text/*;q=0.5, image/*, application/*, audio/*, video/*", asHAL, asBolt},
	{"Java URLConnection", "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", asHTML, asHTML},
	{"browser fetch", "*/*", asHAL, asBolt},
	{"image tag", "image/avif,image/webp,*/*;q=0.5", asHAL, asBolt},
	{"EventSource", "text/event-stream", asHAL, asHAL},

	// Combinations of media types.
	{"hal+json through application/*", "application/*", asHAL, asBolt},
	{"hal+json of equal q", "application/json, application/hal+json", asHAL, asHAL},
	{"json above hal+json by q", "application/hal+json;q=0.8, application/json", asBolt, asBolt},
	{"json above the wildcard", "application/json, */*;q=0.8", asBolt, asBolt},
	{"json below the wildcard", "application/json;q=0.5, */*", asHAL, asHAL},
	{"forms and HAL of equal q", "application/hal+json, application/prs.hal-forms+json", asForms, asForms},
	{"forms below HAL", "application/hal+json, application/prs.hal-forms+json;q=0.9", asHAL, asHAL},
	{"forms as good as the wildcard", "application/prs.hal-forms+json, */*", asForms, asForms},
	{"forms below the wildcard", "application/prs.hal-forms+json;q=0.5, */*", asHAL, asBolt},
	{"forms above HAL but below HTML", "application/prs.hal-forms+json;q=0.5, text/html", asHTML, asHTML},
	{"forms and json", "application/prs.hal-forms+json, application/json", asForms, asForms},
	{"forms below json", "application/prs.hal-forms+json;q=0.5, application/json", asBolt, asBolt},
	{"forms are not meant by a wildcard", "application/hal+json;q=0.1, application/*;q=0.5, text/html;q=0.2", asBolt, asBolt},
	{"HTML and json of equal q", "application/json, text/html", asHTML, asHTML},
	{"HTML and the wildcard", "text/html, */*", asHAL, asBolt},
	{"text/*", "text/*", asHTML, asHTML},
	{"text/* says nothing about JSON", "text/*;q=0.9, application/json;q=0.8", asHTML, asHTML},

	// The most specific range decides.
	{"wildcard forbids, name allows", "*/*;q=0, application/json", asBolt, asBolt},
	{"a refused wildcard means nothing", "*/*;q=0, application/json, text/html", asHTML, asHTML},
	{"name forbids, wildcard allows", "application/hal+json;q=0, */*", asHTML, asBolt},
	{"application/* over */*", "application/*;q=0.1, */*", asHTML, asHTML},
	{"order does not matter", "*/*, application/*;q=0.1", asHTML, asHTML},
	{"name over application/*", "application/*;q=0.9, application/json;q=0.1, */*;q=0.5", asHAL, asHAL},
	{"HAL by name, json by wildcard", "application/hal+json, */*", asHAL, asHAL},
	{"json by name is refused", "application/json;q=0, */*", asHAL, asHAL},
	{"the higher of two names", "application/hal+json;q=0.1, application/vnd.hal+json;q=0.9, application/json;q=0.5", asHAL, asHAL},
	{"the same name twice", "application/json;version=1;q=0.1, application/json;version=2, text/html;q=0.5", asBolt, asBolt},
	{"the same name twice, the other way", "application/json, application/json;q=0.1, text/html;q=0.5", asBolt, asBolt},

	// Nothing fits: never 406.
	{"other type", "application/xml", asHAL, asHAL},
	{"all excluded", "*/*;q=0", asHAL, asHAL},
	{"all excluded by name", "application/hal+json;q=0, application/prs.hal-forms+json;q=0, text/html;q=0, application/json;q=0", asHAL, asHAL},
	{"zero of all kinds", "application/json;q=0.000, text/html;q=0., application/prs.hal-forms+json;q=.0", asHAL, asHAL},
	{"problem", "application/problem+json", asHAL, asHAL},

	// Unusual spelling.
	{"empty", "", asHAL, asBolt},
	{"blank", " \t ", asHAL, asBolt},
	{"commas", ", ,,", asHAL, asBolt},
	{"words", "json", asHAL, asBolt},
	{"words and a type", "json, application/json", asBolt, asBolt},
	{"blanks", "  application/json  ;  q=0.5 ,text/html ; q = 0.9 ", asHTML, asHTML},
	{"tabs", "application/json\t;\tq=0.1,\ttext/html;q=0.2", asHTML, asHTML},
	{"capital Q", "application/json;Q=0.1, text/html;q=0.2", asHTML, asHTML},
	{"mixed case", "Application/Prs.HAL-Forms+JSON", asForms, asForms},
	{"quoted comma", `text/html;q=0.5, application/json;profile="a,text/html;q=1,b"`, asBolt, asBolt},
	{"quoted semicolon", `application/json;profile="a;q=0", text/html;q=0.5`, asBolt, asBolt},
	{"quoted quote", `application/json;profile="a\";q=0;b", text/html;q=0.5`, asBolt, asBolt},
	{"open quote", `application/json;profile="a, text/html`, asBolt, asBolt},
	{"extension after q", "application/json;q=0.1;level=1;q=1, text/html;q=0.5", asHTML, asHTML},
	{"q is no number", "application/json;q=high, text/html;q=0.5", asBolt, asBolt},
	{"q is empty", "application/json;q=, text/html;q=0.5", asBolt, asBolt},
	{"q is negative", "application/json;q=-1, text/html;q=0.5", asBolt, asBolt},
	{"q has rubbish behind the point", "application/json;q=0.x, text/html;q=0.5", asBolt, asBolt},
	{"q above 1", "application/json;q=1.5, text/html", asHTML, asHTML},
	{"q far above 1", "application/json;q=99999999999999999999, text/html", asHTML, asHTML},
	{"three digits", "application/json;q=0.101, text/html;q=0.100", asBolt, asBolt},
	{"six digits", "application/json;q=0.100001, text/html;q=0.1", asBolt, asBolt},
	{"tiny q is no refusal", "application/json;q=0.0000000001", asBolt, asBolt},
	{"bare star", "*", asHAL, asBolt},
	{"star with a subtype is no range", "*/json, text/html;q=0.1", asHTML, asHTML},
	{"suffix wildcard is no range", "application/*+json", asHAL, asHAL},
	{"longer name", "application/jsonp, text/html;q=0.1", asHTML, asHTML},
}

func TestNegotiate(t *testing.T) {
	t.Parallel()
	for _, tt := range accepts {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := hal.Negotiate([]string{tt.accept}, hal.HAL); got != tt.want {
				t.Errorf("%q: %s, want %s", tt.accept, got, tt.want)
			}
			if got := hal.Negotiate([]string{tt.accept}, hal.CloudBolt); got != tt.cloudbolt {
				t.Errorf("%q, preferring CloudBolt: %s, want %s", tt.accept, got, tt.cloudbolt)
			}
		})
	}
}

func TestNegotiateHeaders(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		accept []string
		prefer hal.Shape
		want   hal.Representation
	}{
		{"none", nil, hal.HAL, asHAL},
		{"none, preferring CloudBolt", nil, hal.CloudBolt, asBolt},
		{"none, preferring forms is preferring HAL", nil, hal.HALForms, asHAL},
		{"several lines are one list", []string{"application/json;q=0.5", "", "text/html"}, hal.HAL, asHTML},
	} {
		if got := hal.Negotiate(tt.accept, tt.prefer); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestRepresentation(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		r           hal.Representation
		contentType string
		shape       hal.Shape
		name        string
	}{
		{hal.AsHAL, "application/hal+json", hal.HAL, "hal"},
		{hal.AsHALForms, "application/prs.hal-forms+json", hal.HALForms, "hal-forms"},
		{hal.AsHTML, "text/html; charset=utf-8", hal.HAL, "html"},
		{hal.AsCloudBolt, "application/json", hal.CloudBolt, "cloudbolt"},
	} {
		if tt.r.ContentType() != tt.contentType || tt.r.Shape() != tt.shape || tt.r.String() != tt.name {
			t.Errorf("%s: %s, shape %d", tt.r, tt.r.ContentType(), tt.r.Shape())
		}
	}
}

// TestContentTypeIsAccepted asks for each content type that responses have, and expects the same representation.
func TestContentTypeIsAccepted(t *testing.T) {
	t.Parallel()
	for _, r := range []hal.Representation{hal.AsHAL, hal.AsHALForms, hal.AsHTML, hal.AsCloudBolt} {
		for _, prefer := range []hal.Shape{hal.HAL, hal.CloudBolt} {
			if got := hal.Negotiate([]string{r.ContentType()}, prefer); got != r {
				t.Errorf("%s: %s", r.ContentType(), got)
			}
		}
	}
}

func TestNegotiateAllocates(t *testing.T) { // not parallel: AllocsPerRun counts for the process
	header := []string{"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"}
	if n := testing.AllocsPerRun(10, func() { hal.Negotiate(header, hal.HAL) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzNegotiate(f *testing.F) {
	for _, tt := range accepts {
		f.Add(tt.accept)
	}
	f.Fuzz(func(t *testing.T, accept string) {
		got := hal.Negotiate([]string{accept}, hal.HAL)
		if got > hal.AsCloudBolt {
			t.Fatalf("%q: %d", accept, got)
		}
		if upper := hal.Negotiate([]string{strings.ToUpper(accept)}, hal.HAL); isASCII(accept) && upper != got {
			t.Fatalf("%q: %s, in capitals %s", accept, got, upper)
		}
		if again := hal.Negotiate([]string{"", accept, " , "}, hal.HAL); again != got {
			t.Fatalf("%q: %s, with blanks %s", accept, got, again)
		}
		lower := strings.ToLower(accept)
		// No client gets HTML or HAL-FORMS without a range that covers it.
		if got == hal.AsHTML && !strings.Contains(lower, "text/") && !strings.Contains(lower, "*") {
			t.Fatalf("%q: HTML", accept)
		}
		if got == hal.AsHALForms && !strings.Contains(lower, "application/prs.hal-forms+json") {
			t.Fatalf("%q: forms", accept)
		}
		// The preference applies to wildcards and to headers without a readable range.
		list := []string{accept, "application/xml"}
		if old, strict := hal.Negotiate(list, hal.CloudBolt), hal.Negotiate(list, hal.HAL); old != strict && !strings.Contains(lower, "*") {
			t.Fatalf("%q: %s, preferring CloudBolt %s, without a wildcard", accept, strict, old)
		}
	})
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
