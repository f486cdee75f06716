package order

import (
	"errors"
	"strconv"
	"strings"

	"halcyon/models"
	"halcyon/pkg/fault"
	"halcyon/pkg/store"
)

// This file chooses the host names of an order's servers.

// hostname returns the name of a server: number n, from 1 to quantity, of a build item.
// It is made from the name in the order, or from the build item's template if asked is "".
// Names from templates are unique within the order. A name from the order is reported as
// a problem when it is not valid, not unique within the order, or in use in the
// environment.
func (p *planner) hostname(asked string, b *models.BlueprintItem, svc *PlannedService, env *models.Environment, n, quantity int, at fault.Path) string {
	if asked == "" {
		host := p.madeUp(b, svc, n, quantity, env.Domain)
		for p.names[strings.ToLower(host)] { // taken by another item
			n++
			host = p.madeUp(b, svc, n, quantity, env.Domain)
		}
		if !validHostname(host) {
			p.complain(at, "%q, made of the blueprint's %q, is no host name", host, b.Hostname)
		}
		p.names[strings.ToLower(host)] = true
		return host
	}
	host := asked
	if quantity > 1 {
		short, domain, dotted := strings.Cut(host, ".")
		host = short + "-" + strconv.Itoa(n)
		if dotted {
			host += "." + domain
		}
	}
	host = qualified(host, env.Domain)
	switch key := strings.ToLower(host); {
	case !validHostname(host):
		p.complain(at, "%q is no host name", host)
	case p.names[key]:
		p.complain(at, "%q is in the order twice", host)
	case p.inUse(host, env.ID):
		p.complain(at, "%q is the name of another server in %s", host, env.Name)
	default:
		p.names[key] = true
	}
	return host
}

// inUse reports whether the environment has a server of that name. It ignores removed
// servers.
func (p *planner) inUse(host string, env models.ID) bool {
	var n int64
	err := p.tx.Model(&models.Server{}).Where("hostname = ? AND environment_id = ? AND status <> ?", host, env, models.ServerHistorical).Count(&n).Error
	p.failed = errors.Join(p.failed, store.Fault(err))
	return n > 0
}

// madeUp returns a name made from the build item's template, with these variables: {name}
// of the service, {item}, {order}, {n} and {owner}. It appends the number n when several
// servers share a template without {n}.
func (p *planner) madeUp(b *models.BlueprintItem, svc *PlannedService, n, quantity int, domain string) string {
	template := b.Hostname
	if template == "" {
		template = "{item}-{order}-{n}"
	}
	if !strings.Contains(template, "{n}") && (quantity > 1 || n > 1) {
		short, rest, dotted := strings.Cut(template, ".")
		template = short + "-{n}"
		if dotted {
			template += "." + rest
		}
	}
	name := b.Name
	if svc != nil {
		name = svc.Name
	}
	// Shorten the names that people chose, and keep the numbers whole.
	const longest = 50
	for room := longest; ; room-- {
		cut := func(s string) string {
			s = label(strings.ReplaceAll(s, ".", "-")) // a dot would start the domain
			return strings.TrimRight(s[:min(len(s), room)], "-")
		}
		host := label(strings.NewReplacer(
			"{name}", cut(name), "{item}", cut(b.Name), "{order}", p.number(),
			"{n}", strconv.Itoa(n), "{owner}", cut(p.actor.Username),
		).Replace(template))
		if short, _, _ := strings.Cut(host, "."); len(short) <= longest || room == 0 {
			return qualified(host, domain)
		}
	}
}

// number returns the order's id for host names, or "new" in a dry run of a new order.
func (p *planner) number() string {
	if p.order.ID == 0 {
		return "new"
	}
	return p.order.ID.String()
}

// qualified appends the domain to a name without one.
func qualified(host, domain string) string {
	if domain == "" || strings.Contains(host, ".") {
		return host
	}
	return host + "." + domain
}

// label turns any text into a valid host name (RFC 1123).
func label(s string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(s) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '.':
			b.WriteRune(r)
		default:
			if out := b.String(); out != "" && !strings.HasSuffix(out, "-") {
				b.WriteByte('-')
			}
		}
	}
	out := strings.Trim(b.String(), "-.")
	if out == "" {
		return "server"
	}
	return out
}

func validHostname(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	for _, part := range strings.Split(s, ".") {
		if part == "" || len(part) > 63 || part[0] == '-' || part[len(part)-1] == '-' {
			return false
		}
		for _, c := range []byte(part) {
			if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' {
				return false
			}
		}
	}
	return true
}
