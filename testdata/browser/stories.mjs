// The stories, in the order in which they are told.
import { theJob } from './job.mjs'
import { ways } from './people.mjs'

export const stories = {
  'the whole job by mouse': t => theJob(t, ways.mouse),
  'the whole job by keyboard': t => theJob(t, ways.keyboard),
  'the whole job on a phone': t => theJob(t, ways.phone),
  'the whole job without JavaScript': t => theJob(t, { ...ways.mouse, options: { ...ways.mouse.options, javaScriptEnabled: false } }),
}
