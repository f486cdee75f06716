// Live updates of pages with work in progress: one event stream about the page's object,
// and for each event the page is fetched again and its regions (data-region) replaced.
// A region in which the user has typed or chosen something stays. Without a stream the
// page is polled.

const maxWait = 30000;

// eventTypes are all types of events: EventSource needs a listener for each.
const eventTypes = [
  "order.created", "order.changed", "order.submitted", "order.approved", "order.denied", "order.canceled",
  "order.ended", "order.resumed", "job.created", "job.started", "job.progress", "job.changed", "job.ended",
  "job.retried", "server.created", "server.changed", "server.removed", "service.created", "service.changed",
  "service.removed", "reset",
];

const root = () => document.querySelector("[data-events], [data-poll]");

let source, timer, asking, refreshAgain, wait = 2000;

// isBeingEdited reports whether the user has typed or chosen something in a region.
function isBeingEdited(region) {
  if (region.contains(document.activeElement) && document.activeElement.matches("input, select, textarea")) return true;
  return [...region.querySelectorAll("input, select, textarea")].some((x) =>
    x.type === "checkbox" || x.type === "radio" ? x.checked !== x.defaultChecked
      : x.matches("select") ? [...x.options].some((o) => o.selected !== o.defaultSelected) && x.dataset.touched
        : x.type !== "hidden" && x.value !== x.defaultValue);
}

// rememberFocus returns a function that focuses the same element in the new region.
function rememberFocus(region) {
  const at = document.activeElement;
  if (!region.contains(at) || at === document.body) return () => {};
  const like = (x) => x.tagName + "|" + (x.getAttribute("href") || x.form?.getAttribute("action") || "") + "|" + x.textContent.trim();
  const wanted = like(at);
  return (fresh) => {
    const found = [...fresh.querySelectorAll("a, button, summary, [tabindex]")].find((x) => like(x) === wanted);
    (found || fresh.closest("main"))?.focus({ preventScroll: true });
  };
}

function swap(old, fresh) {
  if (old.innerHTML === fresh.innerHTML || isBeingEdited(old)) return false;
  const open = new Set([...old.querySelectorAll("details[open]")].map((x) => x.id || x.querySelector("summary")?.textContent));
  const refocus = rememberFocus(old);
  old.replaceChildren(...document.adoptNode(fresh).childNodes);
  for (const x of old.querySelectorAll("details")) if (open.has(x.id || x.querySelector("summary")?.textContent)) x.open = true;
  refocus(old);
  return true;
}

function say(text) {
  const line = document.getElementById("live-said");
  if (line && line.textContent !== text) line.textContent = text;
}

// refresh fetches the page and replaces its regions. Events during a refresh cause one
// more. It returns whether the server answered.
async function refresh() {
  if (asking) { refreshAgain = true; return true; }
  asking = true;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" }, credentials: "same-origin", cache: "no-cache" });
    if (!answer.ok) return false;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    document.dispatchEvent(new CustomEvent("halcyon:fresh", { detail: page }));
    let changed = false;
    for (const old of document.querySelectorAll("[data-region]")) {
      const fresh = page.getElementById(old.id);
      if (fresh) changed = swap(old, fresh) || changed;
    }
    if (changed) say([...document.querySelectorAll(".state .badge, .steps [aria-current]")].map((x) => x.textContent.trim()).join(", "));
    if (!page.querySelector("[data-events], [data-poll]")) stopFollowing();
    return true;
  } catch {
    return false;
  } finally {
    asking = false;
    if (refreshAgain) { refreshAgain = false; setTimeout(refresh, 150); }
  }
}

function stopFollowing() {
  stop();
  const at = root();
  at?.removeAttribute("data-events");
  at?.removeAttribute("data-poll");
  document.getElementById("live-note")?.remove();
}

function stop() {
  source?.close();
  source = undefined;
  clearTimeout(timer);
}

// poll refreshes every 2 seconds, and backs off up to maxWait while the server fails.
function poll() {
  clearTimeout(timer);
  timer = setTimeout(async () => {
    wait = await refresh() ? 2000 : Math.min(wait * 2, maxWait);
    if (root() && !document.hidden) poll();
  }, wait);
}

function follow() {
  stop();
  const at = root();
  if (!at || document.hidden) return;
  if (!at.dataset.events || !window.EventSource) return poll();
  source = new EventSource(at.dataset.events);
  let due;
  const onEvent = () => { clearTimeout(due); due = setTimeout(refresh, 100); };
  source.onmessage = onEvent;
  for (const kind of eventTypes) source.addEventListener(kind, onEvent);
  source.onopen = () => { clearTimeout(timer); wait = 2000; refresh(); };
  source.onerror = () => {
    // The browser does not reconnect a stream that the server refused.
    if (source && source.readyState === EventSource.CLOSED) { source = undefined; poll(); }
  };
}

if (root()) {
  document.getElementById("live-note")?.setAttribute("hidden", "");
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) stop();
    else if (root()) { refresh(); follow(); }
  });
  follow();
}
document.addEventListener("change", (e) => { if (e.target.matches("select")) e.target.dataset.touched = "1"; });

// The order form is sent as a dry run while the user types: the order summary stands
// below it, and the options follow the selected group and environment.
const form = document.querySelector("form[data-try]");
if (form) {
  let due, last = 0;
  const attempt = async () => {
    if (!form.checkValidity()) return;
    const turn = ++last;
    const values = new URLSearchParams(new FormData(form));
    values.set("submit-now", "true");
    let answer;
    try {
      answer = await fetch(form.dataset.try, { method: "POST", body: values, headers: { Accept: "text/html" }, credentials: "same-origin" });
    } catch { return; }
    // Errors are shown when the form is sent, not while the user types.
    if (turn !== last || !answer.ok || !(answer.headers.get("Content-Type") || "").startsWith("text/html")) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById("forecast"), old = document.getElementById("forecast");
    if (turn !== last || !fresh || !old) return;
    if (old.innerHTML !== fresh.innerHTML) old.replaceChildren(...document.adoptNode(fresh).childNodes);
    for (const select of form.querySelectorAll("select")) {
      const other = page.querySelector(`#order-form select[name="${CSS.escape(select.name)}"]`);
      if (!other || other.innerHTML === select.innerHTML || select === document.activeElement) continue;
      const chosen = new Set([...select.selectedOptions].map((o) => o.value));
      select.replaceChildren(...document.adoptNode(other).childNodes);
      for (const o of select.options) o.selected = chosen.has(o.value);
      select.dispatchEvent(new Event("fresh"));
    }
  };
  form.addEventListener("input", (e) => {
    if (e.target.matches("[role=combobox]")) return; // wait until a row is chosen
    clearTimeout(due);
    due = setTimeout(attempt, 400);
  });
  form.addEventListener("change", () => { clearTimeout(due); due = setTimeout(attempt, 400); });
}
