// halfred parses and validates; fetch carries. Every document that comes is
// validated, and an issue ends the script.
import halfred from 'halfred'
import { basic, check, ended, orderBody, say, until, url } from './story.mjs'

halfred.enableValidation()

const absolute = href => new URL(href, url).href
// expand does with {?a,b} what RFC 6570 says.
const expand = (href, values) => href.replace(/\{\?([^}]*)\}/, (_, names) => {
  const query = names.split(',').filter(n => n in values).map(n => `${n}=${encodeURIComponent(values[n])}`)
  return query.length ? '?' + query.join('&') : ''
})

async function ask (href, init = {}) {
  const answer = await fetch(absolute(href), { ...init, headers: { authorization: basic, accept: 'application/hal+json', ...init.headers } })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`${answer.status} ${text}`)
  const doc = halfred.parse(JSON.parse(text))
  const issues = doc.validationIssues()
  if (issues?.length) throw new Error(`${href}: ${JSON.stringify(issues)}`)
  return { status: answer.status, headers: answer.headers, doc }
}
const get = async href => (await ask(href)).doc
const follow = async (doc, rel, values = {}) => {
  const link = doc.link(rel)
  if (!link) throw new Error(`there is no ${rel} in ${doc.link('self').href}`)
  return get(link.templated ? expand(link.href, values) : link.href)
}
const post = (href, body) => ask(href, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
const self = doc => doc.link('self').href
const whole = part => get(self(part)) // what a list embeds is short

const root = await get(url)
check('curies', root.hasCuries(), true)
const groups = await follow(await follow(await follow(root, 'cb:user'), 'cb:orderable-groups'), 'cb:filter', { filter: 'auto-approval:1' })
const group = await whole(groups.embeddedArray('groups')[0])
const environments = await follow(group, 'cb:orderable-environments')
const environment = await whole(environments.embeddedArray('environments')[0])
const blueprints = await follow(await follow(root, 'blueprints'), 'cb:filter', { filter: 'name:Custom Server' })
const blueprint = await whole(blueprints.embeddedArray('blueprints')[0])
say('order', blueprint.name, 'for', group.name, 'in', environment.name)

const created = await post(root.link('orders').href, orderBody({
  group: self(group),
  environment: self(environment),
  osBuild: environment.linkArray('os-builds')[0].href,
  blueprint: self(blueprint),
  buildItems: blueprint['build-items'],
  inputs: blueprint.inputs
}))
check('the answer', created.status, 201)
check('its place', created.headers.get('location'), self(created.doc))
check('the order', created.doc.status, 'ACTIVE')
const order = await until(() => get(created.headers.get('location')), o => o.status, ...ended)
check('the order', order.status, 'SUCCESS')

let server = await get(order.linkArray('servers')[0].href)
say('server', server.hostname, server.ip, server['power-status'])
check('the server', server.status, 'ACTIVE')
check('the server', server['power-status'], 'POWERON')

const off = await post(server.link('cb:power-off').href, {})
check('the answer', off.status, 202)
const job = await until(() => get(self(off.doc)), j => j.status, ...ended)
check('the job', job.status, 'SUCCESS')
server = await get(self(server))
check('the server', server['power-status'], 'POWEROFF')
check('power-off is offered', Boolean(server.linkArray('cb:power-off')), false)
say('server', server.hostname, server['power-status'])

const gone = await ask(self(server), { method: 'DELETE' })
check('the answer', gone.status, 202)
const removal = await until(() => get(self(gone.doc)), o => o.status, ...ended)
check('the removal', removal.status, 'SUCCESS')
server = await get(self(server))
check('the server', server.status, 'HISTORICAL')
say('server', server.hostname, server.status)
