// The two questions that the page asks: a password, and whether you are sure.

import { byId, showText } from "./dom.js";

for (const dialog of document.querySelectorAll("dialog")) {
  dialog.querySelector("[value=cancel]").addEventListener("click", () => dialog.close("cancel"));
}

// Asks until `attempt(password)` does not throw, or the person gives up. Resolves with whether it
// worked.
export function askPassword(room, attempt) {
  const dialog = byId("password-dialog");
  const form = byId("password-form");
  const input = byId("password");
  byId("password-room").textContent = room;
  showText(byId("password-error"), "");
  input.value = "";
  return new Promise((resolve) => {
    let worked = false;
    const submit = async (event) => {
      event.preventDefault();
      const button = form.querySelector("[value=ok]");
      button.disabled = true;
      try {
        await attempt(input.value);
        worked = true;
        dialog.close("ok");
      } catch (problem) {
        showText(byId("password-error"), problem.message);
        input.select();
        input.focus();
      } finally {
        button.disabled = false;
      }
    };
    form.addEventListener("submit", submit);
    dialog.addEventListener("close", () => {
      form.removeEventListener("submit", submit);
      input.value = "";
      resolve(worked);
    }, { once: true });
    if (!dialog.open) dialog.showModal();
    input.focus();
  });
}

export function confirmed(title, text, yes) {
  const dialog = byId("confirm-dialog");
  byId("confirm-title").textContent = title;
  byId("confirm-text").textContent = text;
  byId("confirm-yes").textContent = yes;
  return new Promise((resolve) => {
    dialog.returnValue = "";
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "ok"), { once: true });
    dialog.showModal();
  });
}
