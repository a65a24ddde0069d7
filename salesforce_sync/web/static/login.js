// Signing in, with a token or by a one-time link. What stands behind the # of a link never leaves the browser by itself.
"use strict";

const told = document.getElementById("told");

function tell(text) {
  const notice = document.createElement("p");
  notice.className = "notice bad";
  notice.textContent = text;
  told.replaceChildren(notice);
}

async function enter(token) {
  const sent = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ token }) };
  try {
    const answer = await fetch("/api/login", sent);
    if (answer.ok) location.replace("/");
    else tell((await answer.json()).details);
  } catch {
    tell("The server does not answer. See whether `salesforce-sync serve` still runs, and try again.");
  }
}

document.getElementById("login").addEventListener("submit", (event) => {
  event.preventDefault();
  enter(document.getElementById("token").value.trim());
});

function followLink() {
  const link = location.hash.slice(1);
  if (!link) return;
  history.replaceState(null, "", location.pathname);
  enter(link);
}

// A link that is opened where this screen is already shown does not load it again.
addEventListener("hashchange", followLink);
document.getElementById("token").focus();
followLink();
