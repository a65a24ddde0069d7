// What every screen needs: theme, sign out, menus, notices, ages that go on, and moving through the grid by keys.
"use strict";

const PAUSES = [1, 2, 4, 8, 16, ...Array(20).fill(30)]; // ten minutes, in which somebody starts it anew

const page = {
  connection: document.body.dataset.connection,
  csrf: document.body.dataset.csrf,

  /** Ask the HTTP API; gives the body, or throws what it says is wrong. */
  async ask(method, path, body) {
    const headers = { "X-Connection-Id": page.connection, "X-CSRF-Token": page.csrf };
    if (body !== undefined) headers["Content-Type"] = "application/json";
    const answer = await page.send(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
    return page.read(answer);
  },

  /** The body of an answer, or an error that says what is wrong; whoever is not signed in any more goes to the login. */
  async read(answer) {
    if (answer.status === 401) location.href = `/login?next=${encodeURIComponent(location.pathname + location.search)}`;
    const given = await answer.json();
    if (given.error === "WRONG_CSRF_TOKEN") throw new Error("This page is from an earlier login. Load it again.");
    if (!answer.ok) throw new Error(given.details);
    return given;
  },

  /** What `fetch` gives; once more, where the same user has signed in again in another tab since this page was made. */
  async send(path, options) {
    const answer = await page.reach(path, options);
    if (answer.status !== 403 || !(await page.renewed())) return answer;
    return page.reach(path, { ...options, headers: { ...options.headers, "X-CSRF-Token": page.csrf } });
  },

  /** Whether this page has another login's token now, of the same user. */
  async renewed() {
    const me = await (await page.reach("/api/me")).json();
    if (me.user !== document.body.dataset.user || !me.csrfToken || me.csrfToken === page.csrf) return false;
    page.csrf = document.body.dataset.csrf = me.csrfToken;
    document.body.setAttribute("hx-headers:inherited", JSON.stringify({ "X-CSRF-Token": page.csrf }));
    return true;
  },

  /** What `fetch` gives; where nobody answers, an error whose message a person can use. */
  async reach(path, options) {
    try {
      return await fetch(path, options);
    } catch (error) {
      if (error.name === "AbortError") throw error;
      page.awaitAnswer();
      throw new Error(page.silent);
    }
  },

  nobody: "The server does not answer",

  silent: "The server does not answer. Nothing was lost: see whether `salesforce-sync serve` still runs, and try again.",

  /** Look whether the server answers again, less and less often; then nothing says any more that it does not. */
  async awaitAnswer() {
    if (page.awaits) return;
    page.awaits = true;
    for (const seconds of PAUSES) {
      await new Promise((go) => setTimeout(go, seconds * 1000));
      if (!(await fetch("/healthz", { cache: "no-store" }).then((answer) => answer.ok, () => false))) continue;
      if (document.getElementById("notices").textContent.includes(page.nobody)) page.tell("good", "The server answers again.");
      document.dispatchEvent(new Event("back"));
      break;
    }
    page.awaits = false;
  },

  /** Tell something beside the content. */
  tell(kind, text) {
    const notice = document.createElement("div");
    notice.className = `notice ${kind}`;
    notice.setAttribute("role", kind === "bad" ? "alert" : "status");
    const what = document.createElement("div");
    what.append(...marked(text));
    const dismiss = document.createElement("button");
    dismiss.type = "button";
    dismiss.className = "button small bare";
    dismiss.dataset.dismiss = "";
    dismiss.setAttribute("aria-label", "Dismiss");
    dismiss.textContent = "✕";
    notice.append(what, dismiss);
    document.getElementById("notices").replaceChildren(notice);
  },

  /** 1234567 → 1,234,567 */
  number: (value) => value.toLocaleString("en-US"),

  /** The same words as the server's. */
  ago(moment) {
    const seconds = (Date.now() - Date.parse(moment)) / 1000;
    if (seconds <= -60) {
      return `${new Date(moment).toISOString().slice(0, 16).replace("T", " ")} UTC, ahead of this clock`;
    }
    if (seconds < 10) return "just now";
    for (const [below, unit, name] of [[60, 1, "s"], [3600, 60, "min"], [86400, 3600, "h"]]) {
      if (seconds < below) return `${Math.floor(seconds / unit)} ${name} ago`;
    }
    const days = Math.floor(seconds / 86400);
    return days === 1 ? "1 day ago" : `${page.number(days)} days ago`;
  },

  /** A moment as an element. */
  moment(at) {
    const time = document.createElement("time");
    time.dateTime = at;
    time.title = at;
    time.dataset.ago = "";
    time.textContent = page.ago(at);
    return time;
  },

  /** Under which name this browser keeps what it last saw of the objects. */
  get kept() {
    return page.connection === "default" ? "objectSyncStatus" : `objectSyncStatus:${page.connection}`;
  },
};

document.getElementById("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  localStorage.setItem("theme", root.dataset.theme);
  document.dispatchEvent(new Event("theme"));
});

