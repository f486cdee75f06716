package v2

import (
	"context"
	"time"

	"halcyon/hal"
	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/jsonbody"
	"halcyon/pkg/resource"
	"halcyon/pkg/schema"
	"halcyon/pkg/server"
)

// Limits of a snapshot, in characters: of its name, which is vCenter's, and of its
// description, which is ours.
const (
	maxSnapshotName = 80
	maxSnapshotText = 1024
)

func (f *Face) snapshots() resource.Resource[models.Snapshot] {
	type snapshot = models.Snapshot
	key := func(s *snapshot) *models.Row { return &s.Row }
	started := func(j *models.Job, err error) (resource.Result[snapshot], error) {
		if err != nil {
			return resource.Result[snapshot]{}, err
		}
		return resource.Result[snapshot]{Work: jobWork(j.ID)}, nil
	}
	return resource.Resource[snapshot]{
		Name: "snapshot", Plural: "snapshots", Noun: "Snapshots", Entity: server.Snapshots,
		Doc: "A state of a server that it can be brought back to.",
		Key: key, Title: func(s *snapshot) string { return s.Name }, TitleFrom: []string{"name"},
		Columns: []string{"name", "created", "server", "size", "current", "description"},
		Fields: []resource.Field[snapshot]{
			resource.Text("name", func(s *snapshot) string { return s.Name }, "Name.").On("name").Listed(),
			resource.ID(key),
			resource.Text("description", func(s *snapshot) string { return s.Description }, "What was said of it.").On("description").Listed(),
			resource.Time("created", func(s *snapshot) *time.Time { return &s.TakenAt }, "When it was taken.").On("taken_at").Listed(),
			resource.Value("size", snapshotSize, "What it takes in the back end, where that is known.").Typed(schema.Nullable(resource.MemoryJSON())).From("size_mb").Listed(),
			resource.Bool("current", func(s *snapshot) bool { return s.Current }, "Whether it was the last that was taken, or gone back to.").On("current").Listed(),
			resource.Text("global-id", func(s *snapshot) string { return s.GlobalID }, "Id that tells the kind as well.").On("global_id"),
			resource.Text("uuid", func(s *snapshot) string { return s.UUID }, "Id that is unique everywhere.").On("uuid"),
		},
		Relations: []resource.Relation[snapshot]{
			resource.One("server", "servers", "server", func(s *snapshot) models.ID { return s.ServerID }, "Server whose state it is."),
		},
		Actions: []resource.Action[snapshot]{{
			Rel: "revert", Title: "Revert to", Doc: "Brings the server back to it. What was done since is lost; the snapshot stays.", Can: server.CanRevert, Results: resource.Results{resource.ToWork("jobs")},
			Do: func(ctx context.Context, a access.Actor, ref string, n *jsonbody.Value) (resource.Result[snapshot], error) {
				n.Done()
				if err := n.Faults().Err(); err != nil {
					return resource.Result[snapshot]{}, err
				}
				return started(f.Servers.Revert(ctx, a, ref))
			},
		}},
		List: f.Servers.ListSnapshots, Find: f.Servers.FindSnapshot,
		CanDelete: server.CanRemoveSnapshot, DeleteResults: resource.Results{resource.ToWork("jobs")},
		Delete: func(ctx context.Context, a access.Actor, ref string) (resource.Result[snapshot], error) {
			return started(f.Servers.RemoveSnapshot(ctx, a, ref))
		},
	}
}

func snapshotSize(s *models.Snapshot) hal.Value {
	if s.SizeMB == 0 {
		return hal.Null()
	}
	return hal.String(resource.GB(int(s.SizeMB)))
}

// snapshotsSub are the snapshots of one server.
func snapshotsSub() resource.Sub[models.Server] {
	return resource.Sub[models.Server]{
		Path: "snapshots", Rel: "cb:snapshots", Alias: "snapshots", Of: "snapshots", Relation: "snapshots", Doc: "States that it can be brought back to.",
		Title: func(s *models.Server) string { return "Snapshots Of " + s.Hostname },
	}
}

// readSnapshot reads the settings of a new snapshot.
func readSnapshot(n *jsonbody.Value) models.JobArgs {
	return models.JobArgs{
		Name: n.Field("name").TextUpTo(maxSnapshotName), Text: n.Field("description").TextUpTo(maxSnapshotText),
		Memory: n.Field("memory").Bool(),
	}
}

func snapshotForm(_ context.Context, _ access.Actor, s *models.Server) ([]hal.TemplateProperty, error) {
	form := []hal.TemplateProperty{
		{Name: "name", Prompt: "Name", Type: "text", MaxLength: maxSnapshotName},
		{Name: "description", Prompt: "Description", Type: "text", MaxLength: maxSnapshotText},
	}
	if s.PowerStatus == models.PowerOn {
		form = append(form, hal.TemplateProperty{Name: "memory", Prompt: "With its memory", Type: "checkbox"})
	}
	return form, nil
}
