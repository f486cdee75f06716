// ketting: states and resources, a cache, and HAL-FORMS where the documents have
// them.
import { Client, basicAuth } from 'ketting'
import { check, ended, orderBody, password, say, until, url, user } from './story.mjs'

const client = new Client(url)
client.use(basicAuth(user, password))

// ketting takes what a list embeds for the whole of it, and keeps it. Lists here
// embed what is short, so that an item of a list is read once more.
const item = async (list, rel, holds = () => true) => {
  for (const resource of (await list.get()).followAll(rel)) {
    const state = await resource.refresh()
    if (holds(state)) return state
  }
  throw new Error(`none of the ${rel} will do`)
}

const root = client.go()
const group = await item(await root.follow('cb:user').follow('cb:orderable-groups'), 'groups', g => g.data['auto-approval'])
const environment = await item(await group.follow('cb:orderable-environments'), 'environments')
const listed = await (await root.follow('blueprints')).follow('cb:filter', { filter: 'name:Custom Server' })
const blueprint = await item(listed, 'blueprints')
say('order', blueprint.data.name, 'for', group.data.name, 'in', environment.data.name)

const order = blueprint.hasAction('order') ? await byForm() : await byLink()
const ordered = await until(() => order.refresh(), s => s.data.status, ...ended)
check('the order', ordered.data.status, 'SUCCESS')

// byLink posts to the list of orders what it has come upon.
async function byLink () {
  say('by the link orders')
  return (await root.follow('orders')).postFollow({
    data: orderBody({
      group: group.uri,
      environment: environment.uri,
      osBuild: environment.followAll('os-builds')[0].uri,
      blueprint: blueprint.uri,
      buildItems: blueprint.data['build-items'],
      inputs: blueprint.data.inputs
    })
  })
}

// byForm fills in the blueprint's form: what it asks for and is known by now, and
// else the first of what it offers.
async function byForm () {
  const form = blueprint.action('order')
  say('by the form', form.title ?? form.name)
  const known = { group, environment, 'os-build': environment.followAll('os-builds')[0], os_build: environment.followAll('os-builds')[0] }
  const answers = { 'submit-now': 'true' }
  for (const field of form.fields) {
    const to = known[field.name.split('.').pop()]
    if (to) answers[field.name] = to.uri
    else if (field.name === 'vm-size' || (field.required && field.value === undefined)) answers[field.name] = Object.keys(field.options)[0]
  }
  return (await form.submit(answers)).follow('self')
}

const server = ordered.followAll('servers')[0]
let seen = await server.refresh()
say('server', seen.data.hostname, seen.data.ip, seen.data['power-status'])
check('the server', seen.data.status, 'ACTIVE')
check('the server', seen.data['power-status'], 'POWERON')

const job = (await (await server.follow('cb:power-off')).post({ data: {} })).follow('self')
const worked = await until(() => job.refresh(), s => s.data.status, ...ended)
check('the job', worked.data.status, 'SUCCESS')
seen = await server.refresh()
check('the server', seen.data['power-status'], 'POWEROFF')
check('power-off is offered', seen.links.has('cb:power-off'), false)
check('power-on is offered', seen.links.has('cb:power-on'), true)
say('server', seen.data.hostname, seen.data['power-status'])

if (seen.hasAction('delete')) await seen.action('delete').submit({})
else await server.delete()
seen = await until(() => server.refresh(), s => s.data.status, 'HISTORICAL')
say('server', seen.data.hostname, seen.data.status)
