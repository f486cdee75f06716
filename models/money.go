package models

import (
	"fmt"
	"strconv"
	"strings"
)

// Money is an amount in millionths of the currency's unit. It is never a float.
type Money int64

// Unit is one unit of the currency.
const Unit Money = 1_000_000

// String returns the amount with two decimals, rounded half away from zero: "28.80".
func (m Money) String() string {
	const cent = Unit / 100
	sign := ""
	if m < 0 {
		sign, m = "-", -m
	}
	cents := (m + cent/2) / cent
	return fmt.Sprintf("%s%d.%02d", sign, cents/100, cents%100)
}

// Exact returns the amount with as many decimals as it has, and two at least: "0.005".
func (m Money) Exact() string {
	sign := ""
	if m < 0 {
		sign, m = "-", -m
	}
	frac := fmt.Sprintf("%06d", m%Unit)
	for len(frac) > 2 && strings.HasSuffix(frac, "0") {
		frac = frac[:len(frac)-1]
	}
	return fmt.Sprintf("%s%d.%s", sign, m/Unit, frac)
}

// PerMonth returns the amount as a rate: "28.80/month".
func (m Money) PerMonth() string { return m.String() + "/month" }

// ParseMoney reads a decimal number with at most six decimals.
func ParseMoney(s string) (Money, error) {
	whole, frac, _ := strings.Cut(s, ".")
	neg := strings.HasPrefix(whole, "-")
	whole = strings.TrimPrefix(whole, "-")
	if whole == "" || len(frac) > 6 || len(whole) > 12 || !digits(whole) || (frac != "" && !digits(frac)) {
		return 0, fmt.Errorf("%q is no amount of money such as 14.40", s)
	}
	w, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is no amount of money such as 14.40", s)
	}
	f, err := strconv.ParseInt((frac + "000000")[:6], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is no amount of money such as 14.40", s)
	}
	m := Money(w)*Unit + Money(f)
	if neg {
		m = -m
	}
	return m, nil
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
