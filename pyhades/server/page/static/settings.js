// What the reader may choose, and where it is kept.

const PLACE = "pyhades.settings";
const KEY_PLACE = "pyhades.key";

/** Empty means: as the server decides. */
export const DEFAULTS = { system: "", effort: "", temperature: "", maxTokens: "" };

/** The settings that this browser keeps. */
export function loadSettings(storage = globalThis.localStorage) {
  try {
    return { ...DEFAULTS, ...JSON.parse(storage.getItem(PLACE)) };
  } catch {
    return { ...DEFAULTS }; // no storage, or something else in it
  }
}

export function saveSettings(settings, storage = globalThis.localStorage) {
  try {
    storage.setItem(PLACE, JSON.stringify(settings));
  } catch {
    // Browsers may refuse to keep anything. The settings still hold until the page is left.
  }
}

/** The key, which lives as long as the tab and is written nowhere else. */
export const loadKey = () => sessionStorage.getItem(KEY_PLACE) ?? "";

export function saveKey(key) {
  if (key) sessionStorage.setItem(KEY_PLACE, key);
  else sessionStorage.removeItem(KEY_PLACE);
}

/** What the settings mean in the body of a request; nothing is sent that was not chosen. */
export function parametersOf({ effort, temperature, maxTokens }) {
  return {
    ...(effort !== "" && { reasoning_effort: effort }),
    ...(temperature !== "" && { temperature: Number(temperature) }),
    ...(maxTokens !== "" && { max_completion_tokens: Number(maxTokens) }),
  };
}
