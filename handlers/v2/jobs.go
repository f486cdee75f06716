package v2

import (
	"archive/zip"
	"bytes"
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"halcyon/hal"
	"halcyon/handlers/halserver"
	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/job"
	"halcyon/pkg/jsonbody"
	"halcyon/pkg/resource"
	"halcyon/pkg/web"
)

func (f *Face) jobs() resource.Resource[models.Job] {
	key := func(j *models.Job) *models.Row { return &j.Row }
	log := func(path, title string) func(string, *models.Job) (hal.Link, bool) {
		return func(base string, j *models.Job) (hal.Link, bool) {
			return hal.Link{Href: base + "/jobs/" + j.ID.String() + "/" + path, Title: title}, true
		}
	}
	do := func(run func(context.Context, access.Actor, models.ID) (*models.Job, error)) func(context.Context, access.Actor, string, *jsonbody.Value) (resource.Result[models.Job], error) {
		return func(ctx context.Context, a access.Actor, ref string, n *jsonbody.Value) (resource.Result[models.Job], error) {
			n.Done()
			if err := n.Faults().Err(); err != nil {
				return resource.Result[models.Job]{}, err
			}
			j, err := f.Jobs.Find(ctx, a, ref)
			if err != nil {
				return resource.Result[models.Job]{}, err
			}
			if _, err := run(ctx, a, j.ID); err != nil {
				return resource.Result[models.Job]{}, err
			}
			j, err = f.Jobs.Find(ctx, a, ref)
			return resource.Result[models.Job]{Row: j}, err
		}
	}
	titles := map[string]string{}
	for _, t := range models.JobTypes {
		titles[strings.ToLower(t.Title())] = string(t)
	}
	return resource.Resource[models.Job]{
		Name: "job", Plural: "jobs", Noun: "Jobs", Entity: job.Jobs,
		Doc: "A piece of work and its progress. A parent's status follows from its children's.",
		Key: key, Title: (*models.Job).Title,
		Columns: []string{"id", "type", "status", "owner.username", "order", "create-date", "end-date"},
		Fields: append([]resource.Field[models.Job]{
			resource.ID(key),
			resource.Text("name", (*models.Job).Title, "The title, for filters and attributes.").Over("title", "id").OnDemand(),
			resource.Enum("status", models.JobStatuses, func(j *models.Job) models.JobStatus { return j.Status }, "Step in the life of the job.").On("status").Listed(),
			resource.Enum("type", models.JobTypes, func(j *models.Job) models.JobType { return models.JobType(j.Type.Title()) }, "What the job does. Filters use the codes deploy_blueprint, provision, decom, modify, sync_vms, action.").Typed(jobTypesJSON()).On("type").Listed().Codes(titles),
			resource.Value("progress", progress, "Tasks in all, tasks completed, and the messages so far.").Typed(progressJSON()).From("total_tasks", "completed_tasks"),
			resource.Time("create-date", func(j *models.Job) *time.Time { return &j.CreatedAt }, "When the job was made.").On("created_at"),
			resource.Time("start-date", func(j *models.Job) *time.Time { return j.StartedAt }, "When work began.").On("started_at"),
			resource.Time("end-date", func(j *models.Job) *time.Time { return j.EndedAt }, "When work ended.").On("ended_at"),
			resource.Text("output", jobOutput, "What came of it.").From("output", "server_id", "type"),
			resource.Text("errors", func(j *models.Job) string { return j.Errors }, "Why it failed.").From("errors"),
			resource.Text("action", func(j *models.Job) string { return j.Action }, "Which action, of a job that runs one.").On("action"),
			resource.Int("attempts", func(j *models.Job) int64 { return int64(j.Attempts) }, "How often it was begun.").On("attempts"),
		}, resource.Identity(key)...),
		Relations: []resource.Relation[models.Job]{
			resource.One("owner", "users", "owner", func(j *models.Job) models.ID { return j.OwnerID }, "On whose behalf it runs."),
			resource.One("group", "groups", "group", func(j *models.Job) models.ID { return j.GroupID }, "Group that it works for.").Optional(),
			resource.One("parent", "jobs", "parent", func(j *models.Job) models.ID { return j.ParentID }, "Job that it is a part of."),
			resource.Many[models.Job]("subjobs", "jobs", "subjobs", "Its parts."),
			resource.One("prerequisite", "jobs", "prerequisite", func(j *models.Job) models.ID { return j.PrerequisiteID }, "Job that ends before this one begins."),
			resource.Many[models.Job]("dependent-jobs", "jobs", "dependent_jobs", "Jobs that wait for this one."),
			resource.One("order", "orders", "order", func(j *models.Job) models.ID { return j.OrderID }, "Order that it makes real."),
			resource.One("resource", "resources", "service", func(j *models.Job) models.ID { return j.ServiceID }, "Deployed blueprint that it works on."),
			resource.One("resource-handler", "resource-handlers", "handler", func(j *models.Job) models.ID { return j.HandlerID }, "Back end that it works in.").Optional(),
			resource.Many[models.Job]("servers", "servers", "servers", "Servers that it works on."),
			resource.Path("raw-log", log("log-download-txt/", "Log as text"), "The whole log as text.").Within("log_urls"),
			resource.Path("zip-log", log("log-download/", "Log as zip"), "The whole log as a zip file.").Within("log_urls"),
			eventsAbout("jobs", func(j *models.Job) models.ID { return j.ID }, "What happens to it and to its parts; see events."),
		},
		Subs: []resource.Sub[models.Job]{
			historySub((*models.Job).Title),
		},
		Actions: []resource.Action[models.Job]{
			{Rel: "cancel", Title: "Cancel", Doc: "Stops the job; what it had begun is undone.", Can: job.CanCancel, Do: do(f.Jobs.Cancel)},
			{Rel: "retry", Title: "Retry", Doc: "Goes on from the step that failed.", Can: job.CanRetry, Do: do(f.Jobs.Retry)},
		},
		Display: &resource.Display[models.Job]{
			Attributes: []string{"owner.username"},
			Lists: []resource.Listing{
				{Rel: "subjobs", Query: "attributes=progress,start-date,end-date,action,errors&order=id&page_size=100"},
				{Rel: "servers", Query: "attributes=status,power-status,ip,cpu-cnt,mem-size&order=id&page_size=100"},
				{Rel: "history", Query: "order=-id&page_size=30"},
			},
		},
		// Whether a job that ended badly can be retried depends on what it worked on.
		Started: &resource.Started{Doc: "Work has begun: the job to watch."},
		List:    f.Jobs.List, Find: f.Jobs.Find,
	}
}

