// The screen of objects: what this browser last saw comes at once, then the server's word, then progress as it happens.
"use strict";

const NOT_SYNCED = "not synced";
const STATUSES = ["pending", "syncing", "synced", "error"];
const holder = document.getElementById("objects");
const chosen = new Set();
const MOST_STREAMS = 2; // a browser has six connections to a server, for all its tabs: the others are for what is clicked
const running = new Set(); // the streams of all sessions that go on; of those that are not followed the table tells
const refused = new Set(); // streams that the server does not give: the table is asked for again in their place
const streams = new Map(); // address → what it last told of each object
const MOST_NAMED = 5; // objects that a question names one by one
const AGAIN = 2000; // milliseconds until the table is asked for again where nobody tells how it goes on
const LATER = 10_000; // milliseconds until it is asked for once more where it was refused
const STALE = 5000; // milliseconds after which the table is asked for again when somebody comes back to it
let again;
let shownAt = 0;
let sought = "";

// ── what this browser keeps ──────────────────────────────────────────────────────────────────────────────────────

function remembered() {
  try {
    const kept = JSON.parse(localStorage.getItem(page.kept));
    return Object.fromEntries(Object.entries(kept ?? {}).filter(([, each]) => isKept(each)));
  } catch {
    return {};
  }
}

/** Whether this is what `remember` has kept, and not what somebody else has. */
function isKept(each) {
  const when = each?.lastSynced ?? null;
  return STATUSES.includes(each?.status) && Number.isFinite(each.recordCount) && (when === null || Date.parse(when) > 0);
}

function remember(name, status, lastSynced, recordCount) {
  localStorage.setItem(page.kept, JSON.stringify({ ...remembered(), [name]: { status, lastSynced, recordCount } }));
}

function rememberTable() {
  const known = {};
  for (const row of rows()) {
    const { object, status, synced, count } = row.dataset;
    if (status === NOT_SYNCED) continue;
    known[object] = { status, lastSynced: synced || null, recordCount: Number(count) };
  }
  localStorage.setItem(page.kept, JSON.stringify(known));
}

function showRemembered() {
  const known = Object.entries(remembered());
  if (!known.length || rows().length) return;
  const shown = document.getElementById("remembered").content.cloneNode(true);
  const states = known.map(([, each]) => each.status);
  // How many there are, and how many of them are not synced, only the server knows.
  const figures = {
    synced: states.filter((each) => each === "synced").length,
    pending: states.filter((each) => each === "pending" || each === "syncing").length,
  };
  for (const [name, value] of Object.entries(figures)) {
    shown.querySelector(`[data-figure="${name}"]`).textContent = page.number(value);
  }
  shown.querySelector("tbody").append(...known.map(rememberedRow));
  holder.replaceChildren(shown);
}

function rememberedRow([name, each]) {
  const row = document.createElement("tr");
  row.className = `is-${each.status}`;
  const title = document.createElement("th");
  title.scope = "row";
  title.textContent = name;
  const badge = document.createElement("span");
  badge.className = `badge ${each.status}`;
  badge.textContent = each.status;
  const bar = document.createElement("progress");
  bar.max = 100;
  bar.value = each.status === "synced" ? 100 : 0;
  bar.setAttribute("aria-label", `${name}, percent synced`);
  const count = document.createTextNode(each.lastSynced ? page.number(each.recordCount) : "–");
  const when = each.lastSynced ? page.moment(each.lastSynced) : document.createTextNode("never");
  const cells = [["Status", badge], ["Progress", bar], ["Records", count], ["Synced", when]].map(([label, what]) => {
    const cell = document.createElement("td");
    cell.dataset.label = label;
    cell.className = label === "Records" ? "number" : "";
    cell.append(what);
    return cell;
  });
  row.append(title, ...cells);
  return row;
}

// ── the table ────────────────────────────────────────────────────────────────────────────────────────────────────

const rows = () => [...holder.querySelectorAll("tr[data-object]")];
const rowOf = (name) => rows().find((each) => each.dataset.object.toLowerCase() === name.toLowerCase());
const part = (row, name) => row.querySelector(`[data-part="${name}"]`);

function showFigures() {
  const states = rows().map((each) => each.dataset.status);
  const pending = states.filter((each) => each === "pending" || each === "syncing").length;
  const synced = states.filter((each) => each === "synced").length;
  const figures = { total: states.length, synced, pending, "not-synced": states.length - synced - pending };
  for (const [name, value] of Object.entries(figures)) {
    holder.querySelector(`[data-figure="${name}"]`).textContent = page.number(value);
  }
}

