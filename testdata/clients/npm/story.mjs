// What all the scripts have in common and no HAL client does: reading the command
// line, waiting, and saying what is seen. Nothing here makes a URL.

const [, script, url, user, password] = process.argv
if (!password) {
  console.error(`usage: node ${script} URL USER PASSWORD`)
  process.exit(2)
}

export { url, user, password }

export const basic = 'Basic ' + Buffer.from(`${user}:${password}`).toString('base64')

export const say = (...words) => console.log(...words)

// check ends the script unless what was seen is what has to be.
export function check (what, seen, wanted) {
  if (seen !== wanted) throw new Error(`${what} is ${JSON.stringify(seen)} and not ${JSON.stringify(wanted)}`)
}

const patience = 60_000

// until reads again and again, until the status is one of an end, and gives what
// was read last.
export async function until (read, status, ...ends) {
  const end = Date.now() + patience
  for (;;) {
    const seen = await read()
    if (ends.includes(status(seen))) return seen
    if (Date.now() > end) throw new Error(`the status is still ${status(seen)}`)
    await new Promise(resolve => setTimeout(resolve, 100))
  }
}

export const ended = ['SUCCESS', 'WARNING', 'FAILURE', 'CANCELED']

// orderBody says what is ordered, of hrefs that the script has come upon and of
// what the blueprint says of itself.
export function orderBody ({ group, environment, osBuild, blueprint, buildItems, inputs }) {
  const parameters = {}
  for (const input of inputs) {
    if (input.required || input.type === 'size') parameters[input.name] = input.options[0]
  }
  const items = {}
  for (const item of buildItems) {
    items[`build-item-${item.name}`] = {
      attributes: { quantity: 1 }, environment, 'os-build': osBuild, parameters
    }
  }
  return {
    group,
    'submit-now': true,
    items: { 'deploy-items': [{ blueprint, 'blueprint-items-arguments': items }] }
  }
}
