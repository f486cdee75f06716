// Package job runs the work of orders and actions. The tables jobs and job_steps hold
// its state. Each process keeps in memory the jobs that need attention and their times
// (Queue), and processes notify each other by signals. Lost or repeated signals do no
// harm: a worker leases each step, and the engine searches the database periodically
// for jobs without a signal.
//
// Rows are locked in one order: an order, then a parent job, then its child, then the
// child's object.
package job

import (
	"fmt"
	"log/slog"
	"slices"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/history"
	"halcyon/pkg/provider"
	"halcyon/pkg/store"
)

// Spec describes a new job.
type Spec struct {
	Type           models.JobType
	ParentID       models.ID
	PrerequisiteID models.ID // ends before this one starts
	OrderID        models.ID
	Stage          int // see models.Job
	OrderItemID    models.ID
	OwnerID        models.ID
	GroupID        models.ID
	HandlerID      models.ID
	ServerID       models.ID
	ServiceID      models.ID
	Action         string
	Args           models.JobArgs
}

// Hook is called in the transaction in which a job ends or begins again, with
// the job's row (and its parent's and order's) locked.
type Hook func(tx *store.Tx, j *models.Job) error

// Service inserts, cancels and retries jobs. The Engine runs them.
type Service struct {
	store    *store.Store
	dispatch Dispatcher
	log      *slog.Logger
	kinds    map[models.JobType]Kind
	onEnd    []Hook
	onRetry  []Hook
	counts   counters
}

// New returns the service. Kinds and hooks are added before anything is inserted.
func New(s *store.Store, d Dispatcher, log *slog.Logger) *Service {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Service{store: s, dispatch: d, log: log, kinds: map[models.JobType]Kind{}}
}

// Register sets the kind of a type of jobs. Every process needs all kinds, even if it
// runs no jobs: canceling a waiting job calls its kind.
func (s *Service) Register(t models.JobType, k Kind) { s.kinds[t] = k }

// Kind returns the registered kind of a type, for kinds that wrap another, or Base.
func (s *Service) Kind(t models.JobType) Kind { return s.kind(t) }

// OnEnd has fn called in every transaction in which a job, leaf or parent, ends.
func (s *Service) OnEnd(fn Hook) { s.onEnd = append(s.onEnd, fn) }

// OnRetry has fn called in every transaction in which a job that had ended,
// leaf or parent, begins again.
func (s *Service) OnRetry(fn Hook) { s.onRetry = append(s.onRetry, fn) }

// InsertTx inserts the job and dispatches it when the transaction commits. A parent
// only exists for its children; a job whose prerequisite is open waits.
func (s *Service) InsertTx(tx *store.Tx, spec Spec) (*models.Job, error) {
	j, err := spec.job()
	if err != nil {
		return nil, err
	}
	dispatch, err := ready(tx, j)
	if err != nil {
		return nil, err
	}
	if err := store.Insert(tx, j); err != nil {
		return nil, fmt.Errorf("insert a job: %w", err)
	}
	if j.ParentID != 0 {
		if err := s.grow(tx, j.ParentID); err != nil {
			return nil, err
		}
	}
	if dispatch {
		if err := s.wake(tx, j); err != nil {
			return nil, err
		}
	}
	return j, nil
}

// ready makes a new job wait for its prerequisite and for the earlier stages, as far as
// they are open. It reports whether a worker can look at the job.
func ready(tx *store.Tx, j *models.Job) (bool, error) {
	leaf := j.Type != models.JobDeploy
	if j.PrerequisiteID == 0 {
		before, err := blocker(tx, j)
		if err != nil || before == nil {
			return leaf, err
		}
		j.PrerequisiteID = before.ID
	}
	before, err := lockJob(tx, j.PrerequisiteID)
	if err != nil {
		return false, fmt.Errorf("prerequisite: %w", err)
	}
	if endedWell(before.Status) {
		return leaf, nil
	}
	j.Status = models.JobPending
	return leaf && before.Ended(), nil // to find out that it cannot begin
}

