// Tells every story to one browser, one after the other, and writes a line of JSON for
// each: its name, what went wrong, and how long it took.
//
//   node run.mjs http://127.0.0.1:8080 [part of a story's name …]
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Inspector, launch } from './browser.mjs'
import { stories } from './stories.mjs'

const [root, ...wanted] = process.argv.slice(2)
const origin = new URL(root).origin
const browser = await launch()
const inspector = new Inspector(origin)
let pictures

// tell runs one story and closes what it has opened. When it fails, what the pages
// showed last is kept as pictures.
async function tell(name, story) {
  const started = Date.now()
  inspector.problems = []
  try {
    await story({ browser, inspector, origin })
  } catch (e) {
    inspector.problems.push(e.stack.replace(/\x1b\[\d+m/g, ''))
    for (const page of browser.contexts().flatMap(c => c.pages())) {
      pictures ??= mkdtempSync(join(tmpdir(), 'halcyon-browser-'))
      const path = join(pictures, `${name.replace(/\W+/g, '-')}-${inspector.problems.length}.png`)
      await page.screenshot({ path, fullPage: true }).catch(() => {})
      inspector.problems.push(`${page.url()} is shown in ${path}`)
    }
  }
  for (const context of browser.contexts()) await context.close()
  console.log(JSON.stringify({ story: name, problems: inspector.problems, seconds: (Date.now() - started) / 1000 }))
}

for (const [name, story] of Object.entries(stories)) {
  if (wanted.length === 0 || wanted.some(w => name.includes(w))) await tell(name, story)
}
await tell('style sheets and scripts are small', async () => void inspector.weigh())
await browser.close()
