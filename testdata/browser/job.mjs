// The whole job: sign in, find a blueprint, fill its form, see the price and who
// approves, submit, watch the bar, see the server, switch it off.
import assert from 'node:assert/strict'
import { act, api, shows, signIn, until, visitor } from './people.mjs'

// theJob is done in one of the ways.
export async function theJob(t, way, hostname) {
  const { press, fill, choose } = way
  const page = await visitor(t, way)
  const check = name => t.inspector.check(page, name)
  const main = page.getByRole('main')

  await page.goto('/api/v2/')
  await check('sign-in')
  await signIn(page, 'alice', way)
  await page.getByRole('banner').getByText('alice').waitFor()
  await check('home')

  await press(page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Catalogue' }))
  await check('catalogue')
  await press(main.getByRole('link', { name: 'Custom Server' }).first())
  await page.getByRole('heading', { level: 1, name: 'Custom Server' }).waitFor()
  await check('blueprint')

  await choose(page.getByLabel('Environment'), 'Simple Environment')
  await choose(page.getByLabel('Size'), 'small (1 CPU, 1 GB, 14.40/month)')
  await fill(page.getByLabel('Host name'), hostname)
  await press(main.getByRole('button', { name: /price/i }))
  await main.getByText('14.40').first().waitFor()
  await main.getByText(/approv/i).first().waitFor()
  assert.equal(await page.getByLabel('Host name').inputValue(), hostname, 'what was typed is still there')
  await check('price')

  await press(main.getByRole('button', { name: 'Order now' }))
  await page.getByRole('heading', { level: 1, name: /^Order \d+/ }).waitFor()
  await main.getByRole('progressbar').first().waitFor()
  await shows(page, way, main.getByRole('listitem').filter({ hasText: /Done, done/ }))
  await check('order')

  await press(main.getByRole('link', { name: hostname }).first())
  await page.getByRole('heading', { level: 1, name: hostname }).waitFor()
  await shows(page, way, main.getByText(/^\S On$/))
  await check('server')
  const server = new URL(page.url()).pathname
  await act(main, 'Power off', way)
  await page.getByRole('heading', { level: 1, name: /job/i }).waitFor()
  await shows(page, way, main.getByText(/^\S Done$/))
  await check('job')
  await press(main.getByRole('link', { name: hostname }).first())
  await shows(page, way, main.getByText(/^\S Off$/))
  await until(() => api(t, 'alice', 'GET', server), s => s['power-status'] === 'POWEROFF')
}
