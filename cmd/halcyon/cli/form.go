package cli

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"halcyon/cmd/halcyon/cli/client"
)

// pair is a value that was given for a field of a form.
type pair struct{ name, value string }

// pairs reads what is written as NAME=VALUE.
func pairs(words []string) ([]pair, error) {
	list := make([]pair, len(words))
	for i, w := range words {
		name, value, ok := strings.Cut(w, "=")
		if !ok || name == "" {
			return nil, client.Errorf(client.Usage, "%q is not written as NAME=VALUE.", client.Plain(w))
		}
		list[i] = pair{name, value}
	}
	return list, nil
}

// fill fills in a form: with what is given, then with what the form begins with,
// and, on a terminal, with the answers to questions for what is still missing. Of
// a form that changes something only what is given is sent.
func (sh *shell) fill(t client.Template, given []pair) (client.Object, error) {
	values, err := match(t, given)
	if err != nil {
		return nil, err
	}
	body := client.Object{}
	var missing []string
	for _, p := range t.Properties {
		v, ok := values[p.Name]
		switch {
		case ok:
		case t.Method == http.MethodPatch || p.ReadOnly:
			continue
		case p.Value != nil && client.Text(p.Value) != "":
			body = append(body, client.Member{Name: p.Name, Value: fitting(p, client.Text(body.Get("group")))})
			continue
		case !p.Required:
			continue
		default:
			answer, err := sh.askFor(p)
			if err != nil {
				return nil, err
			}
			if answer == "" {
				missing = append(missing, p.Name)
				continue
			}
			v = []string{answer}
		}
		body = append(body, client.Member{Name: p.Name, Value: typed(p, v)})
	}
	if len(missing) > 0 {
		return nil, client.Errorf(client.Usage, "%s: missing %s.", title(t), client.Plain(strings.Join(missing, ", ")))
	}
	return body, nil
}

// fitting returns what a field begins with; where that does not go with the group that
// is chosen, the first choice that does.
func fitting(p client.Property, group string) any {
	fits := func(o client.Option) bool { return group == "" || len(o.For) == 0 || slices.Contains(o.For, group) }
	at := slices.IndexFunc(p.Options, func(o client.Option) bool { return o.Value == client.Text(p.Value) })
	if at < 0 || fits(p.Options[at]) {
		return p.Value
	}
	if at = slices.IndexFunc(p.Options, fits); at < 0 {
		return p.Value
	}
	return p.Options[at].Value
}

func title(t client.Template) string { return client.Plain(t.Title) }

// match finds the fields that the values are for.
func match(t client.Template, given []pair) (map[string][]string, error) {
	same := func(a, b string) bool { return strings.ReplaceAll(a, "_", "-") == strings.ReplaceAll(b, "_", "-") }
	values := map[string][]string{}
	for _, g := range given {
		i := slices.IndexFunc(t.Properties, func(p client.Property) bool { return p.Name == g.name })
		if i < 0 {
			i = slices.IndexFunc(t.Properties, func(p client.Property) bool { return same(p.Name, g.name) })
		}
		if i < 0 {
			known := make([]string, len(t.Properties))
			for i, p := range t.Properties {
				known[i] = p.Name
			}
			has := "nothing to fill in"
			if len(known) > 0 {
				has = strings.Join(known, ", ")
			}
			return nil, client.Errorf(client.Usage, "%s: there is no %s in its form, which has %s.", title(t), client.Plain(g.name), client.Plain(has))
		}
		p := t.Properties[i]
		if len(values[p.Name]) > 0 && !p.Many {
			return nil, client.Errorf(client.Usage, "%s: %s is given twice.", title(t), client.Plain(p.Name))
		}
		values[p.Name] = append(values[p.Name], g.value)
	}
	return values, nil
}

// askFor asks for the value of a field, "" when there is nobody to ask.
func (sh *shell) askFor(p client.Property) (string, error) {
	if _, ok := sh.terminal(); !ok {
		return "", nil
	}
	prompt := p.Prompt
	if prompt == "" {
		prompt = p.Name
	}
	for i, o := range p.Options {
		sh.say("  %d  %s", i+1, o.Prompt)
	}
	answer, err := sh.ask(prompt+":", p.Type == "password")
	if err != nil {
		return "", err
	}
	for i, o := range p.Options {
		if answer == fmt.Sprint(i+1) {
			return o.Value, nil
		}
	}
	return answer, nil
}

var isNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?$`)

// typed makes the value that the server gets.
func typed(p client.Property, texts []string) any {
	if p.Many {
		list := []any{}
		for _, text := range texts {
			for _, one := range strings.Split(text, ",") {
				list = append(list, chosen(p, strings.TrimSpace(one)))
			}
		}
		return list
	}
	text := chosen(p, texts[0])
	switch {
	case p.Type == "number" && isNumber.MatchString(text):
		return json.Number(text)
	case p.Type == "checkbox" && (text == "true" || text == "false"):
		return text == "true"
	}
	return text
}

// chosen returns the value of the option that is meant, which may be said by what
// people read, without what stands in brackets.
func chosen(p client.Property, text string) string {
	for _, same := range []func(client.Option) bool{
		func(o client.Option) bool { return o.Value == text },
		func(o client.Option) bool { return strings.EqualFold(o.Prompt, text) },
		func(o client.Option) bool {
			short, _, _ := strings.Cut(o.Prompt, " (")
			return strings.EqualFold(short, text)
		},
	} {
		if i := slices.IndexFunc(p.Options, same); i >= 0 {
			return p.Options[i].Value
		}
	}
	return text
}
