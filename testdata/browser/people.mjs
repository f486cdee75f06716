// What people do, in the words that pages say: roles and names, not markup.
import assert from 'node:assert/strict'
import { desktop, phone } from './browser.mjs'

export const password = 'demo'

// ways are how people press and fill: with a mouse, with the keyboard alone, and with
// a finger on a phone.
export const ways = {
  mouse: { options: { viewport: desktop }, press: l => l.click(), fill: (l, text) => l.fill(text), choose: (l, label) => l.selectOption({ label }) },
  keyboard: { options: { viewport: desktop }, press: pressKeys, fill: typeKeys, choose: chooseKeys },
  phone: {
    options: { viewport: phone, hasTouch: true, isMobile: true, deviceScaleFactor: 2 },
    press: l => l.tap(), fill: (l, text) => l.fill(text), choose: (l, label) => l.selectOption({ label }),
  },
  withoutScript: {
    options: { viewport: desktop, javaScriptEnabled: false },
    press: l => l.click(), fill: (l, text) => l.fill(text), choose: (l, label) => l.selectOption({ label }),
  },
}

// visitor opens a browser of somebody's own who is nobody yet.
export async function visitor(t, way = ways.mouse) {
  return (await t.inspector.context(t.browser, way.options)).newPage()
}

// signIn fills the form that the page shows.
export async function signIn(page, name, { press, fill } = ways.mouse) {
  await fill(page.getByLabel('User name'), name)
  await fill(page.getByLabel('Password', { exact: false }), password)
  await press(page.getByRole('main').getByRole('button', { name: 'Sign in', exact: true }))
}

// person opens a browser of somebody's own, signs in, and goes to a page.
export async function person(t, name, { path = '/api/v2/', way = ways.mouse } = {}) {
  const page = await visitor(t, way)
  await page.goto('/api/v2/sign-in')
  await signIn(page, name, way)
  await page.getByRole('banner').getByText(name).waitFor()
  await page.goto(path)
  return page
}

// act presses the button of an action, and once more where it is asked whether that is
// meant.
export async function act(within, name, { press } = ways.mouse) {
  const ask = within.locator('summary').filter({ hasText: name })
  const button = within.getByRole('button', { name, exact: true })
  await ask.or(button).first().waitFor()
  if (await ask.count()) await press(ask)
  await press(button)
}

// fresh gives a host name that nobody has yet.
export const fresh = word => `${word}-${process.pid}`

// api is a request of a program, to arrange things or to see what became of them.
export async function api(t, who, method, path, body) {
  const res = await fetch(t.origin + path, {
    method, body: body && JSON.stringify(body),
    headers: { Authorization: basic(who), Accept: 'application/hal+json', ...(body ? { 'Content-Type': 'application/json' } : {}) },
  })
  const text = await res.text()
  assert.ok(res.ok, `${method} ${path}: ${res.status} ${text}`)
  return text ? JSON.parse(text) : undefined
}

export const basic = who => 'Basic ' + Buffer.from(`${who}:${password}`).toString('base64')

// ordered gives the servers of an order that a program makes for a group whose orders
// are approved at once.
export async function ordered(t, who, quantity, hostname) {
  const order = await api(t, who, 'POST', '/api/v2/blueprints/1/actions/order', {
    group: 2, environment: 3, 'vm-size': 'small', quantity, hostname, 'submit-now': true,
  })
  const ended = await until(() => api(t, who, 'GET', `/api/v2/orders/${order.id}`), o => o.status === 'SUCCESS')
  return ended._links.servers
}

// until asks again and again until the answer is good.
export async function until(ask, good) {
  for (const end = Date.now() + 60_000; ;) {
    const x = await ask()
    if (good(x)) return x
    if (Date.now() > end) throw new Error(`it has not come to that: ${JSON.stringify(x)}`)
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}

// shows waits until the page shows the text, looking again as people without scripts
// do.
export async function shows(page, way, locator) {
  if (way !== ways.withoutScript) return locator.first().waitFor()
  await until(async () => (await page.reload(), locator.first().isVisible()), Boolean)
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
  await page.keyboard.press(await locator.evaluate(e => e.type === 'checkbox' || e.tagName === 'SUMMARY') ? 'Space' : 'Enter')
}

async function typeKeys(locator, text) {
  const page = await reach(locator)
  await page.keyboard.press('ControlOrMeta+A')
  await page.keyboard.type(text)
}

// chooseKeys types an option's text, which selects it.
async function chooseKeys(locator, label) {
  const page = await reach(locator)
  await page.keyboard.type(label)
  assert.equal(await locator.evaluate(e => e.selectedOptions[0].label), label)
}
