// Signing in, with a token or by a one-time link. What stands behind the # of a link never leaves the browser by itself.
"use strict";

const told = document.getElementById("told");
const form = document.getElementById("login");

function tell(text) {
  const notice = document.createElement("p");
  notice.className = "notice bad";
  notice.append(...marked(text));
  told.replaceChildren(notice);
}

const SPENT =
  "This link was used already, or is too old: a link works once, within 15 minutes. Sign in with your token instead; it was printed beside the link.";

/** Send a token; `refused` gives what to say if nobody is known by it, or nothing if that does no harm. */
async function enter(token, refused = (why) => why) {
  const sent = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ token }) };
  try {
    const answer = await fetch("/api/login", sent);
    const body = await answer.json();
    const why = answer.ok ? "" : answer.status === 401 ? await refused(body.details) : body.details;
    if (why) tell(why);
    else location.replace(form.dataset.next);
  } catch {
    tell("The server does not answer. See whether `salesforce-sync serve` still runs, and try again.");
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  enter(document.getElementById("token").value.trim());
});

function followLink() {
  const link = location.hash.slice(1);
  if (!link) return;
  history.replaceState(null, "", location.pathname + location.search);
  enter(link, async () => ((await fetch("/api/me")).ok ? "" : SPENT));
}

// A link that is opened where this screen is already shown does not load it again.
addEventListener("hashchange", followLink);
document.getElementById("token").focus();
followLink();
