// Signals as they come.
"use strict";

const MOST = 200;
const list = document.getElementById("signals");
const live = document.getElementById("live");
let after = list.dataset.after;
let stream;

function show(kind, word) {
  live.className = `badge ${kind}`;
  live.textContent = word;
}

function listen() {
  stream = new EventSource(`${list.dataset.events}?after=${after}`);
  stream.addEventListener("open", () => show("good", "live"));
  stream.addEventListener("error", () => {
    if (stream.readyState === EventSource.CLOSED) show("bad", "ended: load this page again");
    else show("warn", "reconnecting");
  });
  stream.addEventListener("signal", hear);
}

// A browser has six connections to a server, for all its tabs: one that nobody sees keeps none.
document.addEventListener("visibilitychange", () => {
  stream?.close();
  if (document.hidden) show("warn", "paused");
  else listen();
});

/** One line with its time. */
function said({ at, line }) {
  const time = document.createElement("time");
  time.dateTime = at;
  time.className = "soft";
  time.textContent = at.slice(11, 19);
  const entry = document.createElement("li");
  entry.append(time, ` ${line}`);
  return entry;
}

/** Steps of progress stand behind the newest of them. */
function fold(entry, earlier) {
  const before = earlier.querySelector("details") ?? document.createElement("details");
  before.remove();
  if (!before.children.length) before.append(document.createElement("summary"), document.createElement("ol"));
  const steps = before.lastElementChild;
  const step = document.createElement("li");
  step.append(...earlier.childNodes);
  steps.prepend(step);
  while (steps.children.length > MOST) steps.lastElementChild.remove();
  before.firstElementChild.textContent = `${steps.children.length === 1 ? "1 step" : `${steps.children.length} steps`} before`;
  entry.append(" ", before);
  earlier.remove();
}

function hear(event) {
  after = event.lastEventId || after;
  const told = JSON.parse(event.data);
  const entry = said(told);
  const newest = list.firstElementChild;
  if (told.step) entry.dataset.step = "";
  if (told.step && newest && "step" in newest.dataset) fold(entry, newest);
  list.prepend(entry);
  while (list.children.length > MOST) list.lastElementChild.remove();
  document.getElementById("quiet").hidden = true;
}

if (!document.hidden) listen();

for (const button of document.querySelectorAll("[data-cancels]")) {
  button.addEventListener("click", async () => {
    try {
      await page.ask("POST", `/api/sync/${button.dataset.cancels}/cancel`);
      location.reload();
    } catch (error) {
      page.tell("bad", error.message);
    }
  });
}
