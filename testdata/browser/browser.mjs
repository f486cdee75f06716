// Chromium, and what is held against every page that it shows.
import { createRequire } from 'node:module'
import { readFileSync } from 'node:fs'
import { chromium } from 'playwright-core'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

// The two widths that pages are made for.
export const desktop = { width: 1280, height: 800 }
export const phone = { width: 390, height: 844 }

// What pages may weigh: all style sheets and all scripts, before compression. The
// viewer of the OpenAPI description is a program of its own and not counted.
const assetBudget = 60 * 1024

// launch starts the browser that HALCYON_TEST_CHROMIUM names. It talks to 127.0.0.1
// alone: its own errands are switched off, and no other name or address resolves.
export function launch() {
  return chromium.launch({
    executablePath: process.env.HALCYON_TEST_CHROMIUM || '/usr/bin/chromium',
    chromiumSandbox: process.getuid() !== 0,
    args: [
      '--disable-background-networking', '--disable-component-update', '--disable-default-apps', '--disable-sync',
      '--disable-domain-reliability', '--no-pings', '--no-first-run', '--no-default-browser-check',
      '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1', '--force-prefers-reduced-motion',
      '--font-render-hinting=none',
    ],
  })
}

// Inspector makes contexts in which everything that must not happen is written down,
// and holds pages against what must be true of all.
export class Inspector {
  constructor(origin) {
    this.origin = origin
    this.problems = []
    this.weight = new Map() // bytes of style sheets and scripts by their address
    this.seen = new Set() // what was checked in full already
  }

  problem(where, what) {
    this.problems.push(`${where}: ${what}`)
  }

  // context is a browser's profile: nobody is signed in.
  async context(browser, options = {}) {
    const context = await browser.newContext({ baseURL: this.origin, viewport: desktop, ...options })
    context.setDefaultTimeout(15_000)
    context.on('request', r => {
      const url = new URL(r.url())
      if (url.protocol !== 'data:' && url.origin !== this.origin) this.problem(r.frame()?.url() ?? '', `a request to ${url.origin}`)
    })
    context.on('response', async r => {
      const kind = r.request().resourceType()
      if (kind !== 'stylesheet' && kind !== 'script') return
      const body = r.url().includes('/docs/openapi/') ? undefined : await r.body().catch(() => undefined)
      if (body) this.weight.set(new URL(r.url()).pathname, body.length)
    })
    context.on('weberror', e => this.problem(e.page()?.url() ?? '', `an uncaught exception: ${e.error()}`))
    context.on('console', m => {
      // The browser writes down each answer of 400 and more; stories look at those themselves.
      if (m.type() === 'error' && !m.text().startsWith('Failed to load resource')) this.problem(m.page()?.url() ?? '', `the console says ${m.text()}`)
    })
    await context.exposeBinding('halcyonViolation', ({ page }, what) => this.problem(page.url(), `the policy was violated: ${what}`))
    await context.addInitScript(() => {
      addEventListener('securitypolicyviolation', e => window.halcyonViolation(`${e.violatedDirective} ${e.blockedURI} ${e.sample}`))
    })
    return context
  }

  // check holds what the page shows now against what must be true of all pages, in
  // light and dark, wide and narrow. A page is checked once under each name.
  async check(page, name) {
    const scripts = await page.evaluate(() => true).catch(() => false)
    if (this.seen.has(name) || !scripts) return
    this.seen.add(name)
    const before = page.viewportSize()
    for (const size of [desktop, phone]) {
      await page.setViewportSize(size)
      for (const colorScheme of ['light', 'dark']) {
        await page.emulateMedia({ colorScheme })
        await this.accessible(page, `${name}, ${colorScheme}, ${size.width} wide`, colorScheme === 'dark' ? ['color-contrast'] : undefined)
      }
      await this.fits(page, `${name}, ${size.width} wide`)
    }
    await page.emulateMedia({ colorScheme: 'light' })
    await page.setViewportSize(before)
    await this.reachable(page, name)
  }

