// A HAL browser on another origin orders a server: it reads links and templates alone,
// resolves nothing against the API's address, honors selectedValues, fetches linked
// options without credentials, and frames the documentation of a relation.
//
//   node origin.mjs http://127.0.0.1:8080 http://127.0.0.1:9090 PASSWORD
import { launch } from './browser.mjs'

const [api, explorer, password] = process.argv.slice(2)
const browser = await launch()
const context = await browser.newContext()
const page = await context.newPage()
await page.goto(explorer)

// What runs in the page has no other help than fetch.
const found = await page.evaluate(async ({ api, password }) => {
  const authorization = 'Basic ' + btoa('alice:' + password)
  const ask = async (href, init = {}) => {
    const answer = await fetch(href, { ...init, headers: { Accept: 'application/prs.hal-forms+json', Authorization: authorization, ...init.headers } })
    const text = await answer.text()
    if (!answer.ok) throw new Error(`${init.method ?? 'GET'} ${href}: ${answer.status} ${text}`)
    return { doc: text ? JSON.parse(text) : null, headers: answer.headers }
  }
  // fill answers a template as it is preset, with the first choice of what has no preset.
  const fill = async template => {
    const body = {}
    for (const p of template.properties) {
      if (p.options) {
        let choices = p.options.inline
        if (!choices) { // linked options are fetched without credentials
          const linked = await fetch(p.options.link.href)
          choices = linked.ok ? await linked.json() : []
        }
        const preset = p.options.selectedValues ?? []
        if (preset.length) body[p.name] = p.options.maxItems === 1 ? preset[0] : preset
        else if (p.options.minItems) body[p.name] = choices[0].value
      } else if (p.value !== undefined && p.value !== '') {
        body[p.name] = p.value
      } else if (p.required) {
        throw new Error(`${p.name} has to be typed`)
      }
    }
    return body
  }
  const send = async (template) => ask(template.target, {
    method: template.method, body: JSON.stringify(await fill(template)), headers: { 'Content-Type': template.contentType ?? 'application/json' },
  })
  const { doc: root } = await ask(api + '/api/v2/')
  const { doc: blueprints } = await ask(root._links.blueprints.href)
  const single = blueprints._embedded.blueprints.find(b => !/LAMP/i.test(b.name))
  const { doc: blueprint } = await ask(single._links.self.href)
  const template = blueprint._templates.order ?? blueprint._templates.default // a single template is the default
  let { doc: order, headers } = await send(template)
  if (order._links.self.href !== headers.get('Location')) throw new Error(`Location is ${headers.get('Location')}`)
  const curie = order._links.curies.find(c => c.name === 'cb')
  for (let i = 0; i < 300 && !['SUCCESS', 'FAILURE', 'WARNING', 'CANCELED'].includes(order.status); i++) {
    await new Promise(next => setTimeout(next, 100))
    order = (await ask(order._links.self.href)).doc
  }
  const allow = (await fetch(order._links.self.href, { method: 'OPTIONS', headers: { Authorization: authorization } })).headers.get('Allow')
  return { status: order.status, servers: order._links.servers?.length, docs: curie.href.replace('{rel}', 'submit'), allow }
}, { api, password })

if (found.status !== 'SUCCESS') throw new Error(`the order ended as ${JSON.stringify(found)}`)
if (!/GET/.test(found.allow ?? '')) throw new Error(`Allow is ${found.allow}`)
await page.evaluate(href => {
  const frame = document.createElement('iframe')
  frame.src = href
  document.body.append(frame)
}, found.docs)
await page.frameLocator('iframe').locator('h1').waitFor({ timeout: 10000 })
await browser.close()
