// What people do besides the whole job.
import assert from 'node:assert/strict'
import { api, ordered, person, shows, signIn, until, ways } from './people.mjs'

// waiting gives the path of an order of alice's that bob can approve.
async function waiting(t, name) {
  const order = await api(t, 'alice', 'POST', '/api/v2/blueprints/1/actions/order', {
    group: 3, environment: 3, 'vm-size': 'small', 'submit-now': true, name,
  })
  assert.equal(order.status, 'PENDING')
  return order._links.self.href
}

export async function approve(t) {
  const path = await waiting(t, 'For approval')
  const alice = await person(t, 'alice', { path })
  await alice.getByText('PENDING').first().waitFor()
  const bob = await person(t, 'bob')
  await bob.getByRole('main').getByRole('link', { name: /For approval|waiting/i }).first().click()
  await bob.goto(path)
  await t.inspector.check(bob, 'order to approve')
  await bob.getByRole('main').getByRole('button', { name: 'Approve' }).click()
  await shows(bob, ways.mouse, bob.getByText('SUCCESS'))
  await alice.getByText('SUCCESS').first().waitFor() // without anything done there
}

export async function deny(t) {
  const path = await waiting(t, 'To be denied')
  const bob = await person(t, 'bob', { path })
  const main = bob.getByRole('main')
  await main.locator('summary', { hasText: 'Deny' }).click()
  await bob.getByLabel(/reason/i).fill('Not this <b>month</b>.')
  await main.getByRole('button', { name: 'Deny', exact: true }).click()
  await main.getByText('DENIED').first().waitFor()
  await main.getByText('Not this <b>month</b>.').first().waitFor()
  await t.inspector.check(bob, 'order that was denied')
}

export async function wrong(t) {
  const page = await person(t, 'alice', { path: '/api/v2/blueprints/1' })
  await page.getByLabel('Host name').fill('kept')
  await page.getByLabel('Name of the service').fill('<b>Kept</b>')
  await page.getByLabel('Whose the servers will be').fill('nobody-of-that-name')
  await page.getByRole('main').getByRole('button', { name: 'Order', exact: true }).click()
  await page.getByRole('alert').waitFor()
  await t.inspector.check(page, 'form that is wrong')
  assert.equal(await page.getByLabel('Host name').inputValue(), 'kept')
  assert.equal(await page.getByLabel('Name of the service').inputValue(), '<b>Kept</b>')
  assert.equal(await page.getByLabel('Whose the servers will be').getAttribute('aria-invalid'), 'true')
}

export async function ended(t) {
  const page = await person(t, 'alice', { path: '/api/v2/blueprints/1' })
  await page.getByLabel('Host name').fill('not-lost')
  await page.context().clearCookies()
  await page.getByRole('main').getByRole('button', { name: 'Order', exact: true }).click()
  await t.inspector.check(page, 'sign-in within a form')
  await signIn(page, 'alice')
  await page.getByRole('heading', { level: 1, name: 'Custom Server' }).waitFor()
  assert.equal(await page.getByLabel('Host name').inputValue(), 'not-lost')
  await page.getByRole('main').getByRole('button', { name: 'Order', exact: true }).click()
  await page.getByRole('main').getByText('not-lost').first().waitFor()
}

export async function stale(t) {
  const admin = await person(t, 'admin', { path: '/api/v2/groups/6' })
  await admin.locator('summary', { hasText: 'Edit' }).click()
  await admin.getByLabel(/what the group is for/i).fill('Mine')
  await api(t, 'admin', 'PATCH', '/api/v2/groups/6', { description: 'Theirs' })
  await admin.getByRole('main').getByRole('button', { name: 'Edit', exact: true }).click()
  await admin.getByRole('alert').waitFor()
  assert.equal(await admin.getByLabel(/what the group is for/i).inputValue(), 'Mine')
  await t.inspector.check(admin, 'edit that is stale')
  assert.equal((await api(t, 'admin', 'GET', '/api/v2/groups/6')).description, 'Theirs')
}

export async function filter(t) {
  await ordered(t, 'alice', 2, 'filter-{n}')
  const page = await person(t, 'alice', { path: '/api/v2/servers/' })
  await t.inspector.check(page, 'servers')
  assert.fail('to be written')
}

export async function bulk(t) {
  const servers = await ordered(t, 'alice', 2, 'bulk-{n}')
  const page = await person(t, 'alice', { path: '/api/v2/servers/?filter=hostname.startswith:bulk-' })
  assert.fail('to be written')
}

export async function cart(t) {
  assert.fail('to be written')
}

export async function docs(t) {
  assert.fail('to be written')
}

export async function token(t) {
  assert.fail('to be written')
}
