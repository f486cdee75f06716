package jsonbody

import "halcyon/models"

// Input reads a question that a blueprint or an action asks, in the form in which
// documents show it: an object of name, type, label and so on. It is a text unless
// its type says otherwise; whether it makes sense is for models.Input to say.
func (n *Value) Input() models.Input {
	in := models.Input{
		Name: n.Field("name").Text(), Type: models.InputType(n.Field("type").Text()),
		Label: n.Field("label").Text(), Description: n.Field("description").Text(),
		Required: n.Field("required").Bool(), Default: n.Field("default").Text(),
		Options: n.Field("options").Texts(), Pattern: n.Field("pattern").Text(),
	}
	if len(in.Options) == 0 {
		in.Options = nil
	}
	if v := n.Field("minimum"); v.Present() {
		in.Minimum = new(v.Int())
	}
	if v := n.Field("maximum"); v.Present() {
		in.Maximum = new(v.Int())
	}
	if in.Type == "" {
		in.Type = models.InputText
	}
	n.Done()
	return in
}