func progress(j *models.Job) hal.Value {
	messages := make([]string, len(j.Messages))
	for i, m := range j.Messages {
		messages[i] = m.Message
	}
	return hal.Object([]hal.Prop{
		{Name: "total-tasks", Value: hal.Int(int64(j.TotalTasks))},
		{Name: "completed", Value: hal.Int(int64(j.CompletedTasks))},
		{Name: "messages", Value: hal.Strings(messages)},
	})
}

// jobOutput always names the server of a job that creates one: clients parse its id from
// the text.
func jobOutput(j *models.Job) string {
	if j.Type != models.JobProvision || j.ServerID == 0 || strings.Contains(j.Output, "(ID ") {
		return j.Output
	}
	return strings.TrimSpace("Server (ID " + j.ServerID.String() + ")\n" + j.Output)
}

// logText answers a job's log as text.
func (f *Face) logText(c echo.Context) error {
	if err := halserver.NoQuery(c); err != nil {
		return err
	}
	_, text, err := f.Jobs.LogOf(c.Request().Context(), web.Actor(c), c.Param("id"))
	if err != nil {
		return err
	}
	return c.Blob(http.StatusOK, "text/plain; charset=utf-8", []byte(text))
}

// logZip answers a job's log as a zip file.
func (f *Face) logZip(c echo.Context) error {
	if err := halserver.NoQuery(c); err != nil {
		return err
	}
	j, text, err := f.Jobs.LogOf(c.Request().Context(), web.Actor(c), c.Param("id"))
	if err != nil {
		return err
	}
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	name := "job-" + j.ID.String()
	w, err := z.Create(name + ".log")
	if err != nil {
		return err
	}
	if _, err := w.Write([]byte(text)); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	c.Response().Header().Set(echo.HeaderContentDisposition, "attachment; filename="+name+".zip")
	return c.Blob(http.StatusOK, "application/zip", buf.Bytes())
}

// relatedJobs declares the jobs of something below it, which title names.
func relatedJobs[T any](title func(*T) string) resource.Sub[T] {
	return resource.Sub[T]{
		Path: "related-jobs", Rel: "jobs", Of: "jobs", Relation: "jobs", Doc: "Jobs that worked on it.",
		Title: func(row *T) string { return "Jobs Of " + title(row) },
	}
}

// jobWork is work that a job does.
func jobWork(id models.ID) resource.Work { return resource.Work{Of: "jobs", ID: id} }