// blocker returns a job of an earlier stage below the same parent that has not ended well,
// nil if there is none. One that failed comes before the open ones: with it the job cannot
// start any more.
func blocker(tx *store.Tx, j *models.Job) (*models.Job, error) {
	if j.Stage == 0 || j.ParentID == 0 {
		return nil, nil
	}
	list, err := store.Find[models.Job](tx.Where("parent_id = ? AND stage < ? AND status NOT IN ?", j.ParentID, j.Stage, []models.JobStatus{models.JobSuccess, models.JobWarning}).
		Order("CASE WHEN status IN ('" + string(models.JobFailure) + "', '" + string(models.JobCanceled) + "') THEN 0 ELSE 1 END, id DESC").Limit(1))
	if err != nil {
		return nil, fmt.Errorf("earlier stages of job %s: %w", j.ID, err)
	}
	if len(list) == 0 {
		return nil, nil
	}
	return &list[0], nil
}

// prerequisite returns the job that j waits for, or that fails it: its prerequisite, or
// else a job of an earlier stage, which becomes its prerequisite. It returns nil if there
// is none. The caller saves j.
func prerequisite(tx *store.Tx, j *models.Job) (*models.Job, error) {
	if j.PrerequisiteID != 0 {
		before, err := store.First[models.Job](tx.Where("id = ?", j.PrerequisiteID))
		if err != nil {
			return nil, fmt.Errorf("prerequisite of job %s: %w", j.ID, err)
		}
		if !endedWell(before.Status) {
			return before, nil
		}
	}
	before, err := blocker(tx, j)
	if before != nil {
		j.PrerequisiteID = before.ID
	}
	return before, err
}

// InsertTreeTx writes a parent and its children like InsertTx, and returns the parent
// and then the children, which have to be in the order of their stages. Before is called
// for each child after the parent was inserted, and may insert the child's prerequisite.
func (s *Service) InsertTreeTx(tx *store.Tx, parent Spec, children []Spec, before func(i int, child *Spec) error) ([]*models.Job, error) {
	top, err := parent.job()
	if err != nil {
		return nil, err
	}
	top.TotalTasks = len(children)
	if err := store.Insert(tx, top); err != nil {
		return nil, fmt.Errorf("insert a job: %w", err)
	}
	jobs, awake := append(make([]*models.Job, 0, len(children)+1), top), make([]*models.Job, 0, len(children))
	for i, spec := range children {
		spec.ParentID = top.ID
		if err := before(i, &spec); err != nil {
			return nil, err
		}
		j, err := spec.job()
		if err != nil {
			return nil, err
		}
		dispatch, err := ready(tx, j)
		if err != nil {
			return nil, err
		}
		if err := store.Insert(tx, j); err != nil {
			return nil, fmt.Errorf("insert a job: %w", err)
		}
		jobs = append(jobs, j)
		if dispatch {
			awake = append(awake, j)
		}
	}
	for _, j := range awake {
		if err := s.wake(tx, j); err != nil {
			return nil, err
		}
	}
	return jobs, nil
}

// job returns the row of a job without a prerequisite.
func (spec *Spec) job() (*models.Job, error) {
	if !slices.Contains(models.JobTypes, spec.Type) {
		return nil, fault.Invalidf("There is no type of job %q.", spec.Type)
	}
	return &models.Job{
		Type: spec.Type, Status: models.JobQueued,
		ParentID: spec.ParentID, PrerequisiteID: spec.PrerequisiteID, Stage: spec.Stage,
		OrderID: spec.OrderID, OrderItemID: spec.OrderItemID,
		OwnerID: spec.OwnerID, GroupID: spec.GroupID,
		HandlerID: spec.HandlerID, ServerID: spec.ServerID, ServiceID: spec.ServiceID,
		Action: spec.Action, Args: spec.Args,
	}, nil
}

// grow counts a new child in its parent. The version stays: the code that inserts the
// tree may still hold the parent's row.
func (s *Service) grow(tx *store.Tx, parent models.ID) error {
	p, err := lockJob(tx, parent)
	if err != nil {
		return fmt.Errorf("parent: %w", err)
	}
	if p.Ended() {
		return fault.Conflictf("The job %s has ended and takes no more children.", parent)
	}
	err = tx.Model(&models.Job{}).Where("id = ?", parent).UpdateColumn("total_tasks", p.TotalTasks+1).Error
	return store.Fault(err)
}

