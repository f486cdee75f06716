package web

import (
	"errors"
	"net/http"

	"halcyon/pkg/fault"
)

// ErrCrossOrigin is the cause of a fault about a write that a page of another origin
// had a browser send.
var ErrCrossOrigin = errors.New("cross-origin write")

// CrossOrigin refuses writes that pages of other origins have a browser send with
// what it keeps by itself: a cookie. Browsers say in Sec-Fetch-Site and Origin where
// a request comes from; whoever says neither is no browser, and has no cookie that
// somebody else could use.
type CrossOrigin struct{ protection *http.CrossOriginProtection }

// NewCrossOrigin makes one that trusts the listed origins. It trusts nobody for *,
// which lets everybody call with credentials of their own, and not with a cookie.
func NewCrossOrigin(origins []string) (*CrossOrigin, error) {
	x := &CrossOrigin{http.NewCrossOriginProtection()}
	for _, o := range origins {
		if o == "*" {
			continue
		}
		if err := x.protection.AddTrustedOrigin(o); err != nil {
			return nil, err
		}
	}
	return x, nil
}

// Check is Forbidden for a request that writes and comes from elsewhere.
func (x *CrossOrigin) Check(r *http.Request) error {
	if err := x.protection.Check(r); err != nil {
		return fault.Wrap(fault.Forbidden, errors.Join(ErrCrossOrigin, err),
			"The request comes from a page of another origin, and nothing is changed for such a one by a browser's session. Send it from a page of this server, or with an Authorization header.")
	}
	return nil
}
