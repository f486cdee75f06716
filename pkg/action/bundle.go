package action

import (
	"context"
	"slices"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/bundle"
	"halcyon/pkg/fault"
	"halcyon/pkg/jsonbody"
	"halcyon/pkg/store"
)

// actionFile is an action in an exported file, without its secret and headers: the
// importing installation sets its own.
type actionFile struct {
	Name        string            `json:"name"`
	Description string            `json:"description,omitempty"`
	Kind        models.ActionKind `json:"type"`
	BuiltIn     models.BuiltIn    `json:"built-in,omitempty"`
	Settings    []models.Param    `json:"settings,omitempty"`
	Inputs      []models.Input    `json:"inputs"`
	URL         string            `json:"url,omitempty"`
	Timeout     int               `json:"timeout,omitempty"`
}

// Export returns an action as a file for another installation. It is for callers who may change the action.
func (s *Service) Export(ctx context.Context, a access.Actor, ref string) (bundle.Manifest, error) {
	x, err := s.Actions.Find(ctx, a, ref)
	if err != nil {
		return bundle.Manifest{}, err
	}
	if err := s.Actions.CanUpdate(a, x); err != nil {
		return bundle.Manifest{}, err
	}
	file := actionFile{
		Name: x.Name, Description: x.Description, Kind: x.Kind, BuiltIn: x.BuiltIn, Settings: x.Settings,
		Inputs: append([]models.Input{}, x.Inputs...), URL: x.URL, Timeout: x.Timeout,
	}
	return bundle.Manifest{Kind: models.ObjectAction, Name: x.Name, Content: file}, nil
}

// Import creates an action from a file, or replaces the one with the same name if replace
// is set, which keeps its secret and headers. It reports whether it replaced one. It
// returns Invalid, with the faulty members, for a bad file, and Conflict if the name is
// taken.
func (s *Service) Import(ctx context.Context, a access.Actor, n *jsonbody.Value, replace bool) (x *models.Action, replaced bool, err error) {
	if err := s.Actions.CanCreate(a, &models.Action{}); err != nil {
		return nil, false, err
	}
	file := readFile(n)
	if err := n.Faults().Err(); err != nil {
		return nil, false, err
	}
	x, replaced, err = s.Actions.Import(ctx, a, file.Name, replace, func(_ *store.Tx, x *models.Action) error {
		x.Name, x.Description, x.Kind, x.BuiltIn = file.Name, file.Description, file.Kind, file.BuiltIn
		x.Settings, x.Inputs, x.URL, x.Timeout = file.Settings, slices.Clone(file.Inputs), file.URL, file.Timeout
		return nil
	})
	if fault.Is(err, fault.Invalid) {
		// The paths of these faults are relative to the row.
		n.Faults().AddErr(n.Path(), err)
		err = n.Faults().Err()
	}
	return x, replaced, err
}

func readFile(n *jsonbody.Value) actionFile {
	const most = 4096
	file := actionFile{
		Name: n.Field("name").TextUpTo(most), Description: n.Field("description").TextUpTo(most),
		Kind: models.ActionKind(n.Field("type").Text()), BuiltIn: models.BuiltIn(n.Field("built-in").Text()),
		URL: n.Field("url").TextUpTo(most), Inputs: []models.Input{}, Timeout: models.DefaultActionTimeout,
	}
	if v := n.Field("timeout"); v.Present() {
		file.Timeout = int(min(max(v.Int(), 0), models.MaxActionTimeout+1))
	}
	for _, x := range n.Field("settings").List() {
		file.Settings = append(file.Settings, models.Param{Name: x.Field("name").Text(), Value: x.Field("value").Text()})
		x.Done()
	}
	for _, x := range n.Field("inputs").List() {
		file.Inputs = append(file.Inputs, x.Input())
	}
	n.Done()
	return file
}
