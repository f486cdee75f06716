package vsphere

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"reflect"
	"strings"

	"github.com/vmware/govmomi/vim25/types"

	"halcyon/pkg/fault"
)

// taskError is the error of a failed vCenter task.
type taskError struct {
	types.LocalizedMethodFault
}

func (e taskError) Error() string                { return e.LocalizedMessage }
func (e taskError) Fault() types.BaseMethodFault { return e.LocalizedMethodFault.Fault }

// missingError is the error of a property that vCenter did not return.
type missingError struct {
	path  string
	fault types.BaseMethodFault
}

func (e missingError) Error() string                { return "property " + e.path + ": " + typeOf(e.fault) }
func (e missingError) Fault() types.BaseMethodFault { return e.fault }

// vimFault returns vCenter's fault in err's chain, nil when there is none.
func vimFault(err error) types.BaseMethodFault {
	var f interface{ Fault() types.BaseMethodFault }
	if errors.As(err, &f) {
		return f.Fault()
	}
	return nil
}

func isFault[T types.BaseMethodFault](err error) bool {
	_, ok := vimFault(err).(T)
	return ok
}

func typeOf(f types.BaseMethodFault) string {
	t := reflect.TypeOf(f)
	if t == nil {
		return "unknown fault"
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Name()
}

// translate converts any error of an operation to a fault.Error. what describes the
// operation: "could not …". Neither the message nor the cause contains a password, since
// the client's URL has none.
func (p *Provider) translate(ctx context.Context, what string, err error) error {
	if err == nil {
		return nil
	}
	var known *fault.Error
	if errors.As(err, &known) {
		return err
	}
	host := p.url.Host
	if f := vimFault(err); f != nil {
		return p.translateFault(what, f, err)
	}
	var (
		unknownCA x509.UnknownAuthorityError
		invalid   x509.CertificateInvalidError
		hostname  x509.HostnameError
		verify    *tls.CertificateVerificationError
		network   net.Error
	)
	switch {
	case errors.As(err, &unknownCA), errors.As(err, &invalid), errors.As(err, &hostname), errors.As(err, &verify):
		return fault.Wrap(fault.Invalid, err,
			"The certificate of the vCenter at %s is not trusted. Trust its authority, or switch the check off for this handler.", host)
	case ctx.Err() != nil && errors.Is(ctx.Err(), context.Canceled):
		return fault.Wrap(fault.Unavailable, errors.Join(ctx.Err(), err), "The call to the vCenter at %s was canceled.", host)
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return fault.Wrap(fault.Unavailable, err, "The vCenter at %s did not answer in time.", host)
	case errors.As(err, new(*net.OpError)), errors.As(err, new(*net.DNSError)):
		return fault.Wrap(fault.Unavailable, err, "The vCenter at %s cannot be reached.", host)
	default:
		// Any other error is an invalid answer: incomplete, a proxy's 502 or 503, not XML.
		return fault.Wrap(fault.Unavailable, err, "The vCenter at %s gave no proper answer.", host)
	}
}

func (p *Provider) translateFault(what string, f types.BaseMethodFault, err error) error {
	host, name := p.url.Host, typeOf(f)
	message := strings.TrimPrefix(err.Error(), "ServerFaultCode: ")
	if message == "" || strings.HasSuffix(message, name) { // only the type
		message = name
	} else {
		message = strings.TrimSuffix(message, ".") + " (" + name + ")"
	}
	code := fault.Conflict
	switch f := f.(type) {
	case *types.InvalidLogin:
		return fault.Wrap(fault.Invalid, err, "The vCenter at %s refused the user name or password.", host)
	case *types.NotAuthenticated:
		return fault.Wrap(fault.Unavailable, err, "The vCenter at %s ended the session.", host)
	case *types.NoPermission:
		return fault.Wrap(fault.Forbidden, err, "The handler's user at the vCenter %s may not %s: it lacks the privilege %s.",
			host, what, f.PrivilegeId)
	case *types.ManagedObjectNotFound:
		return fault.Wrap(fault.NotFound, err, "The vCenter at %s has no %s %s.", host, f.Obj.Type, f.Obj.Value)
	case *types.InvalidPowerState, *types.CpuHotPlugNotSupported, *types.MemoryHotPlugNotSupported, *types.DeviceHotPlugNotSupported:
		return fault.Wrap(fault.Conflict, err, "The vCenter at %s could not %s in the machine's power state: %s.", host, what, message)
	case *types.TaskInProgress, *types.ConcurrentAccess, *types.ResourceInUse, *types.FileLocked, *types.Timedout,
		*types.HostCommunication, *types.HostNotConnected, *types.HostNotReachable, *types.HostConnectFault,
		*types.RequestCanceled, *types.TooManyConcurrentNativeClones, *types.InvalidHostConnectionState:
		code = fault.Unavailable
	case *types.InvalidArgument, *types.InvalidProperty, *types.InvalidType, *types.NotSupported, *types.NotImplemented, *types.MethodNotFound:
		code = fault.Invalid
	case types.BaseRuntimeFault:
		code = fault.Unavailable // such as SystemError: an error inside vCenter
	}
	return fault.Wrap(code, err, "The vCenter at %s could not %s: %s.", host, what, message)
}
