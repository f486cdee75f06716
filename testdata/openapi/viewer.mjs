// Opens the viewer of the OpenAPI description in Chromium, reads one operation and tries
// it out with a name and a password. Prints what a page must not do: requests to other
// hosts, errors, and violations of the content security policy.
import { chromium } from "playwright-core";

const root = process.argv[2];
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const context = await browser.newContext({ httpCredentials: { username: "alice", password: "demo", send: "always" } });
const page = await context.newPage();
page.on("request", (r) => { if (!r.url().startsWith(root) && !r.url().startsWith("data:")) console.log("a request to", r.url()); });
page.on("pageerror", (e) => console.log("an error:", e.message));
page.on("console", (m) => { if (m.type() === "error" || /Content.Security.Policy/i.test(m.text())) console.log("the console says:", m.text()); });

await page.goto(root + "/api/v2/docs/openapi/");
await page.waitForSelector("#operations-tag-servers");
await page.click("#operations-tag-servers");
await page.click("#operations-servers-listServers .opblock-summary-control");
await page.click("#operations-servers-listServers .try-out__btn");
await page.click("#operations-servers-listServers .execute");
await page.waitForSelector("#operations-servers-listServers .live-responses-table .response-col_status");
const status = (await page.textContent("#operations-servers-listServers .live-responses-table tbody .response-col_status")).trim();
console.log("tried out:", status.slice(0, 3));
await browser.close();
