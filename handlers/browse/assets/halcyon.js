// Enhancements of the pages. Every page works without this script.

const all = (selector, within = document) => [...within.querySelectorAll(selector)];

const make = (tag, attributes = {}, ...children) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
};

// fit limits a condition's lookups and its value input to those of the selected field.
const fit = (row) => {
  const [field, lookup] = all("select", row);
  const { kind, values } = field.selectedOptions[0].dataset;
  for (const option of lookup.options) {
    option.hidden = option.disabled = Boolean(kind) && !option.dataset.kinds.split(" ").includes(kind);
  }
  if (lookup.selectedOptions[0]?.disabled) lookup.value = "exact";
  const one = lookup.value === "exact";
  const old = row.querySelector("[name=_v]");
  let value;
  if (lookup.value === "isnull" || (values && one)) {
    value = make("select");
    for (const v of (lookup.value === "isnull" ? "true|false" : values).split("|")) value.append(make("option", { value: v }, v));
  } else {
    const day = (kind === "date" || kind === "time") && ["exact", "gt", "gte", "lt", "lte", "date"].includes(lookup.value);
    value = make("input", { type: day ? "date" : "text", autocomplete: "off" });
    if (old.tagName === "INPUT") value.value = old.value;
  }
  value.name = "_v";
  value.setAttribute("aria-label", "Value");
  old.replaceWith(value);
};
// search returns the rows of a collection whose name contains the text, as the API
// lists them for the user. It serves comboboxes (ARIA Authoring Practices, combobox with
// list autocomplete).
const search = async (box, text, signal) => {
  const { options, prompt } = box.dataset;
  const ask = (filter) => {
    const url = new URL(options, location);
    url.searchParams.set("page_size", "20");
    if (filter) url.searchParams.set("filter", filter);
    return fetch(url, { headers: { Accept: "application/hal+json" }, credentials: "same-origin", signal });
  };
  const escaped = text.replace(/[\\;:,]/g, "\\$&");
  let answer = await ask(text && prompt !== "id" ? `${prompt.split(".").pop()}.icontains:${escaped}` : "");
  if (answer.status === 400) answer = await ask("");
  if (!answer.ok) return [];
  const rows = Object.values((await answer.json())._embedded ?? {})[0] ?? [];
  return rows.map((row) => {
    const title = row._links?.self?.title ?? "";
    return { value: String(row[box.dataset.value] ?? ""), title: prompt === "id" ? title : String(row[prompt] ?? title) };
  });
};

let serial = 0;

const combobox = (box, input) => {
  const id = `choices-${input.id || ++serial}`;
  const list = make("ul", { role: "listbox", id, hidden: "" });
  const hidden = make("input", { type: "hidden", name: input.name });
  hidden.value = input.value;
  input.removeAttribute("name");
  input.value = input.defaultValue = input.dataset.title || input.value; // not typed by the user
  for (const [name, value] of Object.entries({ role: "combobox", "aria-expanded": "false", "aria-controls": id, "aria-autocomplete": "list" })) {
    input.setAttribute(name, value);
  }
  list.setAttribute("aria-label", box.closest(".field").querySelector("label")?.textContent ?? "Choices");
  input.after(hidden, list);

  let found = [], at = -1, asking, typing;
  const close = () => {
    asking?.abort();
    list.hidden = true;
    at = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };
  const mark = (to) => {
    if (!found.length) return;
    at = (to + found.length) % found.length;
    [...list.children].forEach((li, i) => li.setAttribute("aria-selected", String(i === at)));
    list.children[at].scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", `${id}-${at}`);
  };
  const take = (i) => {
    input.value = found[i].title;
    hidden.value = found[i].value;
    close();
  };
  const open = async (text) => {
    asking?.abort();
    asking = new AbortController();
    try {
      found = await search(box, text, asking.signal);
    } catch {
      return; // aborted by a newer search, or no answer: the id can be typed
    }
    if (document.activeElement !== input) return;
    list.replaceChildren(...found.map((x, i) => {
      const li = make("li", { role: "option", id: `${id}-${i}`, "aria-selected": "false" }, x.title);
      li.addEventListener("mousedown", (e) => { e.preventDefault(); take(i); });
      return li;
    }));
    if (!found.length) list.append(make("li", { role: "option", "aria-disabled": "true", "aria-selected": "false" }, "Nothing is called so"));
    at = -1;
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
  };
  input.addEventListener("input", () => {
    hidden.value = input.value.trim(); // the text may be an id
    clearTimeout(typing);
    typing = setTimeout(() => open(input.value.trim()), 150);
  });
  input.addEventListener("click", () => list.hidden && open(""));
  input.addEventListener("blur", () => {
    clearTimeout(typing);
    const same = found.find((x) => x.title === input.value.trim());
    if (same) hidden.value = same.value;
    close();
  });
  input.addEventListener("keydown", async (e) => {
    switch (e.key) {
      case "ArrowDown":
      case "ArrowUp":
        e.preventDefault();
        if (list.hidden) await open(input.dataset.title === input.value ? "" : input.value.trim());
        mark(e.key === "ArrowDown" ? at + 1 : at < 0 ? found.length - 1 : at - 1);
        break;
      case "Enter":
        if (!list.hidden && at >= 0) {
          e.preventDefault();
          take(at);
        }
        break;
      case "Escape":
        if (!list.hidden) {
          e.preventDefault();
          close();
        }
    }
  });
};

