// Signals as they come.
"use strict";

const MOST = 200;
const list = document.getElementById("signals");
const live = document.getElementById("live");
const stream = new EventSource(`${list.dataset.events}?after=${list.dataset.after}`);

function show(kind, word) {
  live.className = `badge ${kind}`;
  live.textContent = word;
}

stream.addEventListener("open", () => show("good", "live"));
stream.addEventListener("error", () => show("warn", "reconnecting"));
stream.addEventListener("signal", (event) => {
  const { at, line } = JSON.parse(event.data);
  const time = document.createElement("time");
  time.dateTime = at;
  time.className = "soft";
  time.textContent = at.slice(11, 19);
  const entry = document.createElement("li");
  entry.append(time, ` ${line}`);
  list.prepend(entry);
  while (list.children.length > MOST) list.lastElementChild.remove();
  document.getElementById("quiet").hidden = true;
});

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
