// Package order is the order engine. It edits, checks and prices carts, submits and
// approves orders, and ends an order when its last job has ended.
//
// Each exported method is one use case in one transaction. The exceptions are methods
// that may need the approval of an external system:
//
//	face                 order                     database          external
//	 | Create, Submit,    |                          |                 |
//	 | Approve            |                          |                 |
//	 |------------------->| is there a webhook rule? |                 |
//	 |                    |------------------------->|                 |
//	 |                    | 1. a dry pass: plan, price, rules          |
//	 |                    |------------------------->|                 |
//	 |                    |    rolled back, with a list of calls       |
//	 |                    | 2. the calls, outside any transaction      |
//	 |                    |------------------------------------------->|
//	 |                    |    stop at the first refusal: Conflict     |
//	 |                    | 3. the real pass: plan, price, rules, rows |
//	 |                    |------------------------->| commit          |
//	 |<-------------------| the order                |                 |
//
// Without such a rule there is no dry pass. When the real pass needs a call that the dry
// pass did not find, it fails with a Conflict, and the caller can try again.
package order
