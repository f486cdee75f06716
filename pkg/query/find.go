package query

import (
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/store"
)

// ParseRef reads any form of reference to a row of the schema: numeric id, global id, uuid (with or without
// hyphens), or href with one of these as its last segment. The row need not exist.
func ParseRef(s *Schema, text string) (RefValue, error) {
	ref, reason := parseRef(s.Name, s.Plural, s.Prefix, text)
	if reason != "" {
		return RefValue{}, fault.Invalidf("%s", strings.ToUpper(reason[:1])+reason[1:]+".")
	}
	return ref, nil
}

func parseRef(name, plural, prefix, text string) (ref RefValue, reason string) {
	if !validText(text) || len(text) > 2*maxValue {
		return ref, fmt.Sprintf("%s is no id", quote(strings.ToValidUTF8(text, "�")))
	}
	last := text
	if strings.ContainsRune(text, '/') {
		var of string
		if last, of = lastSegments(text); digits(last) && of != "" && of != plural && of != name {
			// The number alone would silently mean another kind of row.
			return ref, fmt.Sprintf("%s is not the address of one of the %s", quote(text), plural)
		}
	}
	switch {
	case digits(last) && len(last) < 20:
		n, err := strconv.ParseInt(last, 10, 64)
		if err == nil && n > 0 {
			return RefValue{Kind: ByID, ID: models.ID(n)}, ""
		}
	case isUUID(last) && prefix != "": // without a prefix only numbers are valid
		return RefValue{Kind: ByUUID, Text: dashed(last)}, ""
	default:
		if begin, rest, ok := strings.Cut(last, "-"); ok && rest != "" && begin != "" && alphanumeric(begin) && alphanumeric(rest) {
			if prefix != "" && strings.EqualFold(begin, prefix) {
				return RefValue{Kind: ByGlobalID, Text: prefix + "-" + rest}, ""
			}
			if prefix != "" {
				return ref, fmt.Sprintf("%s is not the id of one of the %s: theirs begin with %s-", quote(text), plural, prefix)
			}
		}
	}
	return ref, fmt.Sprintf("%s is no id", quote(text))
}

// lastSegments returns the last segment of an href and the one before it, which names the collection.
func lastSegments(href string) (last, before string) {
	if i := strings.IndexAny(href, "?#"); i >= 0 {
		href = href[:i]
	}
	if i := strings.Index(href, "://"); i >= 0 {
		href = href[i+3:]
		if j := strings.IndexByte(href, '/'); j >= 0 {
			href = href[j:]
		} else {
			href = ""
		}
	}
	segments := strings.FieldsFunc(href, func(r rune) bool { return r == '/' })
	if n := len(segments); n > 0 {
		last = segments[n-1]
		if plain, err := url.PathUnescape(last); err == nil {
			last = plain
		}
		if n > 1 {
			before = fold(segments[n-2])
		}
	}
	return last, before
}

func isUUID(s string) bool {
	if len(s) == 36 {
		if s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
			return false
		}
		s = strings.ReplaceAll(s, "-", "")
	}
	if len(s) != 32 {
		return false
	}
	for i := range len(s) {
		if c := s[i] | 0x20; (s[i] < '0' || s[i] > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

func dashed(s string) string {
	s = strings.ToLower(strings.ReplaceAll(s, "-", ""))
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

func alphanumeric(s string) bool {
	for i := range len(s) {
		if c := s[i] | 0x20; (c < 'a' || c > 'z') && (s[i] < '0' || s[i] > '9') {
			return false
		}
	}
	return s != ""
}

// Find returns the row that the reference means, if the actor sees it. The error is NotFound for absent,
// hidden and malformed alike.
func Find[T any](tx *store.Tx, e *Entity, a access.Actor, ref string, opts ...ListOption) (*T, error) {
	v, reason := parseRef(e.Name, e.Plural, e.Prefix, ref)
	if reason != "" || e.HiddenFrom(a) {
		return nil, notFound()
	}
	c := newCompiler(tx, a)
	o := options(opts)
	where := access.And(c.ownRef(Root, []RefValue{v}), c.visible(e, Root), o.base)
	var b builder
	b.text("SELECT ").text(o.columnList()).text(" FROM ").text(e.Table).text(" " + Root)
	b.where(where).text(" LIMIT 1")
	o.lock(&b, tx)
	rows, _, err := scan[T](tx, b, nil, nil)
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, notFound()
	}
	return rows[0], nil
}

func notFound() error { return fault.NotFoundf("Not found.") }

// Scalar returns the value of an SQL expression over Root for the row that the reference means, if the
// actor sees it. The error is NotFound otherwise.
func Scalar(tx *store.Tx, e *Entity, a access.Actor, ref RefValue, expression string) (string, error) {
	if e.HiddenFrom(a) {
		return "", notFound()
	}
	c := newCompiler(tx, a)
	var b builder
	b.text("SELECT ").text(expression).text(" FROM ").text(e.Table).text(" " + Root)
	b.where(access.And(c.ownRef(Root, []RefValue{ref}), c.visible(e, Root))).text(" LIMIT 1")
	var value sql.NullString
	err := tx.Raw(b.sql.String(), b.args...).Row().Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return "", notFound()
	}
	return value.String, store.Fault(err)
}