function showProgress(told) {
  const row = rowOf(told.objectApiName);
  if (!row) return;
  const before = row.dataset.status;
  row.dataset.status = told.status;
  row.className = `is-${told.status}`;
  const badge = part(row, "status");
  badge.className = `badge ${told.status}`;
  badge.textContent = told.status;
  const percent = told.status === "synced" ? 100 : told.percent;
  row.querySelector("progress").value = percent;
  part(row, "percent").textContent = told.status === "pending" ? "" : `${Math.round(percent)} %`;
  if (told.status !== "pending") part(row, "count").textContent = page.number(told.recordCount);
  const waited = part(row, "waits").textContent;
  part(row, "waits").textContent = told.waitsFor ? `waits for ${told.waitsFor}` : "";
  part(row, "loses")?.remove();
  part(row, "trouble").textContent = told.error ? `${told.error}: ${told.details}` : "";
  if (told.syncedAt) part(row, "synced").replaceChildren(page.moment(told.syncedAt));
  const lastSynced = told.syncedAt ?? (row.dataset.synced || null);
  remember(row.dataset.object, told.status, lastSynced, told.recordCount);
  if (before !== told.status) showFigures();
  if (before !== told.status || waited !== part(row, "waits").textContent) say(told);
}

// Only beginnings, waits and ends are said aloud: every step of a bar would drown all else.
function say(told) {
  const syncing = told.waitsFor ? `waits for ${told.waitsFor}` : "is syncing";
  const words = { pending: "waits", syncing, synced: `is synced, ${page.number(told.recordCount)} records`, error: `failed: ${told.details}` };
  document.getElementById("told").textContent = `${told.objectApiName} ${words[told.status]}`;
}

// ── choosing ─────────────────────────────────────────────────────────────────────────────────────────────────────

// Not `disabled`: whoever uses the keys would lose his place with the button that he has just pressed.
function allow(button, may) {
  button.setAttribute("aria-disabled", String(!may));
}

function mayBePressed(button) {
  return button.getAttribute("aria-disabled") !== "true";
}

function showChosen() {
  const button = document.getElementById("sync");
  if (!button) return;
  for (const box of holder.querySelectorAll("input[name=objects]")) box.checked = chosen.has(box.value);
  document.getElementById("chosen").textContent = chosen.size ? `${page.number(chosen.size)} selected` : "Nothing selected";
  allow(button, chosen.size > 0);
  const all = [...chosen].every((name) => rowOf(name)?.dataset.synced);
  allow(document.getElementById("verify"), chosen.size > 0 && all);
}

holder.addEventListener("change", (event) => {
  if (event.target.name !== "objects") return;
  chosen[event.target.checked ? "add" : "delete"](event.target.value);
  showChosen();
});

holder.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.loses) return void lose(button);
  if (button.id === "none") chosen.clear();
  else if (button.dataset.set) for (const name of JSON.parse(button.dataset.set)) if (rowOf(name)) chosen.add(rowOf(name).dataset.object);
  showChosen();
});

holder.addEventListener("input", (event) => {
  if (event.target.id !== "find") return;
  sought = event.target.value;
  showFound();
});

function showFound() {
  const wanted = sought.trim().toLowerCase();
  document.getElementById("find").value = sought;
  for (const row of rows()) row.hidden = !row.querySelector("th").textContent.toLowerCase().includes(wanted);
  for (const shelf of holder.querySelectorAll("tbody")) shelf.hidden = !shelf.querySelector("tr[data-object]:not([hidden])");
  document.getElementById("unfound").hidden = rows().some((row) => !row.hidden);
}

// ── syncing ──────────────────────────────────────────────────────────────────────────────────────────────────────

document.getElementById("sync")?.addEventListener("click", async (event) => {
  if (!mayBePressed(event.target)) return;
  allow(event.target, false);
  try {
    const begun = await page.ask("POST", "/api/sync", { objects: [...chosen] });
    for (const name of chosen) {
      const row = rowOf(name);
      showProgress({ objectApiName: name, status: "pending", percent: 0, recordCount: Number(row?.dataset.count ?? 0) });
    }
    chosen.clear();
    const of = page.connection === "default" ? "" : `?connection=${encodeURIComponent(page.connection)}`;
    follow(`/api/sync/${begun.sessionId}/events${of}`, MOST_STREAMS + 1); // how what he began ends is told him
  } catch (error) {
    page.tell("bad", error.message);
  }
  showChosen();
});

document.getElementById("verify")?.addEventListener("click", (event) => {
  if (!mayBePressed(event.target)) return;
  allow(event.target, false);
  verify({ objects: [...chosen] });
});

// A verify, and not a sync: that would find what only a comparison shows gone, in its own time.
function lose(button) {
  const name = button.dataset.loses;
  if (!confirm(`${button.dataset.gone}. Remove them here too? What was edited in them and not sent goes to the inbox.`)) return;
  allow(button, false);
  verify({ objects: [name], acceptLoss: [name] });
}

async function verify(wanted) {
  page.tell("run", "Comparing every id and stamp with the org …");
  try {
    const done = await page.ask("POST", "/api/verify", wanted);
    const problems = Object.entries(done.problems).map(([name, each]) => `${name}: ${each.details}`);
    const repaired = Object.values(done.proofs).flatMap((each) => Object.values(each.repaired)).reduce((sum, each) => sum + each, 0);
    if (done.success) page.tell("good", repaired ? `Proved, after ${page.number(repaired)} rows were mended.` : "Proved: here and in the org it is the same.");
    else page.tell("bad", problems.join(" "));
    for (const name of wanted.objects) chosen.delete(name);
    htmx.trigger(holder, "refresh");
  } catch (error) {
    page.tell("bad", error.message);
  }
  showChosen();
}

