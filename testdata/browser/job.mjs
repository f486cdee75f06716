// The whole job: find a blueprint, order it, watch the order, switch the server off.
import assert from 'node:assert/strict'
import { person } from './people.mjs'

// theJob is done in one of the ways.
export async function theJob(t, { options, press, fill, choose }) {
  const page = await person(t, 'alice', options)
  const check = name => t.inspector.check(page, name)
  const main = page.getByRole('main')
  await check('home')

  await press(page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Catalogue' }))
  await check('catalogue')
  await press(main.getByRole('link', { name: 'Custom Server' }))
  await page.getByRole('heading', { level: 1, name: 'Custom Server' }).waitFor()
  await press(main.locator('summary', { hasText: 'Order' }))
  await choose(page.getByLabel('Environment'), { label: 'Simple Environment' })
  await choose(page.getByLabel('Size'), { label: 'small (1 CPU, 1 GB, 14.40/month)' })
  await fill(page.getByLabel('Host name'), 'web-{order}')
  await check('blueprint')
  await press(main.getByRole('button', { name: 'Order', exact: true }))
  assert.match(await page.textContent('main'), /./)
}
