// Puts the page together: who listens to what.

import { listModels } from "./api.js";
import { Conversation } from "./conversation.js";
import { askForKey, editSettings } from "./dialogs.js";
import { loadKey, loadSettings, parametersOf, saveKey, saveSettings } from "./settings.js";
import { TurnView } from "./turn.js";
import { Follower, growWithText, say, sendOnEnter, usesFingers } from "./view.js";

const $ = (id) => document.getElementById(id);
const follower = new Follower($("scroller"));
let settings = loadSettings();

const connection = {
  get model() {
    return $("model").value;
  },
  get key() {
    return loadKey();
  },
  get system() {
    return settings.system;
  },
  get parameters() {
    return parametersOf(settings);
  },
  /** Whether there is another key to try. */
  async newKey(reason) {
    const key = await askForKey(reason);
    if (key) saveKey(key);
    return Boolean(key);
  },
};
let conversation = new Conversation(connection);

/** Shows a turn and has it answered. */
async function answer(turn) {
  const view = new TurnView(turn, {
    again: () => askAgain(turn, view),
    reworded: (question) => askAgain(turn, view, question),
    drawn: () => {
      follower.follow();
      if (conversation.busy) announce(view.phase);
    },
  });
  $("turns").append(view.element);
  $("welcome").hidden = true;
  const running = conversation.run(turn, view);
  showBusy();
  follower.follow(true);
  await running;
  showBusy();
  announce(turn.answer.error ? "" : (turn.answer.ending ?? "The answer is complete."));
}

async function askAgain(turn, view, question) {
  await conversation.stop();
  if (!conversation.chat.turns.includes(turn)) return; // somebody was quicker
  while (view.element.nextSibling) view.element.nextSibling.remove();
  view.element.remove();
  focusQuestion(); // what had the focus is gone
  await answer(conversation.chat.askAgain(turn, question));
}

async function beginAnew() {
  await conversation.stop();
  conversation = new Conversation(connection);
  $("turns").replaceChildren();
  $("welcome").hidden = false;
  announce("A new chat.");
  focusQuestion();
}

function showBusy() {
  $("send").hidden = conversation.busy;
  $("stop").hidden = !conversation.busy;
}

/** Tells those who cannot see it. Saying the same again would be read again. */
function announce(text) {
  if ($("status").textContent !== text) $("status").textContent = text;
}

function focusQuestion() {
  if (!usesFingers()) $("question").focus();
}

/** Asks for the models until the server has loaded them. */
async function connect() {
  try {
    const names = await listModels(loadKey());
    $("model").replaceChildren(...names.map((name) => new Option(name)));
    $("model").disabled = names.length < 2;
    $("send").disabled = false;
    say($("notice"), null);
  } catch (error) {
    if (error.status === 401 && (await connection.newKey(error.message))) return connect();
    say($("notice"), error.message);
    // While it loads the server answers 503, before it runs not at all.
    if (error.status === 503 || error.code === "unreachable") setTimeout(connect, 2000);
  }
}

$("composer").onsubmit = (event) => {
  event.preventDefault();
  const question = $("question").value.trim();
  if (!question || conversation.busy || $("send").disabled) return;
  $("question").value = "";
  fitQuestion();
  focusQuestion();
  answer(conversation.chat.ask(question));
};
sendOnEnter($("composer"), $("question"));
const fitQuestion = growWithText($("question"));

$("stop").onclick = () => {
  conversation.stop();
  focusQuestion();
};
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !document.querySelector("dialog[open]")) conversation.stop();
});
$("new-chat").onclick = beginAnew;
$("open-settings").onclick = async () => {
  const chosen = await editSettings(settings, loadKey());
  if (chosen === null) return;
  settings = chosen.settings;
  saveSettings(settings);
  const otherKey = chosen.key !== loadKey();
  saveKey(chosen.key);
  if (otherKey) connect();
};

connect();