// wake has a worker look at the job when the transaction has committed.
func (s *Service) wake(tx *store.Tx, j *models.Job) error {
	if err := s.dispatch.WakeTx(tx, j.ID, priority(j.Type)); err != nil {
		return fmt.Errorf("dispatch job %s: %w", j.ID, err)
	}
	return nil
}

// lowestPriority is the priority of jobs that can wait.
const lowestPriority = 3

// priority returns the priority of a type of jobs: 1, the highest, for those that
// people wait for.
func priority(t models.JobType) int {
	switch t {
	case models.JobAction:
		return 1
	case models.JobSyncVMs:
		return lowestPriority
	case models.JobDeploy, models.JobProvision, models.JobDecom, models.JobModify:
		return 2
	}
	return 2
}

func endedWell(s models.JobStatus) bool {
	return s == models.JobSuccess || s == models.JobWarning
}

// open are the statuses of jobs to which something still happens.
var open = []models.JobStatus{models.JobPending, models.JobQueued, models.JobRunning, models.JobToCancel}

// lockJob reads a job and locks its row.
func lockJob(tx *store.Tx, id models.ID) (*models.Job, error) {
	j, err := store.First[models.Job](tx.ForUpdate().Where("id = ?", id))
	if err != nil {
		return nil, fmt.Errorf("load job %s: %w", id, err)
	}
	return j, nil
}

// lineage is a job, locked together with everything above it.
type lineage struct {
	job     *models.Job
	parents []*models.Job // the nearest first
}

// lockLineage locks, from the top down, the order, the parents and the job. Only
// so may a job's status change.
func lockLineage(tx *store.Tx, id models.ID) (*lineage, error) {
	const deepest = 8
	var way []struct {
		ID, OrderID models.ID
		Level       int
	}
	err := tx.Raw(`WITH RECURSIVE way AS (
		SELECT id, parent_id, order_id, 0 AS level FROM jobs WHERE id = ?
		UNION ALL SELECT j.id, j.parent_id, j.order_id, w.level + 1 FROM way w JOIN jobs j ON j.id = w.parent_id WHERE w.level <= ?
	) SELECT id, order_id, level FROM way ORDER BY level DESC`, id, deepest).Scan(&way).Error
	switch {
	case err != nil:
		return nil, fmt.Errorf("load job %s: %w", id, store.Fault(err))
	case len(way) == 0:
		return nil, fmt.Errorf("load job %s: %w", id, fault.NotFoundf("Not found."))
	case len(way) > deepest:
		return nil, fmt.Errorf("job %s: its parents go in a circle", id)
	}
	if order := way[0].OrderID; order != 0 {
		var got models.ID
		if err := tx.ForUpdate().Table("orders").Select("id").Where("id = ?", order).Scan(&got).Error; err != nil {
			return nil, store.Fault(err)
		}
	}
	l := &lineage{}
	for _, up := range way {
		j, err := lockJob(tx, up.ID)
		if err != nil {
			return nil, err
		}
		if up.ID == id {
			l.job = j
		} else {
			l.parents = append([]*models.Job{j}, l.parents...)
		}
	}
	return l, nil
}

// end moves a job to its last status, in the transaction that holds its lineage:
// hooks hear of it, its parent follows, and those that waited for it go on.
func (s *Service) end(tx *store.Tx, l *lineage, to models.JobStatus) error {
	j := l.job
	if err := j.MoveTo(to); err != nil {
		return err
	}
	now := tx.Now
	j.EndedAt = &now
	if err := store.Rewrite(tx, j); err != nil {
		return fmt.Errorf("save job %s: %w", j.ID, err)
	}
	for _, fn := range s.onEnd {
		if err := fn(tx, j); err != nil {
			return fmt.Errorf("end of job %s: %w", j.ID, err)
		}
	}
	waiting, err := store.Find[models.Job](tx.ForUpdate().Where("prerequisite_id = ? AND status = ?", j.ID, models.JobPending).Order("id"))
	if err != nil {
		return fmt.Errorf("dependents of job %s: %w", j.ID, err)
	}
	for i := range waiting {
		if err := s.release(tx, &waiting[i], j.Status); err != nil {
			return err
		}
	}
	s.counts.ended(tx, j)
	if len(l.parents) == 0 {
		return nil
	}
	text := fmt.Sprintf("%s, job id %s: %s", j.Type.Title(), j.ID, j.Status)
	if err := Say(tx, j.ParentID, level(j.Status), text); err != nil {
		return err
	}
	return s.follow(tx, &lineage{job: l.parents[0], parents: l.parents[1:]})
}

