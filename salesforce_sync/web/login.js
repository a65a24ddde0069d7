"use strict";

// What stands behind the # is the one-time token of a link; it is taken out of the address before anything else.
const form = document.getElementById("login");
const told = document.getElementById("told");

async function logIn(token) {
  told.textContent = "One moment …";
  const answer = await fetch("/api/login", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ token }),
  });
  const body = await answer.json();
  if (answer.ok) {
    location.replace("/");
  } else {
    told.textContent = body.details;
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  logIn(document.getElementById("token").value.trim());
});

const linked = location.hash.slice(1);
if (linked) {
  history.replaceState(null, "", location.pathname);
  logIn(linked);
}
