// Takes the pictures of docs/images.
//
//   node screenshots.mjs http://127.0.0.1:8080 docs/images
import { join } from 'node:path'
import { Inspector, desktop, launch, phone } from './browser.mjs'
import * as people from './people.mjs'

const [root, folder] = process.argv.slice(2)
const origin = new URL(root).origin
const browser = await launch()
const inspector = new Inspector(origin)
const t = { browser, inspector, origin }

// picture shows a page as somebody sees it.
async function picture(name, who, path, { size = desktop, colorScheme = 'light', prepare = async () => {} } = {}) {
  const page = who ? await people.person(t, who, { path }) : await people.visitor(t)
  if (!who) await page.goto(path)
  await page.setViewportSize(size)
  await page.emulateMedia({ colorScheme })
  await prepare(page)
  await page.evaluate(() => document.activeElement?.blur())
  await page.screenshot({ path: join(folder, `${name}.png`) })
  await page.context().close()
}

await people.ordered(t, 'alice', 3, 'web')

const tall = { width: 1280, height: 1180 }

await picture('sign-in', '', '/api/v2/', { size: { width: 900, height: 560 } })
await picture('home', 'alice', '/api/v2/', { size: { width: 1280, height: 860 } })
await picture('price', 'alice', '/api/v2/blueprints/1', {
  size: tall,
  async prepare(page) {
    await page.getByLabel('Host name').fill('db')
    await page.getByRole('button', { name: /price/i }).click()
    await page.getByRole('heading', { name: 'What it would lead to' }).waitFor()
    await page.evaluate(() => scrollTo(0, 0))
  },
})
await picture('approval', 'bob', '/api/v2/orders/2', { size: { width: 1280, height: 860 } })
await picture('order', 'alice', '/api/v2/orders/4', { size: { width: 1280, height: 1000 } })
await picture('servers', 'alice', '/api/v2/servers/')
await picture('server-phone', 'alice', '/api/v2/servers/1', { size: phone })
await picture('home-dark', 'alice', '/api/v2/', { colorScheme: 'dark' })

await browser.close()
if (inspector.problems.length) {
  console.error(inspector.problems.join('\n'))
  process.exitCode = 1
}
