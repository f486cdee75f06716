// Package order is the order engine: carts and their editing, validation and
// price, submission, approval, and what becomes of an order when its jobs end.
// Each exported method is one use case in one transaction, but for those that may
// need an approval from outside:
//
//	face                 order                     database          outside
//	 | Create, Submit,    |                          |                 |
//	 | Approve            |                          |                 |
//	 |------------------->| does a rule ask outside? |                 |
//	 |                    |------------------------->|                 |
//	 |                    | 1. a dry pass: plan, price, rules          |
//	 |                    |------------------------->|                 |
//	 |                    |    rolled back, with a list of calls       |
//	 |                    | 2. the calls, outside any transaction      |
//	 |                    |------------------------------------------->|
//	 |                    |    the first refusal ends it: Conflict     |
//	 |                    | 3. the real pass: plan, price, rules, rows |
//	 |                    |------------------------->| commit          |
//	 |<-------------------| the order                |                 |
//
// Where no rule asks outside, the first pass is the real one. A call that only the
// real pass finds out to be needed is a Conflict: the caller tries again.
package order