  // accessible asks axe-core, of all its rules or of some.
  async accessible(page, where, rules = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']) {
    if (!await page.evaluate(() => 'axe' in window)) await page.evaluate(axe)
    const { violations } = await page.evaluate(runOnly => window.axe.run(document, { runOnly, resultTypes: ['violations'] }), rules)
    for (const v of violations) {
      if (v.impact !== 'serious' && v.impact !== 'critical') continue
      this.problem(where, `axe: ${v.id}: ${v.help}\n${v.nodes.slice(0, 5).map(n => `    ${n.html.slice(0, 160)}\n      ${n.any.concat(n.all, n.none).map(c => c.message).join('; ')}`).join('\n')}`)
    }
  }

  // fits wants a page as wide as the window, also with all open that asks once more,
  // and with letters as wide as those of some machines are.
  async fits(page, where) {
    const wide = await page.evaluate(() => {
      const room = document.documentElement.clientWidth
      const closed = [...document.querySelectorAll('details.confirm:not([open])')]
      const letters = new CSSStyleSheet()
      letters.replaceSync('* { font-family: monospace, monospace !important }') // once would also make them smaller
      try {
        for (const stretch of [() => {}, () => closed.forEach(d => { d.open = true }), () => document.adoptedStyleSheets.push(letters)]) {
          stretch()
          if (document.documentElement.scrollWidth <= room) continue
          const culprits = [...document.body.querySelectorAll('*')].filter(e => e.checkVisibility() && e.getBoundingClientRect().right > room + 1)
          return `${document.documentElement.scrollWidth} > ${room}: ${culprits.slice(-3).map(e => e.outerHTML.slice(0, 100)).join(' | ')}`
        }
      } finally {
        closed.forEach(d => { d.open = false })
        document.adoptedStyleSheets = []
      }
    })
    if (wide) this.problem(where, `the page scrolls sideways: ${wide}`)
  }

  // reachable walks through the page with the Tab key, and reports what can be
  // pressed with a mouse and never had the focus, or did not show it.
  async reachable(page, where) {
    const total = await page.evaluate(() => {
      document.activeElement?.blur?.()
      getSelection()?.removeAllRanges()
      const list = [...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex="0"]')]
        .filter(e => e.checkVisibility({ visibilityProperty: true }) && !e.disabled && !e.closest('[inert]'))
      // By what they are, since a page that moves puts new ones in their place.
      window.halcyonKey = e => e.outerHTML.slice(0, 300)
      window.halcyonTabs = new Map(list.filter(e => e.type !== 'radio' || e.checked).map(e => [window.halcyonKey(e), e]))
      return list.length
    })
    await page.evaluate(() => { document.body.tabIndex = -1; document.body.focus(); document.body.removeAttribute('tabindex') })
    for (let i = 0; i < total + 3; i++) {
      await page.keyboard.press('Tab')
      const missing = await page.evaluate(() => {
        const e = document.activeElement
        if (!e || e === document.body) return undefined
        window.halcyonTabs.delete(window.halcyonKey(e))
        const s = getComputedStyle(e)
        return s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) > 0 || s.boxShadow !== 'none' ? undefined : e.outerHTML.slice(0, 120)
      })
      if (missing) this.problem(where, `the focus cannot be seen on ${missing}`)
    }
    const left = await page.evaluate(() => [...window.halcyonTabs.values()].filter(e => e.isConnected).map(e => e.outerHTML.slice(0, 120)))
    for (const e of left.slice(0, 5)) this.problem(where, `the Tab key never comes to ${e}`)
  }

  // weigh reports style sheets and scripts that are too much in all.
  weigh() {
    let sum = 0
    for (const n of this.weight.values()) sum += n
    if (sum > assetBudget) this.problem('all pages', `${sum} bytes of style sheets and scripts, more than ${assetBudget}: ${JSON.stringify([...this.weight])}`)
    return sum
  }
}
