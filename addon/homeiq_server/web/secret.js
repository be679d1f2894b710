// What is shown once: a token, a key or a secret, with what to do with it, until the person is done with it.

import { button } from "./actions.js";
import { element, show } from "./dom.js";

async function copy(code) {
  try {
    await navigator.clipboard.writeText(code.textContent);
  } catch {
    getSelection().selectAllChildren(code); // without TLS, as in most homes, a browser has no clipboard but this one
    if (!document.execCommand("copy")) throw new Error("it is selected now, copy it by hand");
  }
}

function copyable(label, text) {
  const code = element("code", {}, text);
  const done = element("span", { class: "law", role: "status" });
  const press = button(`Copy ${label}`, async () => {
    await copy(code);
    done.textContent = "Copied.";
  });
  return element("div", { class: "copyable" }, element("pre", {}, code), element("p", { class: "actions" }, press, done));
}

// examples: [what to call it, a sentence before it, the text].
export function showSecret(id, title, name, secret, examples = []) {
  const heading = element("h3", { tabindex: "-1" }, title);
  show(id, element("div", { class: "secret" }, heading,
    element("p", {}, "It is shown this once: keep it now. Whoever has it can use it."),
    copyable(name, secret),
    ...examples.flatMap(([label, sentence, text]) => [element("p", {}, sentence), copyable(label, text)]),
    element("p", { class: "actions" }, button("I have kept it", () => show(id)))));
  heading.focus({ preventScroll: true });
  document.getElementById(id).scrollIntoView({ block: "center" });
}
