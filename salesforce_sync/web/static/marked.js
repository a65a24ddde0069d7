// What is told in words, with its commands shown as such.
"use strict";

/** The parts of a text as nodes: what stands between backticks is code. */
function marked(text) {
  return text.split(/`([^`]+)`/).map((part, number) => {
    if (number % 2 === 0) return document.createTextNode(part);
    const code = document.createElement("code");
    code.textContent = part;
    return code;
  });
}
