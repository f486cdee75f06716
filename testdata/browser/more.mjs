// What people do besides the whole job.
import assert from 'node:assert/strict'
import { act, api, fresh, ordered, person, shows, signIn, until, ways } from './people.mjs'

// waiting gives the path of an order of alice's that bob can approve.
async function waiting(t, name) {
  const order = await api(t, 'alice', 'POST', '/api/v2/blueprints/1/actions/order', {
    group: 3, environment: 3, 'vm-size': 'small', 'submit-now': true, name,
  })
  assert.equal(order.status, 'PENDING')
  return order._links.self.href
}

// step is where an order is on its way.
const step = (page, name) => page.getByRole('main').getByRole('list', { name: 'How far it is' }).getByText(name, { exact: true })
const finished = page => page.getByRole('main').getByRole('listitem').filter({ hasText: /Done, done/ })

export async function approve(t) {
  const path = await waiting(t, 'For approval')
  const alice = await person(t, 'alice', { path })
  await step(alice, 'Waiting for approval').waitFor()
  const bob = await person(t, 'bob')
  await t.inspector.check(bob, 'home of an approver')
  await bob.goto(path)
  await t.inspector.check(bob, 'order to approve')
  await act(bob.getByRole('main'), 'Approve')
  await shows(bob, ways.mouse, finished(bob))
  await finished(alice).waitFor() // nobody has touched this page
  await alice.getByRole('progressbar').first().waitFor()
}

export async function deny(t) {
  const path = await waiting(t, 'To be denied')
  const bob = await person(t, 'bob', { path })
  const main = bob.getByRole('main')
  await main.locator('summary', { hasText: 'Deny' }).click()
  await bob.getByLabel(/reason|why/i).fill('Not this <b>month</b>.')
  await main.getByRole('button', { name: 'Deny', exact: true }).click()
  await step(bob, 'Denied').waitFor()
  await main.getByText('Not this <b>month</b>.').first().waitFor()
  await t.inspector.check(bob, 'order that was denied')
}

export async function wrong(t) {
  const page = await person(t, 'alice', { path: '/api/v2/blueprints/1' })
  await page.getByLabel('Host name').fill('kept')
  await page.getByLabel('Name of the service').fill('<b>Kept</b>')
  await page.getByLabel('Whose the servers will be').first().fill('nobody-of-that-name')
  await page.getByRole('main').getByRole('button', { name: 'Order now' }).click()
  await page.getByRole('alert').waitFor()
  await t.inspector.check(page, 'form that is wrong')
  assert.equal(await page.getByLabel('Host name').inputValue(), 'kept')
  assert.equal(await page.getByLabel('Name of the service').inputValue(), '<b>Kept</b>')
  assert.equal(await page.getByLabel('Whose the servers will be').first().getAttribute('aria-invalid'), 'true')
}

export async function ended(t) {
  const host = fresh('not-lost')
  const page = await person(t, 'alice', { path: '/api/v2/blueprints/1' })
  await page.getByLabel('Host name').fill(host)
  await api(t, 'alice', 'POST', '/api/v2/users/2/actions/sign-out-everywhere')
  await page.getByRole('main').getByRole('button', { name: 'Order now' }).click()
  await page.getByLabel('Password').waitFor()
  await t.inspector.check(page, 'sign-in within a form')
  await signIn(page, 'alice')
  await page.getByRole('heading', { level: 1, name: 'Custom Server' }).waitFor()
  assert.equal(await page.getByLabel('Host name').inputValue(), host)
  await page.getByRole('main').getByRole('button', { name: 'Order now' }).click()
  await page.getByRole('main').getByText(host).first().waitFor()
}

export async function stale(t) {
  const path = '/api/v2/groups/6'
  const admin = await person(t, 'admin', { path })
  await admin.locator('summary', { hasText: 'Edit' }).click()
  const description = admin.getByLabel(/what the group is for|description/i)
  await description.fill('Mine')
  await api(t, 'admin', 'PATCH', path, { description: 'Theirs' })
  await admin.getByRole('main').getByRole('button', { name: /^(Edit|Save)$/ }).click()
  await admin.getByRole('alert').waitFor()
  assert.equal(await description.inputValue(), 'Mine')
  await t.inspector.check(admin, 'edit that is stale')
  assert.equal((await api(t, 'admin', 'GET', path)).description, 'Theirs')
}

export async function filter(t) {
  const host = fresh('filtered')
  await ordered(t, 'alice', 1, host)
  const page = await person(t, 'alice', { path: '/api/v2/servers/' })
  await t.inspector.check(page, 'servers')
  const rows = page.getByRole('main').getByRole('row')
  assert.ok(await rows.count() > 2, 'there is more than what the filter lets through')
  await page.getByLabel('Hostname contains').fill(host)
  await page.getByRole('search').getByRole('button', { name: 'Show', exact: true }).click()
  await page.getByRole('link', { name: /^Without: / }).waitFor()
  assert.equal(await rows.count(), 2, 'the head, and the one that it lets through')
  await page.getByRole('main').getByRole('link', { name: new RegExp(`^${host}`) }).waitFor()
  await t.inspector.check(page, 'servers, filtered')
  await page.getByRole('link', { name: /^Without: / }).click()
  await until(() => rows.count(), n => n > 2)
}