document.getElementById("logout").addEventListener("click", async () => {
  for (const name of Object.keys(localStorage)) if (name.startsWith("objectSyncStatus")) localStorage.removeItem(name);
  try {
    await page.ask("POST", "/api/logout");
    location.href = "/login";
  } catch (error) {
    page.tell("bad", `You are not signed out yet. ${error.message}`);
  }
});

// ── menus and notices ────────────────────────────────────────────────────────────────────────────────────────────

// On a narrow screen the tab of this one may stand outside.
document.querySelector(".tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

function closeMenus(but) {
  for (const menu of document.querySelectorAll("details.menu[open]")) if (menu !== but) menu.open = false;
}

document.addEventListener("click", (event) => {
  closeMenus(event.target.closest("details.menu"));
  if (event.target.closest("[data-dismiss]")) event.target.closest(".notice").remove();
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const menu = document.querySelector("details.menu[open]");
  closeMenus();
  menu?.querySelector("summary").focus();
  const form = event.target.closest("form[data-escape]");
  if (form) form.querySelector("[data-cancel]").click();
  // An editor that is still on its way is given up too: nothing opens under what is pressed next.
  for (const asked of document.querySelectorAll(":is(.cell, .pencil).htmx-request")) htmx.trigger(asked, "htmx:abort");
});

document.addEventListener("htmx:error", () => page.tell("bad", page.silent));

document.addEventListener("htmx:before:request", (event) => {
  event.detail.ctx.fetch = page.send;
});

// Whoever was signed out is told once, however often the page asks; and who has signed in again is told no more.
document.addEventListener("htmx:before:swap", (event) => {
  const told = document.querySelector("#notices [data-signed-out]");
  if (told && event.detail.ctx.response?.status === 401) event.preventDefault();
  else told?.remove();
});

document.addEventListener("htmx:before:swap", (event) => {
  const { ctx } = event.detail;
  if (ctx.response?.status >= 400 && !ctx.hx?.retarget) {
    event.preventDefault();
    page.tell("bad", "The server made a mistake. Its log tells more.");
  }
});

// ── ages go on while a screen is looked at ───────────────────────────────────────────────────────────────────────

setInterval(() => {
  for (const time of document.querySelectorAll("time[data-ago]")) time.textContent = page.ago(time.dateTime);
}, 20_000);

// ── the grid by keys: arrows move, Enter edits, F2 edits beside a link; one stop for the tab key ─────────────────

function place(cell) {
  const row = cell.closest("tr");
  return [[...row.parentElement.rows].indexOf(row), cell.closest("td, th").cellIndex];
}

function stopAt(grid, kept) {
  for (const each of grid.querySelectorAll("tbody :is(.cell, a, .pencil)")) each.tabIndex = each === kept ? 0 : -1;
}

function stopOnce() {
  for (const grid of document.querySelectorAll(".grid")) {
    const focused = grid.querySelector("tbody :is(.cell, a, .pencil):focus");
    stopAt(grid, focused ?? grid.querySelector("tbody [tabindex='0']") ?? grid.querySelector("tbody :is(.cell, a)"));
  }
}

function step(grid, cell, down, right) {
  const [row, column] = place(cell);
  const line = cell.closest("tbody").rows[row + down];
  for (let at = column + right; line?.cells[at]; at += right) {
    const next = line.cells[at].querySelector(".cell, a");
    if (next) {
      stopAt(grid, next);
      next.focus();
    }
    if (next || !right) return;
  }
}

const MOVES = { ArrowDown: [1, 0], ArrowUp: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1] };

