// What a person does to something: buttons and forms that tell what became of it, and questions before what cannot be undone.

import { element } from "./dom.js";

// Runs what a button is for. It stays where it is, and keeps the focus; what goes wrong is said behind it.
async function attempt(pressed, act) {
  if (pressed.ariaDisabled === "true") return;
  pressed.parentNode.querySelectorAll(":scope > .fault").forEach((fault) => fault.remove());
  pressed.ariaDisabled = "true";
  try {
    await act();
  } catch (err) {
    pressed.after(element("span", { class: "bad fault", role: "alert" }, `That did not work: ${err.message}`));
  } finally {
    pressed.ariaDisabled = null;
  }
}

export function button(text, act) {
  const made = element("button", { type: "button" }, text);
  made.addEventListener("click", () => attempt(made, act));
  return made;
}

// A button that asks first; `question` tells what will be so afterwards.
export function asked(text, question, act) {
  return button(text, async () => {
    if (await confirmed(question, text)) await act();
  });
}

export function onSubmit(form, act) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(form.querySelector("button[type=submit]"), () => act(new FormData(form)));
  });
}

export function confirmed(question, verb) {
  const text = element("p", { id: "question" }, question);
  const dialog = element("dialog", { "aria-labelledby": "question" }, text);
  const choice = (label, answer) => {
    const made = element("button", { type: "button" }, label);
    made.addEventListener("click", () => dialog.close(answer));
    return made;
  };
  dialog.append(element("p", { class: "actions" }, choice("Cancel", ""), choice(verb, "yes")));
  document.body.append(dialog);
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    dialog.showModal();
  });
}