export async function bulk(t) {
  const host = fresh('several')
  const servers = [...await ordered(t, 'alice', 1, host), ...await ordered(t, 'alice', 1, `${host}-too`)]
  const page = await person(t, 'alice', { path: `/api/v2/servers/?filter=hostname.startswith:${host}` })
  const main = page.getByRole('main')
  await main.getByRole('link', { name: 'Select several' }).click()
  for (const s of servers) await main.getByRole('checkbox', { name: s.title }).check()
  await t.inspector.check(page, 'servers, selected')
  await act(main.getByRole('group', { name: 'With those selected' }), 'Power off')
  await main.getByText(/all 2/).first().waitFor()
  await t.inspector.check(page, 'what became of those selected')
  for (const s of servers) await until(() => api(t, 'alice', 'GET', s.href), x => x['power-status'] === 'POWEROFF')
}

export async function cart(t) {
  const page = await person(t, 'alice')
  const main = page.getByRole('main')
  const hosts = [fresh('first'), fresh('second')]
  for (const host of hosts) {
    await page.goto('/api/v2/blueprints/1')
    await page.getByLabel('Host name').fill(host)
    await main.getByRole('button', { name: 'Add to cart' }).click()
    await page.getByRole('heading', { level: 1, name: /cart/i }).waitFor()
  }
  await page.getByRole('banner').getByRole('link', { name: /^Cart/ }).click()
  await page.getByRole('heading', { level: 1, name: /cart/i }).waitFor()
  assert.equal(await main.getByRole('heading', { name: 'Custom Server' }).count(), 2)
  await main.getByText('28.80').first().waitFor() // both together
  await t.inspector.check(page, 'cart')
  await main.getByRole('button', { name: 'Submit', exact: true }).click()
  await shows(page, ways.mouse, finished(page))
  for (const host of hosts) await main.getByRole('link', { name: host }).first().waitFor()
}

export async function docs(t) {
  const page = await person(t, 'alice')
  const main = page.getByRole('main')
  await page.getByRole('contentinfo').getByRole('link', { name: 'Documentation' }).click()
  await page.getByRole('heading', { level: 1, name: 'Documentation' }).waitFor()
  await t.inspector.check(page, 'documentation')
  await page.goto('/api/v2/docs/resources/')
  await main.getByRole('link', { name: 'Orders', exact: true }).click()
  await page.getByRole('heading', { level: 1, name: /order/i }).waitFor()
  await t.inspector.check(page, 'documentation of a resource')
  await page.goto('/api/v2/docs/openapi/')
  page.setDefaultTimeout(180_000) // it is a large script, and reads all routes
  await page.locator('#operations-tag-servers').click() // the viewer has read the description
  const operation = page.locator('#operations-servers-listServers')
  await operation.locator('.opblock-summary-control').click()
  await operation.locator('.try-out__btn').click()
  await operation.locator('.execute').click()
  assert.match(await operation.locator('.live-responses-table tbody .response-col_status').first().textContent(), /^\s*200/)
}

export async function token(t) {
  const page = await person(t, 'alice', { path: '/api/v2/user' })
  const main = page.getByRole('main')
  await t.inspector.check(page, 'profile')
  await page.goto('/api/v2/api-tokens/')
  await main.locator('summary', { hasText: /token/i }).first().click()
  await main.getByLabel(/^Name|What it is for/).first().fill('For a script')
  await main.getByRole('button', { name: /new|create|token/i }).last().click()
  const secret = main.getByText(/^[a-z]{2,10}_[A-Za-z0-9_-]{20,}$/).first()
  await secret.waitFor()
  await t.inspector.check(page, 'token that was made')
  const use = async () => (await fetch(`${t.origin}/api/v2/user`, { headers: { Authorization: `Bearer ${(await secret.textContent()).trim()}` } })).status
  assert.equal(await use(), 200)
}

// Names are the texts that somebody else has typed: none of them is markup, and none
// makes a page wider than it is.
export async function names(t) {
  const name = `<img src=x onerror=alert(1)>"'${'W'.repeat(180)}`
  const path = await waiting(t, name)
  const page = await person(t, 'bob', { path })
  page.on('dialog', d => t.inspector.problem(page.url(), `a dialog says ${d.message()}`))
  await page.getByText(name).first().waitFor()
  await t.inspector.check(page, 'order with a long name')
  await page.goto('/api/v2/')
  await t.inspector.check(page, 'home with a long name')
  await page.goto('/api/v2/orders/?order=-id')
  await t.inspector.check(page, 'orders with a long name')
}
