// Package event tells what happens to orders, jobs, servers and services. Whatever
// a transaction does to their rows leaves events in an outbox, in the same
// transaction; a relay, which is the duty of one process, numbers what has been
// committed; every process reads what is new and hands it to its streams.
//
// Nothing has to be told by hand: the store says which rows are written, and the
// rows say which statuses they were moved out of.
package event

import (
	"slices"
	"strings"

	"halcyon/models"
)

// Type is a kind of event.
type Type struct {
	Name   string
	Object string // the type of the object that it happens to
	Doc    string
}

// Types are all kinds of events, by object and in the order of life.
var Types = []Type{
	{orderCreated, models.ObjectOrder, "The order was made: it is a cart."},
	{orderChanged, models.ObjectOrder, "The order was changed and its status is the same: what is in the cart, or that it is being canceled."},
	{orderSubmitted, models.ObjectOrder, "The cart was submitted."},
	{orderApproved, models.ObjectOrder, "The order was approved, by an approver or by a policy, and its work begins."},
	{orderDenied, models.ObjectOrder, "The order was denied."},
	{orderCanceled, models.ObjectOrder, "The order was canceled, and what it had begun has ended."},
	{orderEnded, models.ObjectOrder, "The order's work has ended; status says how: SUCCESS, WARNING or FAILURE."},
	{orderResumed, models.ObjectOrder, "The order is active again, since one of its jobs is tried again."},
	{jobCreated, models.ObjectJob, "The job was made, and waits."},
	{jobStarted, models.ObjectJob, "The job runs."},
	{jobProgress, models.ObjectJob, "The job has come further: progress has its tasks, and the messages that are new. Several steps may be one event."},
	{jobChanged, models.ObjectJob, "The job is queued, since the job that it waited for has ended, or it is being canceled; status says which."},
	{jobEnded, models.ObjectJob, "The job has ended; status says how: SUCCESS, WARNING, FAILURE or CANCELED."},
	{jobRetried, models.ObjectJob, "The job had ended, and is tried again."},
	{serverCreated, models.ObjectServer, "The server was ordered, or found in a back end."},
	{serverChanged, models.ObjectServer, "The server was changed: its status, its power, or anything else that its document shows."},
	{serverRemoved, models.ObjectServer, "The server is gone, and a thing of the past."},
	{serviceCreated, models.ObjectService, "The service was ordered."},
	{serviceChanged, models.ObjectService, "The service was changed: its status, or anything else that its document shows."},
	{serviceRemoved, models.ObjectService, "The service is gone with all of its servers, and a thing of the past."},
}

const (
	orderCreated   = "order.created"
	orderChanged   = "order.changed"
	orderSubmitted = "order.submitted"
	orderApproved  = "order.approved"
	orderDenied    = "order.denied"
	orderCanceled  = "order.canceled"
	orderEnded     = "order.ended"
	orderResumed   = "order.resumed"
	jobCreated     = "job.created"
	jobStarted     = "job.started"
	jobProgress    = "job.progress"
	jobChanged     = "job.changed"
	jobEnded       = "job.ended"
	jobRetried     = "job.retried"
	serverCreated  = "server.created"
	serverChanged  = "server.changed"
	serverRemoved  = "server.removed"
	serviceCreated = "service.created"
	serviceChanged = "service.changed"
	serviceRemoved = "service.removed"
)

// Objects are the types of objects that events happen to.
var Objects = []string{models.ObjectOrder, models.ObjectJob, models.ObjectServer, models.ObjectService}

// selects reports whether a pattern names the type: *, a type's own name, or the
// types of an object, as in job.*.
func selects(pattern, name string) bool {
	if stem, ok := strings.CutSuffix(pattern, "*"); ok {
		return stem == "" || strings.HasSuffix(stem, ".") && strings.HasPrefix(name, stem)
	}
	return pattern == name
}

// Known reports whether a pattern names any type.
func Known(pattern string) bool {
	return slices.ContainsFunc(Types, func(t Type) bool { return selects(pattern, t.Name) })
}

// moved returns the types of a change of status. Submitting an order that needs no
// approval is two of them.
func moved(object, from, to string) []string {
	switch object {
	case models.ObjectOrder:
		return orderMoved(models.OrderStatus(from), models.OrderStatus(to))
	case models.ObjectJob:
		return []string{jobMoved(models.JobStatus(from), models.JobStatus(to))}
	case models.ObjectServer:
		if to == string(models.ServerHistorical) {
			return []string{serverRemoved}
		}
		return []string{serverChanged}
	}
	if to == string(models.ServiceHistorical) {
		return []string{serviceRemoved}
	}
	return []string{serviceChanged}
}

func orderMoved(from, to models.OrderStatus) []string {
	switch to {
	case models.OrderPending:
		return []string{orderSubmitted}
	case models.OrderActive:
		switch from {
		case models.OrderCart:
			return []string{orderSubmitted, orderApproved}
		case models.OrderPending:
			return []string{orderApproved}
		case models.OrderActive, models.OrderSuccess, models.OrderWarning, models.OrderFailure, models.OrderDenied, models.OrderCanceled:
		}
		return []string{orderResumed}
	case models.OrderDenied:
		return []string{orderDenied}
	case models.OrderCanceled:
		return []string{orderCanceled}
	case models.OrderSuccess, models.OrderWarning, models.OrderFailure:
		return []string{orderEnded}
	case models.OrderCart:
	}
	return []string{orderChanged}
}

func jobMoved(from, to models.JobStatus) string {
	switch {
	case to.Ended():
		return jobEnded
	case from.Ended():
		return jobRetried
	case to == models.JobRunning:
		return jobStarted
	}
	return jobChanged
}