// release wakes a job whose prerequisite has ended, unless it has to wait for another job
// of an earlier stage: that becomes its prerequisite. If the prerequisite failed, the
// worker fails the job.
func (s *Service) release(tx *store.Tx, j *models.Job, before models.JobStatus) error {
	if endedWell(before) {
		next, err := blocker(tx, j)
		if err != nil {
			return err
		}
		if next != nil {
			j.PrerequisiteID = next.ID
		} else if err := j.MoveTo(models.JobQueued); err != nil {
			return err
		}
		if err := store.Save(tx, j); err != nil {
			return fmt.Errorf("save job %s: %w", j.ID, err)
		}
		if next != nil && !next.Ended() {
			return nil
		}
	}
	if j.Type == models.JobDeploy {
		return nil
	}
	return s.wake(tx, j)
}

func level(s models.JobStatus) string {
	switch s {
	case models.JobFailure:
		return "error"
	case models.JobWarning, models.JobCanceled, models.JobToCancel:
		return "warning"
	case models.JobPending, models.JobQueued, models.JobRunning, models.JobSuccess:
	}
	return "info"
}

// mayManage reports whether the actor may cancel and retry the job: its owner while
// in the group that it works for, and who manages the group's jobs.
func mayManage(a access.Actor, j *models.Job) bool {
	return a.ID != 0 && a.ID == j.OwnerID && a.Member(j.GroupID) || a.Can(access.JobManage, j.GroupID)
}

// CanCancel tells whether the actor may cancel the job now, and why not.
func CanCancel(a access.Actor, j *models.Job) error {
	if !mayManage(a, j) {
		return fault.Forbiddenf("You may not cancel this job.")
	}
	if j.Ended() || j.Status == models.JobToCancel {
		return fault.Conflictf("Only jobs that are in 'PENDING', 'QUEUED' or 'RUNNING' state can be canceled. Current state of job is %s", j.Status)
	}
	return nil
}

// CanRetry tells whether the actor may have the job tried again, and why not.
func CanRetry(a access.Actor, j *models.Job) error {
	if !mayManage(a, j) {
		return fault.Forbiddenf("You may not retry this job.")
	}
	return retryable(j)
}

func retryable(j *models.Job) error {
	if j.Spent != "" {
		return fault.New(fault.Conflict, "%s", j.Spent)
	}
	switch j.Status {
	case models.JobFailure:
		return nil
	case models.JobWarning:
		if j.Type == models.JobDeploy {
			return nil
		}
	case models.JobCanceled:
		// The machine of a canceled creation is gone, and so is its reservation.
		if j.Type != models.JobDeploy && j.Type != models.JobProvision {
			return nil
		}
		return fault.Conflictf("A %s job that was canceled cannot be retried. Current state of job is %s", j.Type.Title(), j.Status)
	case models.JobPending, models.JobQueued, models.JobRunning, models.JobToCancel, models.JobSuccess:
	}
	return fault.Conflictf("Only jobs that are in 'FAILURE', 'WARNING' or 'CANCELED' state can be retried. Current state of job is %s", j.Status)
}

func (s *Service) record(tx *store.Tx, a access.Actor, j *models.Job, event, message string, was models.JobStatus) error {
	return history.Add(tx, a, models.ObjectJob, j.ID, event, message,
		map[string]models.JobStatus{"status": was}, map[string]models.JobStatus{"status": j.Status})
}

func (s *Service) kind(t models.JobType) Kind {
	if k, ok := s.kinds[t]; ok {
		return k
	}
	return Base{}
}

// merge returns the memo of the job's own steps, merged with that of its cleanup.
func merge(rows []models.JobStep) provider.Memo {
	memo := provider.Memo{}
	for _, r := range rows {
		for k, v := range r.Memo {
			memo[k] = v
		}
	}
	return memo
}

func stepsOf(tx *store.Tx, id models.ID) ([]models.JobStep, error) {
	rows, err := store.Find[models.JobStep](tx.Where("job_id = ?", id).Order("position"))
	if err != nil {
		return nil, fmt.Errorf("steps of job %s: %w", id, err)
	}
	return rows, nil
}