// enhance applies all enhancements to a page or to new regions of it.
const enhance = (within) => {
  // Instants in the browser's time zone.
  for (const time of all('time[datetime*="T"]', within)) {
    const at = new Date(time.dateTime);
    if (isNaN(at)) continue;
    time.title = time.textContent;
    time.textContent = at.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
  }

  // Copy buttons.
  for (const pre of all("[data-copy]", within)) {
    if (!navigator.clipboard) break;
    const button = make("button", { type: "button", class: "copy" }, "Copy");
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(pre.textContent);
      button.textContent = "Copied";
      setTimeout(() => (button.textContent = "Copy"), 2000);
    });
    pre.before(button);
  }

  // A checkbox that selects all rows.
  for (const head of all("form.picking th.box", within)) {
    const boxes = all("td.box input", head.closest("table"));
    const box = make("input", { type: "checkbox", "aria-label": "Select all" });
    box.addEventListener("change", () => boxes.forEach((b) => (b.checked = box.checked)));
    head.replaceChildren(box);
  }

  // Bulk actions show the number of selected rows, and need at least one.
  for (const form of all("form.picking", within)) {
    const note = form.querySelector(".picked");
    const count = () => {
      const n = all("td.box input:checked", form).length;
      if (note) note.textContent = n ? `With the ${n} selected:` : "With those selected:";
      for (const button of all(".actions button", form)) button.disabled = !n;
      for (const p of all(".ask p", form)) p.textContent = p.textContent.replace(/(all that is|the \d+) selected/, `the ${n} selected`);
    };
    form.addEventListener("change", count);
    count();
  }

  // Options that belong to groups are offered only with one of their groups.
  for (const select of all("select", within)) {
    const group = select.form?.elements.group;
    if (!group || group === select || !select.querySelector("[data-for]")) continue;
    const fit = () => {
      for (const o of select.options) o.hidden = o.disabled = Boolean(o.dataset.for) && !o.dataset.for.split(" ").includes(group.value);
      if (select.selectedOptions[0]?.disabled) select.value = [...select.options].find((o) => !o.disabled)?.value ?? "";
    };
    group.addEventListener("change", fit);
    select.addEventListener("fresh", fit);
    fit();
  }

  // Further filter conditions.
  for (const rows of all(".conditions", within)) {
    const blank = rows.firstElementChild.cloneNode(true);
    rows.addEventListener("change", (e) => e.target.matches("select:not([name=_v])") && fit(e.target.closest(".condition")));
    const more = make("button", { type: "button" }, "Another condition");
    more.addEventListener("click", () => {
      const row = blank.cloneNode(true);
      rows.append(row);
      row.querySelector("select").focus();
    });
    rows.after(more);
  }

  // Comboboxes for rows of other collections.
  for (const box of all(".choose", within)) {
    const each = () => all("input:not([type=hidden], [role=combobox])", box).forEach((input) => combobox(box, input));
    const name = box.dataset.multiple;
    if (name) {
      const more = make("button", { type: "button" }, "One more");
      more.addEventListener("click", () => {
        const input = make("input", { type: "text", name, autocomplete: "off", "aria-label": box.closest(".field").querySelector("label").textContent });
        more.before(input);
        each();
        input.focus();
      });
      box.append(more);
    }
    each();
    box.closest(".field").querySelector(".hint .plain")?.remove();
  }
};

enhance(document);
document.addEventListener("halcyon:fresh", (e) => enhance(e.detail));

// unfold opens the form that the address's fragment names.
const unfold = () => {
  const form = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
  if (!form || !form.matches("details")) return;
  form.open = true;
  form.querySelector("input:not([type=hidden]), select, textarea")?.focus();
};
addEventListener("hashchange", unfold);
for (const a of all("a[href^='#form-']")) a.addEventListener("click", () => setTimeout(unfold));
unfold();

// A form with errors moves the focus to their list.
document.getElementById("problem")?.focus();
