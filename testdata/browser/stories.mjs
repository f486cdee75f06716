// The stories, in the order in which they are told.
import { theJob } from './job.mjs'
import { fresh, ways } from './people.mjs'
import * as people from './more.mjs'

export const stories = {
  'the whole job by mouse': t => theJob(t, ways.mouse, fresh('mouse')),
  'the whole job by keyboard': t => theJob(t, ways.keyboard, fresh('keys')),
  'the whole job on a phone': t => theJob(t, ways.phone, fresh('phone')),
  'the whole job without JavaScript': t => theJob(t, ways.withoutScript, fresh('plain')),
  'an approver approves, and the requestor sees it': people.approve,
  'an approver denies with a reason': people.deny,
  'a form that is wrong keeps what was typed': people.wrong,
  'a session that ends within a form loses nothing': people.ended,
  'an edit of what somebody else has changed is refused': people.stale,
  'a list is filtered': people.filter,
  'two servers are switched off at once': people.bulk,
  'a cart with two items': people.cart,
  'names that are long and look like markup': people.names,
  'documentation': people.docs,
  'an API token is made and used': people.token,
}
