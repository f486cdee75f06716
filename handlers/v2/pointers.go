package v2

import (
	"slices"

	"halcyon/handlers/halserver"
	"halcyon/models"
	"halcyon/pkg/catalog"
	"halcyon/pkg/fault"
	"halcyon/pkg/jsonbody"
)

// This file translates the domain paths of errors into places in the bodies of this API:
// bodies of orders, of single items, and of the forms with flat members.

const (
	buildItem     = "build-item-"
	itemArguments = "blueprint-items-arguments"
)

// itemMember returns the name of the items of a kind, as a member of "items".
func itemMember(k models.ItemKind) string { return string(k) + "-items" }

// names is how this API calls places: by those in the body of an order.
var names = halserver.Names{Body: func(p fault.Path) fault.Path { return inBody(p, "") }}

// inBody returns the path through the members of a body: that of an order, or of one
// item of a kind.
func inBody(p fault.Path, kind models.ItemKind) fault.Path {
	var out fault.Path
	server := kind == models.ItemProv // the path is about parameters of a server
	for _, s := range p {
		switch s.Kind {
		case fault.KindItem:
			kind, server = models.ItemKind(s.Name), s.Name == string(models.ItemProv)
			out = out.Member("items").Member(itemMember(kind)).Entry(s.Index)
			continue
		case fault.KindBuildItem:
			server, kind = true, ""
			out = out.Member(itemArguments).Member(buildItem + s.Name)
			continue
		case fault.KindParameter:
			parameters := "parameters"
			if kind == models.ItemDeploy {
				parameters = "resource-parameters"
			}
			out = out.Member(parameters).Member(s.Name)
		case fault.KindMember:
			if server && (s.Name == "hostname" || s.Name == "quantity") {
				out = out.Member("attributes")
			}
			out = out.Member(s.Name)
		case fault.KindEntry:
			out = out.Entry(s.Index)
		case fault.KindArgument:
		}
		server = false
	}
	return out
}

// moved returns err with its fields at other places of the body, without duplicates.
func moved(err error, to func(fault.Path) fault.Path) error {
	e := fault.From(err)
	if e.Code != fault.Invalid || e.Message != "" || len(e.Fields) == 0 {
		return err
	}
	out := &fault.Error{Code: e.Code, Detail: e.Detail, Cause: e.Cause}
	for _, x := range e.Fields {
		x.Path = to(x.Path)
		same := func(y fault.Field) bool { return y.Path.Equal(x.Path) && y.Text(names) == x.Text(names) }
		if !slices.ContainsFunc(out.Fields, same) {
			out.Fields = append(out.Fields, x)
		}
	}
	return out
}

// inItem is for bodies that are one item of a kind.
func inItem(kind models.ItemKind) func(fault.Path) fault.Path {
	return func(p fault.Path) fault.Path { return inBody(p, kind) }
}

// inModification translates for the body of a change of one server, whose parameters may
// stand beside its other members.
func inModification(n *jsonbody.Value) func(fault.Path) fault.Path {
	return func(p fault.Path) fault.Path {
		if s := p.Last(); s.Kind == fault.KindParameter && !n.At("parameters").Present() {
			return fault.Member(s.Name)
		}
		return p
	}
}

// inOrderForm is for the order form of a blueprint, which orders one item.
func inOrderForm(b *models.Blueprint, n *jsonbody.Value) func(fault.Path) fault.Path {
	return func(p fault.Path) fault.Path {
		if len(p) < 2 || p[0].Kind != fault.KindItem || p[0].Name != string(models.ItemDeploy) || p[0].Index != 0 {
			return p
		}
		last := p.Last()
		switch {
		case last.Kind == fault.KindParameter:
			if in, has := b.Input(last.Name); has {
				return fault.Member(inputMember(in))
			}
			if it, has := b.Item(p[1].Name); has && p[1].Kind == fault.KindBuildItem {
				return fault.Member(tierMembers(b, it, last.Name)[0])
			}
			return fault.Member(last.Name)
		case len(p) == 2 && last.Name == "blueprint": // it is open to groups: the group was chosen wrongly
			return fault.Member("group")
		case len(p) == 3 && p[1].Kind == fault.KindBuildItem:
			return fault.Member(tierMember(b, n, p[1].Name, last.Name))
		}
		return p
	}
}

// questionMember returns the member of an order form that answers a question of the
// blueprint.
func questionMember(b *models.Blueprint, p fault.Path) string {
	switch last := p.Last(); {
	case last.Kind == fault.KindParameter && p[0].Kind == fault.KindBuildItem:
		it, _ := b.Item(p[0].Name)
		return tierMembers(b, it, last.Name)[0]
	case last.Kind == fault.KindParameter:
		in, _ := b.Input(last.Name)
		return inputMember(in)
	case len(p) == 1 && last.Name == "name":
		return "service-name"
	case len(p) == 1:
		return last.Name
	case last.Name == "environment":
		return p[0].Name + "." + last.Name
	default:
		i := slices.IndexFunc(b.Items, func(it models.BlueprintItem) bool { return it.Name == p[0].Name })
		return tierMembers(b, &b.Items[i], last.Name)[0]
	}
}

// tierMember returns the member of an order form that is about a build item.
func tierMember(b *models.Blueprint, n *jsonbody.Value, item, what string) string {
	own := item + "." + what
	i := slices.IndexFunc(b.Items, func(it models.BlueprintItem) bool { return it.Name == item })
	switch {
	case i < 0:
	case what == "environment" && !n.At(own).Present():
		return what
	case what != "quantity" && catalog.InputTakesPlace(b, what):
		in, _ := b.Input(what)
		return inputMember(in)
	case what != "environment":
		return tierMembers(b, &b.Items[i], what)[0]
	}
	return own
}
