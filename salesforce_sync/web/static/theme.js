// Runs before anything is drawn: whoever has chosen light or dark sees nothing else, not even for a moment.
"use strict";
{
  const chosen = localStorage.getItem("theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
}
