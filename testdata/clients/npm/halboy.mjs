// halboy: a navigator that moves from document to document.
import 'regenerator-runtime/runtime.js' // halboy was compiled for it and does not bring it
import halboy from 'halboy'
import { basic, check, ended, orderBody, say, until, url } from './story.mjs'

const { Navigator } = halboy
const http = { headers: { Authorization: basic, Accept: 'application/hal+json' } }

const ok = navigator => {
  if (navigator.status() >= 400) throw new Error(`${navigator.status()} ${JSON.stringify(navigator.resource().toObject())}`)
  return navigator
}
// A navigator is where it was last, so that every path has one of its own.
const start = async () => ok(await Navigator.discover(url, { http }))
const at = (location, resource) => Navigator.resume(location, resource, { http })
const follow = async (navigator, rel, values = {}) => ok(await navigator.get(rel, values, http))
const whole = async (navigator, embedded) => follow(at(navigator.location(), embedded), 'self')
const self = navigator => navigator.resource().getHref('self')

const groups = await start()
for (const rel of ['cb:user', 'cb:orderable-groups']) await follow(groups, rel)
await follow(groups, 'cb:filter', { filter: 'auto-approval:1' })
const group = await whole(groups, groups.resource().getResource('groups')[0])
const environments = await follow(at(group.location(), group.resource()), 'cb:orderable-environments')
const environment = await whole(environments, environments.resource().getResource('environments')[0])
const blueprints = await follow(await follow(await start(), 'blueprints'), 'cb:filter', { filter: 'name:Custom Server' })
const blueprint = await whole(blueprints, blueprints.resource().getResource('blueprints')[0])
const name = navigator => navigator.resource().getProperty('name')
say('order', name(blueprint), 'for', name(group), 'in', name(environment))

const root = await start()
const created = ok(await root.post('orders', orderBody({
  group: self(group),
  environment: self(environment),
  osBuild: environment.resource().getLink('os-builds')[0].href,
  blueprint: self(blueprint),
  buildItems: blueprint.resource().getProperty('build-items'),
  inputs: blueprint.resource().getProperty('inputs')
}), {}, http))
// After a 201 halboy goes to the Location by itself, with the given headers.
check('the order', created.resource().getProperty('id'), created.location().split('/').pop())
const status = navigator => navigator.resource().getProperty('status')
const order = await until(() => follow(created, 'self'), status, ...ended)
check('the order', status(order), 'SUCCESS')

const [link] = order.resource().getLink('servers')
const server = ok(await order.getUrl(new URL(link.href, order.location()).href, {}, http))
const property = n => server.resource().getProperty(n)
say('server', property('hostname'), property('ip'), property('power-status'))
check('the server', property('status'), 'ACTIVE')
check('the server', property('power-status'), 'POWERON')

const job = ok(await at(server.location(), server.resource()).post('cb:power-off', {}, {}, http))
check('the answer', job.status(), 202)
check('the job', status(await until(() => follow(job, 'self'), status, ...ended)), 'SUCCESS')
await follow(server, 'self')
check('the server', property('power-status'), 'POWEROFF')
check('power-off is offered', server.resource().getHref('cb:power-off'), undefined)
say('server', property('hostname'), property('power-status'))

const removal = ok(await at(server.location(), server.resource()).delete('self', undefined, {}, http))
check('the answer', removal.status(), 202)
check('the removal', status(await until(() => follow(removal, 'self'), status, ...ended)), 'SUCCESS')
await follow(server, 'self')
check('the server', property('status'), 'HISTORICAL')
say('server', property('hostname'), property('status'))
