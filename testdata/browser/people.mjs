// What people do, in the words that pages say: roles and names, not markup.
import assert from 'node:assert/strict'
import { desktop, phone } from './browser.mjs'

export const password = 'demo'

// person opens a browser of somebody's own, on the first page, signed in.
export async function person(t, name, options) {
  const context = await t.inspector.context(t.browser, { httpCredentials: { username: name, password, send: 'always' }, ...options })
  const page = await context.newPage()
  await page.goto('/api/v2/')
  return page
}

// api is a request of a program, to arrange things or to see what became of them.
export async function api(t, who, method, path, body) {
  const res = await fetch(t.origin + path, {
    method, body: body && JSON.stringify(body),
    headers: {
      Authorization: 'Basic ' + Buffer.from(`${who}:${password}`).toString('base64'), Accept: 'application/hal+json',
      ...(body ? { 'Content-Type': 'application/json' } : {}),
    },
  })
  const text = await res.text()
  assert.ok(res.ok, `${method} ${path}: ${res.status} ${text}`)
  return text ? JSON.parse(text) : undefined
}

// ways are how people press and fill: with a mouse, with the keyboard alone, and with
// a finger on a phone.
export const ways = {
  mouse: { options: { viewport: desktop }, press: l => l.click(), fill: (l, text) => l.fill(text), choose: (l, option) => l.selectOption(option) },
  keyboard: { options: { viewport: desktop }, press: pressKeys, fill: typeKeys, choose: chooseKeys },
  phone: {
    options: { viewport: phone, hasTouch: true, isMobile: true, deviceScaleFactor: 2 },
    press: l => l.tap(), fill: (l, text) => l.fill(text), choose: (l, option) => l.selectOption(option),
  },
}

// reach presses Tab until the element has the focus, from wherever it is.
async function reach(locator) {
  await locator.waitFor()
  const page = locator.page()
  for (let i = 0; i < 400; i++) {
    if (await locator.evaluate(e => e === document.activeElement)) return page
    await page.keyboard.press('Tab')
  }
  throw new Error(`the Tab key never comes to ${locator}`)
}

async function pressKeys(locator) {
  const page = await reach(locator)
  const kind = await locator.evaluate(e => e.type === 'checkbox' || e.tagName === 'SUMMARY' ? 'Space' : 'Enter')
  await page.keyboard.press(kind)
}

async function typeKeys(locator, text) {
  const page = await reach(locator)
  await page.keyboard.press('ControlOrMeta+A')
  await page.keyboard.type(text)
}

// chooseKeys types the beginning of an option's text.
async function chooseKeys(locator, option) {
  const page = await reach(locator)
  const text = await locator.evaluate((e, o) => [...e.options].find(x => x.value === o || x.label === o).label, option.label ?? option)
  await page.keyboard.type(text)
  assert.equal(await locator.evaluate(e => e.selectedOptions[0].label), text)
}