document.addEventListener("keydown", (event) => {
  const grid = event.target.closest(".grid");
  const move = MOVES[event.key];
  if (event.key === "F2") event.target.closest(".slot")?.querySelector(".pencil, .cell")?.click();
  if (!grid || !move || !event.target.matches(".cell, a, .pencil")) return;
  event.preventDefault();
  step(grid, event.target, ...move);
});

// In a text of several lines Enter is a new line; with Ctrl it saves, as it does in the others.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || !event.target.matches("form[data-escape] :is(input, textarea)")) return;
  event.preventDefault();
  event.target.form.requestSubmit();
});

// An editor that comes takes the focus, and what is typed takes the place of its value; of a long text it goes on behind
// it. When the editor goes, its cell has the focus.
document.addEventListener("htmx:after:swap", () => {
  const field = document.querySelector("form[data-escape]:not([data-met]) :is(input, select, textarea):not([type=hidden])");
  const editor = document.querySelector("form[data-escape]:not([data-met])");
  field?.focus();
  if (field?.matches("textarea")) field.setSelectionRange(field.value.length, field.value.length);
  else if (editor?.dataset.typed !== "unsaved") field?.select?.();
  editor?.setAttribute("data-met", "");
  editor?.scrollIntoView({ block: "nearest", inline: "nearest" });
  const shown = document.querySelector("[data-focus]");
  if (shown) {
    shown.removeAttribute("data-focus");
    shown.focus();
  }
});

// Whoever acted by the keys, and whose button has gone with what he decided, goes on at the top of the content.
let acted = false;
document.addEventListener("htmx:before:request", () => {
  acted = document.getElementById("content").contains(document.activeElement);
});
document.addEventListener("htmx:after:swap", () => {
  if (acted && document.activeElement === document.body) document.getElementById("content").focus({ preventScroll: true });
  acted = false;
});

// ── what was typed and is not saved is not left without a question ───────────────────────────────────────────────

// What the server has sent back with a reason is marked by itself.
document.addEventListener("input", (event) => {
  const form = event.target.closest("form[data-typed]");
  if (form) form.dataset.typed = "unsaved";
});

// Where the server says where to go on, it has taken it.
document.addEventListener("htmx:after:request", (event) => {
  if (!event.detail.ctx.hx.redirect) return;
  for (const form of document.querySelectorAll("form[data-typed]")) form.dataset.typed = "";
});

addEventListener("beforeunload", (event) => {
  if (document.querySelector("form[data-typed=unsaved]")) event.preventDefault();
});

// ── a file that is dropped ───────────────────────────────────────────────────────────────────────────────────────

for (const kind of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
    const drop = event.target.closest?.(".drop");
    if (!drop) return;
    event.preventDefault();
    drop.classList.toggle("over", kind === "dragover");
    if (kind !== "drop" || !event.dataTransfer.files.length) return;
    const field = drop.querySelector("input[type=file]");
    field.files = event.dataTransfer.files;
    field.dispatchEvent(new Event("change", { bubbles: true }));
  });
}

// ── forms of which a choice shows only its own fields ────────────────────────────────────────────────────────────

function showChosen(form) {
  const chosen = [...form.querySelectorAll("[data-chooses]:checked, select[data-chooses]")].map((each) => each.value);
  for (const part of form.querySelectorAll("[data-for]")) {
    const wanted = part.dataset.for.split(" ").some((each) => chosen.includes(each));
    part.hidden = !wanted;
    for (const field of part.querySelectorAll("input, select, textarea")) field.disabled = !wanted;
  }
}

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-chooses]")) showChosen(event.target.form);
  if (event.target.matches("select[data-fills]")) {
    document.getElementById(event.target.dataset.fills).value = event.target.selectedOptions[0].dataset.fill;
  }
  if (event.target.matches("select[data-goes]")) {
    const here = [...event.target.options].find((each) => each.defaultSelected);
    location.href = event.target.value;
    here.selected = true; // somebody may stay for what he has typed
  }
});

function showAllChosen() {
  for (const form of document.querySelectorAll("form:has([data-chooses])")) showChosen(form);
}

document.addEventListener("htmx:after:swap", showAllChosen);
document.addEventListener("htmx:after:swap", stopOnce);
showAllChosen();
stopOnce();
