// What the pages do by themselves: keys, copying, and the live view. All else works without it.
"use strict";

const rows = () => [...document.querySelectorAll("tr[data-href]")];
let here = -1;

function move(step) {
  const all = rows();
  if (all.length === 0) return;
  all.forEach((row) => row.classList.remove("here"));
  here = Math.max(0, Math.min(all.length - 1, here + step));
  all[here].classList.add("here");
  all[here].scrollIntoView({ block: "nearest" });
  const link = all[here].querySelector("a");
  if (link) link.focus({ preventScroll: true });
}

function follow(selector) {
  const link = document.querySelector(selector);
  if (link) location.assign(link.href);
}

async function copy(id) {
  const text = document.getElementById(id);
  const button = document.querySelector(`[data-copy="${id}"]`);
  if (!text) return;
  let told = "Copied";
  try {
    await navigator.clipboard.writeText(text.textContent);
  } catch {
    getSelection().selectAllChildren(text);
    told = "Selected";
  }
  if (button) {
    button.textContent = told;
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  }
}

let wantsPage = false;
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const field = event.target.closest("input, textarea, select");
  if (field) {
    if (event.key === "Escape") field.blur();
    return;
  }
  const help = document.getElementById("help");
  if (wantsPage) {
    wantsPage = false;
    const page = [...document.querySelectorAll("nav [data-key]")]
      .find((link) => link.dataset.key === event.key);
    if (page) {
      event.preventDefault();
      location.assign(page.href);
    }
    return;
  }
  if (help && help.open && event.key !== "?") return;
  const keys = {
    j: () => move(1),
    k: () => move(-1),
    g: () => { wantsPage = true; setTimeout(() => { wantsPage = false; }, 1500); },
    n: () => follow('a[rel="next"]'),
    p: () => follow('a[rel="prev"]'),
    c: () => copy("command"),
    "/": () => {
      const search = document.getElementById("search");
      if (search) search.focus(); else location.assign("/explore#search");
    },
    "?": () => { if (help) { if (help.open) help.close(); else help.showModal(); } },
    " ": () => { if (event.target === document.body || event.target.id === "main") hold(); else return false; },
    Enter: () => {
      const row = event.target.closest("a, button, summary") ? null : rows()[here];
      if (!row) return false;
      location.assign(row.dataset.href);
    },
  };
  if (keys[event.key] && keys[event.key]() !== false) event.preventDefault();
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) copy(button.dataset.copy);
  const row = event.target.closest("tr[data-href]");
  const picks = getSelection().toString() !== "";
  if (row && !picks && !event.target.closest("a, button, summary")) {
    location.assign(row.dataset.href);
  }
});

for (const button of document.querySelectorAll("[data-copy]")) button.hidden = false;
if (matchMedia("(max-width: 62rem)").matches) {
  document.querySelectorAll(".facets").forEach((facets) => facets.removeAttribute("open"));
}
if (location.hash === "#search") document.getElementById("search")?.focus();

// The live view: when the server says that there is something new, the page is fetched again as
// anybody would, and its parts are put in place of the old ones.
const pulse = document.getElementById("pulse");
let held = false, busy = false, missed = false;

function hold() {
  held = !held;
  if (pulse) {
    pulse.classList.toggle("held", held);
    pulse.lastChild.textContent = held ? " held" : " live";
  }
  if (!held && missed) refresh();
}

const known = () => new Set(rows().map((row) => row.dataset.href));

async function refresh() {
  if (busy || held || document.hidden) { missed = true; return; }
  busy = true;
  missed = false;
  try {
    const answer = await fetch(location.href, { credentials: "same-origin" });
    if (!answer.ok) return;
    const next = new DOMParser().parseFromString(await answer.text(), "text/html");
    const before = known();
    document.getElementById("main").dataset.seen = next.getElementById("main").dataset.seen;
    for (const old of document.querySelectorAll("[data-live]")) {
      const fresh = next.querySelector(`[data-live="${old.dataset.live}"]`);
      if (!fresh || fresh.innerHTML === old.innerHTML) continue;
      if (old.contains(document.activeElement) && document.activeElement !== document.body) continue;
      if (old.dataset.live === "state") {
        old.querySelector(".badge")?.replaceWith(fresh.querySelector(".badge"));
        continue;
      }
      old.replaceChildren(...fresh.childNodes);
    }
    for (const row of rows()) if (!before.has(row.dataset.href)) row.classList.add("new");
  } finally {
    busy = false;
    setTimeout(() => { if (missed) refresh(); }, 1000);
  }
}

// A page of the past stays as it is.
const past = new URLSearchParams(location.search);
if (pulse && document.querySelector("[data-live]") && !past.has("before") && !past.has("after")) {
  const events = new EventSource("/events");
  events.addEventListener("open", () => { pulse.hidden = false; });
  events.addEventListener("error", () => { pulse.hidden = true; });
  events.addEventListener("records", (event) => {
    if (event.data !== document.getElementById("main").dataset.seen) refresh();
  });
  document.addEventListener("visibilitychange", () => { if (!document.hidden && missed) refresh(); });
}
