"use strict";

// The org has sent the browser here. The cookie did not come along with that, but it does with what this page sends.
async function complete(cameBack) {
  const me = await (await fetch("/api/me")).json();
  const answer = await fetch("/api/connections/complete", {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CSRF-Token": me.csrfToken || "" },
    body: JSON.stringify({ cameBack }),
  });
  const body = await answer.json();
  document.getElementById("told").textContent = answer.ok ? `Connected to ${body.instanceUrl}.` : body.details;
}

const cameBack = location.search;
history.replaceState(null, "", location.pathname);
complete(cameBack).catch(() => {
  document.getElementById("told").textContent = "The server does not answer. See whether it still runs, and connect again.";
});