document.getElementById("cancel")?.addEventListener("click", async (event) => {
  if (!mayBePressed(event.target)) return;
  const names = rows().filter((each) => isUnderWay(each.dataset)).map((each) => each.dataset.object);
  const of = names.length > MOST_NAMED ? `${page.number(names.length)} objects` : names.join(", ");
  if (!confirm(`Cancel the sync${of && ` of ${of}`}? What is complete is kept.`)) return;
  allow(event.target, false);
  try {
    for (const url of [...running]) await page.ask("POST", url.replace(/events(\?.*)?$/, "cancel"));
  } catch (error) {
    page.tell("bad", error.message);
    allow(event.target, true);
  }
});

/** As long as a session goes on, it can be cancelled. */
function showCancel() {
  const button = document.getElementById("cancel");
  if (!button) return;
  button.hidden = !running.size;
  if (button.hidden) allow(button, true);
}

function follow(url, most = MOST_STREAMS) {
  running.add(url);
  showCancel();
  if (streams.has(url) || refused.has(url) || streams.size >= most || document.hidden) return;
  const stream = new EventSource(url);
  const told = new Map();
  streams.set(url, told);
  addEventListener("unfollow", () => stream.close(), { once: true });
  stream.addEventListener("progress", (event) => {
    const progress = JSON.parse(event.data);
    told.set(progress.objectApiName.toLowerCase(), progress);
    showProgress(progress);
  });
  // A server that is there again does not know the session of before: then its table says how things are.
  stream.addEventListener("error", () => {
    if (stream.readyState !== EventSource.CLOSED) {
      page.tell("warn", `${page.nobody}; this page tries again.`);
      return void page.awaitAnswer();
    }
    streams.delete(url);
    refused.add(url);
    htmx.trigger(holder, "refresh");
  });
  stream.addEventListener("session", (event) => {
    streams.delete(url);
    running.delete(url);
    showCancel();
    stream.close();
    const session = JSON.parse(event.data);
    const failed = session.objects.filter((each) => each.status === "error");
    if (session.state === "cancelled") page.tell("warn", "The sync was cancelled. What is complete is kept.");
    else if (failed.length) page.tell("bad", `${failed.map((each) => each.objectApiName).join(", ")} could not be synced: ${failed[0].details}`);
    else {
      const synced = `${session.objects.length === 1 ? session.objects[0].objectApiName : `${session.objects.length} objects`} synced.`;
      if (session.state === "complete") page.tell("good", synced);
      else if (!session.workbook) page.tell("warn", `${synced} The workbook could not be made: its download says why.`);
      else page.tell("warn", `${synced} Not every edit was sent: the inbox and the changes say why.`);
    }
    htmx.trigger(holder, "refresh");
  });
}

const isUnderWay = (each) => ["pending", "syncing"].includes(each.status);

/** What was told of each row that the table has as under way; nothing, where no stream is heard of it. */
function told() {
  const known = new Map([...streams.values()].flatMap((each) => [...each]));
  return rows().filter((row) => isUnderWay(row.dataset)).map((row) => known.get(row.dataset.object.toLowerCase()));
}

/** A run may go on after its session has ended, as one that was cancelled does: no stream tells of its end. */
function lookAgain() {
  clearTimeout(again);
  if (document.hidden || told().every((each) => each)) return;
  const will = [...streams.values()].some((each) => !each.size); // a stream that was just opened tells from its beginning on
  again = setTimeout(lookAgain, will ? AGAIN : LATER);
  if (!will && !page.awaits) htmx.trigger(holder, "refresh");
}

function takeTable() {
  const table = document.getElementById("table");
  if (!table) return;
  shownAt = Date.now();
  holder.setAttribute("hx-get", table.dataset.refresh);
  rememberTable();
  for (const each of told()) if (each && isUnderWay(each)) showProgress(each); // the table does not say how far it is
  showFound();
  showChosen();
  running.clear();
  for (const url of JSON.parse(table.dataset.events)) follow(url);
  showCancel();
  clearTimeout(again);
  again = setTimeout(lookAgain, AGAIN);
}

document.addEventListener("htmx:after:swap", takeTable);

document.addEventListener("back", () => htmx.trigger(holder, "refresh"));

/** A tab that nobody sees keeps no connection: the browser's other tabs need them. */
function unfollow() {
  dispatchEvent(new Event("unfollow"));
  if (streams.size) shownAt = 1; // long ago
  streams.clear();
}

// Whoever comes back to this window sees what somebody else, or a program, has done meanwhile.
for (const comes of ["visibilitychange", "focus"]) {
  addEventListener(comes, () => {
    if (document.hidden) unfollow();
    const stale = shownAt && !streams.size && Date.now() - shownAt > STALE;
    if (document.visibilityState !== "visible") return;
    if (stale) htmx.trigger(holder, "refresh");
    else lookAgain(); // nobody has, while nobody saw it
  });
}

showRemembered();
takeTable(); // htmx asks for it as soon as it runs itself: it may have come before this script
