package models

import (
	"slices"
	"time"

	"halcyon/pkg/fault"
)

// JobStatus is a step in the life of a job.
type JobStatus string

// The job statuses.
const (
	JobPending  JobStatus = "PENDING" // waits for a prerequisite
	JobQueued   JobStatus = "QUEUED"
	JobRunning  JobStatus = "RUNNING"
	JobToCancel JobStatus = "TO_CANCEL" // running, and asked to stop and clean up
	JobSuccess  JobStatus = "SUCCESS"
	JobWarning  JobStatus = "WARNING"
	JobFailure  JobStatus = "FAILURE"
	JobCanceled JobStatus = "CANCELED"
)

// JobStatuses are all of them, in the order of life.
var JobStatuses = []JobStatus{JobPending, JobQueued, JobRunning, JobToCancel, JobSuccess, JobWarning, JobFailure, JobCanceled}

// jobEdges is the whole life of a job. A failed or canceled one is queued again
// by a retry.
var jobEdges = map[JobStatus][]JobStatus{
	JobPending:  {JobQueued, JobRunning, JobCanceled, JobFailure},
	JobQueued:   {JobRunning, JobToCancel, JobCanceled, JobFailure},
	JobRunning:  {JobSuccess, JobWarning, JobFailure, JobToCancel, JobCanceled},
	JobToCancel: {JobCanceled, JobSuccess, JobWarning, JobFailure},
	JobFailure:  {JobQueued, JobPending, JobRunning},
	JobWarning:  {JobQueued, JobRunning},
	JobCanceled: {JobQueued, JobPending, JobRunning},
}

// JobType is the operation of a job.
type JobType string

// The job types. Filters use these codes; documents show JobType.Title.
const (
	JobDeploy    JobType = "deploy_blueprint" // the parent of a service's jobs
	JobProvision JobType = "provision"
	JobDecom     JobType = "decom"
	JobModify    JobType = "modify"
	JobSyncVMs   JobType = "sync_vms"
	JobAction    JobType = "action"
)

// JobTypes are all of them.
var JobTypes = []JobType{JobDeploy, JobProvision, JobDecom, JobModify, JobSyncVMs, JobAction}

// Title returns the type as people read it.
func (t JobType) Title() string {
	switch t {
	case JobDeploy:
		return "Deploy Blueprint"
	case JobProvision:
		return "Provision Server"
	case JobDecom:
		return "Delete Server"
	case JobModify:
		return "Modify Server"
	case JobSyncVMs:
		return "Sync VMs"
	case JobAction:
		return "Run Action"
	}
	return string(t)
}

// JobTitle stands before the number of a job in its title.
const JobTitle = "Job id "

// Title returns what a job is called.
func (j *Job) Title() string { return JobTitle + j.ID.String() }

// Job is a piece of work, a node of a tree. Only leaves do anything: a parent's
// status follows from its children's.
type Job struct {
	Row
	Type              JobType
	Status            JobStatus
	ParentID          ID
	PrerequisiteID    ID  // ends before this one starts
	Stage             int // among the children of its parent: it starts after all of the earlier stages
	OrderID           ID
	OrderItemID       ID
	OwnerID           ID
	GroupID           ID
	HandlerID         ID
	ServerID          ID
	ServiceID         ID
	Action            string  // of a JobAction: power_on, power_off, reboot, refresh_info, snapshot
	Args              JobArgs `gorm:"serializer:json"`
	TotalTasks        int
	CompletedTasks    int
	Output            string
	Errors            string
	Attempts          int // how often it was begun: 1, and one more for each retry
	StartedAt         *time.Time
	EndedAt           *time.Time
	CancelRequestedAt *time.Time

	Messages []JobMessage `gorm:"-"` // as read with the row
	Spent    string       `gorm:"-"` // why it cannot be tried again, whatever its status; as read with the row
}

// GlobalPrefix implements Keyed.
func (*Job) GlobalPrefix() string { return "JOB" }

// JobArgs are the arguments of a leaf job besides the rows that it is linked to.
type JobArgs struct {
	CPUs     int     `json:"cpus,omitempty"`
	MemoryMB int     `json:"memory_mb,omitempty"`
	DiskUUID string  `json:"disk_uuid,omitempty"`
	DiskGB   int     `json:"disk_gb,omitempty"`
	Name     string  `json:"name,omitempty"`   // of a snapshot
	Text     string  `json:"text,omitempty"`   // its description
	Memory   bool    `json:"memory,omitempty"` // it holds what the machine has in its memory, too
	Ref      string  `json:"ref,omitempty"`    // of a snapshot that is there, as the back end calls it
	Rate     *Rate   `json:"rate,omitempty"`   // what the server costs afterwards
	Params   []Param `json:"params,omitempty"` // what the server's parameters become
	Expires  string  `json:"expires,omitempty"`
	SizeID   ID      `json:"size,omitempty"`

	Run          *RunArgs `json:"run,omitempty"`          // of a JobAction that runs what administrators have defined
	Applications []ID     `json:"applications,omitempty"` // to be put on a server when it is there
}

// Triggered reports whether a trigger started the job, and not a request.
func (j *Job) Triggered() bool { return j.Args.Run != nil && j.Args.Run.Trigger != "" }

// Rate is the price of a server per month, by component.
type Rate struct {
	Hardware Money `json:"hardware"`
	Software Money `json:"software"`
	Extra    Money `json:"extra"`
}

// Total is the sum.
func (r Rate) Total() Money { return r.Hardware + r.Software + r.Extra }

// Ended reports whether the job has come to an end (a retry may begin it again).
func (j *Job) Ended() bool { return j.Status.Ended() }

// Ended reports whether a job with this status has come to an end.
func (s JobStatus) Ended() bool {
	switch s {
	case JobSuccess, JobWarning, JobFailure, JobCanceled:
		return true
	case JobPending, JobQueued, JobRunning, JobToCancel:
		return false
	}
	return false
}

// MoveTo changes the status. It returns a Conflict unless the change is an allowed
// edge.
func (j *Job) MoveTo(to JobStatus) error {
	if !slices.Contains(jobEdges[j.Status], to) {
		return fault.Conflictf("A job cannot go from %s to %s.", j.Status, to)
	}
	j.Left = append(j.Left, string(j.Status))
	j.Status = to
	return nil
}

// StepStatus is a step in the life of a step.
type StepStatus string

// The step statuses.
const (
	StepWaiting StepStatus = "WAITING"
	StepRunning StepStatus = "RUNNING"
	StepDone    StepStatus = "DONE"
	StepFailed  StepStatus = "FAILED"
)

// JobStep is one resumable piece of a leaf job.
type JobStep struct {
	ID         ID `gorm:"primaryKey"`
	JobID      ID
	Position   int // from 1
	Name       string
	Title      string
	Status     StepStatus
	Attempt    int64             // goes up each time a worker takes the step: a fencing token
	Failures   int               // transient ones in a row
	Memo       map[string]string `gorm:"serializer:json"` // what a later call needs
	LeaseOwner string
	LeaseUntil *time.Time
	NotBefore  *time.Time // snoozing until then
	StartedAt  *time.Time
	EndedAt    *time.Time
}

// JobMessage is one line of a job's progress.
type JobMessage struct {
	ID        ID `gorm:"primaryKey"`
	JobID     ID
	Level     string // "info", "warning", "error"
	Message   string
	CreatedAt time.Time
}
