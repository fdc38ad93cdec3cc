// The two dialogs: settings, and the key that a server wants.

import { DEFAULTS } from "./settings.js";

/** Settings and key as they were left, or null where nothing should change. */
export async function editSettings(settings, key) {
  const dialog = document.getElementById("settings");
  const fields = dialog.querySelector("form").elements;
  const known = { ...settings, key };
  for (const name in known) fields[name].value = known[name];
  if (!(await submitted(dialog))) return null;
  const chosen = Object.keys(DEFAULTS).map((name) => [name, fields[name].value]);
  return { settings: Object.fromEntries(chosen), key: fields.key.value.trim() };
}

/** A key, or null where somebody would rather not. */
export async function askForKey(reason) {
  const dialog = document.getElementById("key");
  const field = dialog.querySelector("input");
  field.value = "";
  document.getElementById("key-reason").textContent = reason;
  return (await submitted(dialog)) ? field.value.trim() : null;
}

/** Opens a dialog; whether its form was submitted. Escape and Cancel leave it without. */
function submitted(dialog) {
  dialog.returnValue = "";
  dialog.querySelector(".cancel").onclick = () => dialog.close();
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.onclose = () => resolve(dialog.returnValue === "submitted");
  });
}
