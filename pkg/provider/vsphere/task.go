package vsphere

import (
	"context"
	"errors"
	"time"

	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/types"

	"halcyon/pkg/provider"
)

// errTaskLost means that vCenter no longer has a task: it discards them after a while and
// when it restarts. The effect of the task is then looked up.
var errTaskLost = errors.New("vCenter has forgotten the task")

// runTask starts a task, unless the memo has it already, and waits for it up to taskWait.
// If it returns neither done nor an error, it must be called again later. The memo's
// entry is deleted when the task has ended, with or without success.
func (p *Provider) runTask(ctx context.Context, c *vim25.Client, memo provider.Memo, key string,
	start func(context.Context, *vim25.Client) (ref, error),
) (done bool, result types.AnyType, err error) {
	if memo[key] == "" {
		task, err := start(ctx, c)
		if err != nil {
			return false, nil, err
		}
		memo[key] = task.Value
	}
	task := ref{Type: "Task", Value: memo[key]}
	waited := time.Duration(0)
	for interval := 5 * time.Millisecond; ; interval = min(2*interval, 300*time.Millisecond) {
		props, err := p.readOne(ctx, c, task, "info")
		if isFault[*types.ManagedObjectNotFound](err) {
			delete(memo, key)
			return false, nil, errTaskLost
		}
		if err != nil {
			return false, nil, err
		}
		info := get[types.TaskInfo](props, "info")
		switch info.State {
		case types.TaskInfoStateSuccess:
			delete(memo, key)
			return true, info.Result, nil
		case types.TaskInfoStateError:
			delete(memo, key)
			if info.Error == nil {
				return false, nil, errors.New("the task failed without a word")
			}
			return false, nil, taskError{*info.Error}
		case types.TaskInfoStateQueued, types.TaskInfoStateRunning:
		}
		if waited >= taskWait {
			return false, nil, nil
		}
		waited += interval
		select {
		case <-ctx.Done():
			return false, nil, ctx.Err()
		case <-time.After(interval):
		}
	}
}
