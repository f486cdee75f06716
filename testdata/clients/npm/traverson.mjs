// traverson with traverson-hal: paths of rels.
import traverson from 'traverson'
import JsonHalAdapter from 'traverson-hal'
import { check, ended, orderBody, password, say, until, url, user } from './story.mjs'

traverson.registerMediaType(JsonHalAdapter.mediaType, JsonHalAdapter)

const api = traverson.from(url).jsonHal().withRequestOptions({ auth: { user, pass: password } })

// A traversal, as a promise of what it comes to and of where it can go on.
const done = (builder, method, ...args) => new Promise((resolve, reject) => {
  builder[method](...args, (err, result, traversal) => {
    if (err) return reject(new Error(`${err.message} ${err.body ?? ''}`))
    if (result?.statusCode >= 400) return reject(new Error(`${result.statusCode} ${result.body}`))
    resolve({ result, traversal })
  })
})
const read = async (...rels) => (await done(api.newRequest().follow(...rels), 'getResource')).result
// Every step has its template parameters: those of the last one are given.
const filtered = async (filter, ...rels) => {
  const parameters = rels.map(() => ({}))
  parameters[rels.indexOf('cb:filter') + 1] = { filter }
  const builder = api.newRequest().follow(...rels).withTemplateParameters(parameters)
  return (await done(builder, 'getResource')).result
}
const self = doc => doc._links.self.href

const group = await filtered('auto-approval:1', 'cb:user', 'cb:orderable-groups', 'cb:filter', 'groups[0]', 'self')
const environment = await filtered('auto-approval:1', 'cb:user', 'cb:orderable-groups', 'cb:filter', 'groups[0]', 'self', 'cb:orderable-environments', 'environments[0]', 'self')
const blueprint = await filtered('name:Custom Server', 'blueprints', 'cb:filter', 'blueprints[0]', 'self')
say('order', blueprint.name, 'for', group.name, 'in', environment.name)

const ordered = await done(api.newRequest().follow('orders'), 'post', orderBody({
  group: self(group),
  environment: self(environment),
  osBuild: environment._links['os-builds'][0].href,
  blueprint: self(blueprint),
  buildItems: blueprint['build-items'],
  inputs: blueprint.inputs
}))
check('the answer', ordered.result.statusCode, 201)
check('the order', JSON.parse(ordered.result.body).status, 'ACTIVE')

// The answer's Location is where it goes on.
const { result: located, traversal } = await done(ordered.traversal.continue().followLocationHeader(), 'getResource')
say(located._links.self.title, located.status)
const again = rels => async () => (await done(api.newRequest().from(new URL(self(located), url).href).follow(...rels), 'getResource')).result
const order = await until(again([]), o => o.status, ...ended)
check('the order', order.status, 'SUCCESS')

const server = again(['servers[0]'])
let seen = await server()
say('server', seen.hostname, seen.ip, seen['power-status'])
check('the server', seen.status, 'ACTIVE')
check('the server', seen['power-status'], 'POWERON')

const off = await done(api.newRequest().from(new URL(self(seen), url).href).follow('cb:power-off'), 'post', {})
check('the answer', off.result.statusCode, 202)
const { result: job } = await done(off.traversal.continue().followLocationHeader(), 'getResource')
const worked = await until(async () => (await done(api.newRequest().from(new URL(self(job), url).href).follow(), 'getResource')).result, j => j.status, ...ended)
check('the job', worked.status, 'SUCCESS')
seen = await server()
check('the server', seen['power-status'], 'POWEROFF')
check('power-off is offered', 'cb:power-off' in seen._links, false)
check('power-on is offered', 'cb:power-on' in seen._links, true)
say('server', seen.hostname, seen['power-status'])

const gone = await done(api.newRequest().from(new URL(self(seen), url).href).follow('self'), 'delete')
check('the answer', gone.result.statusCode, 202)
seen = await until(server, s => s.status, 'HISTORICAL')
check('what is offered', seen._links.actions.length, 0)
say('server', seen.hostname, seen.status)
