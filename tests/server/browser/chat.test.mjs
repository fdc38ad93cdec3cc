// What was said, and what of it the model is told.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Answer, Chat } from "../../../pyhades/server/page/static/chat.js";

const delta = (pieces, finish_reason = null) => ({
  choices: [{ index: 0, delta: pieces, finish_reason }],
});

const answered = (chat, question, text) => {
  const turn = chat.ask(question);
  turn.answer.take(delta({ content: text }, "stop"));
  return turn;
};

test("an answer grows from its deltas", () => {
  const answer = new Answer();
  assert.equal(answer.phase, "reading");
  assert.equal(answer.take(delta({ role: "assistant", content: "" })), false);
  assert.equal(answer.take(delta({ reasoning: "Hm", reasoning_content: "Hm" })), true);
  assert.equal(answer.phase, "thinking");
  assert.equal(answer.take(delta({ reasoning_content: "m." })), true);
  assert.equal(answer.take(delta({ content: "Yes" })), true);
  assert.equal(answer.phase, "writing");
  assert.equal(answer.take(delta({}, "stop")), false);
  assert.equal(answer.take({ choices: [], usage: { completion_tokens: 3 } }), false);
  assert.deepEqual(
    [answer.reasoning, answer.text, answer.finish, answer.usage.completion_tokens],
    ["Hmm.", "Yes", "stop", 3],
  );
  assert.equal(answer.ending, null);
});

test("null means nothing", () => {
  const answer = new Answer();
  const nothing = { content: null, reasoning: null, tool_calls: null };
  assert.equal(answer.take({ ...delta(nothing), usage: null }), false);
  assert.deepEqual([answer.text, answer.reasoning, answer.usage], ["", "", null]);
});

test("other choices are of no interest", () => {
  const answer = new Answer();
  assert.equal(answer.take({ choices: [{ index: 1, delta: { content: "no" } }] }), false);
  assert.equal(answer.text, "");
});

test("calls are put together by their index", () => {
  const answer = new Answer();
  const call = (index, name, pieces) =>
    answer.take(delta({ tool_calls: [{ index, function: { name, arguments: pieces } }] }));
  call(0, "first", "");
  call(0, undefined, '{"a"');
  call(1, "second", "{}");
  assert.equal(call(0, undefined, ": 1}"), true);
  assert.deepEqual(answer.calls, [
    { name: "first", arguments: '{"a": 1}' },
    { name: "second", arguments: "{}" },
  ]);
  assert.equal(answer.phase, "writing");
});

test("an end that is not the model's own is told", () => {
  const answer = new Answer();
  answer.take(delta({}, "length"));
  assert.match(answer.ending, /^Cut off/);
  answer.stopped = true;
  assert.equal(answer.ending, "Stopped.");
});

test("the history has what was asked and answered, without the reasoning", () => {
  const chat = new Chat();
  answered(chat, "One?", "1").answer.take(delta({ reasoning: "Count." }));
  chat.ask("Two?");
  const told = [
    { role: "user", content: "One?" },
    { role: "assistant", content: "1" },
    { role: "user", content: "Two?" },
  ];
  assert.deepEqual(chat.messages(), told);
  assert.deepEqual(chat.messages("  \n"), told);
  assert.deepEqual(chat.messages("Be brief."), [{ role: "system", content: "Be brief." }, ...told]);
});

test("a refused question is not sent again, one that was stopped is", () => {
  const chat = new Chat();
  chat.ask("Too long").answer.error = new Error("no");
  chat.ask("Never mind").answer.stopped = true;
  const half = answered(chat, "Half?", "Hal");
  half.answer.error = new Error("broke");
  chat.ask("Well?");
  const told = chat.messages().map((message) => message.content);
  assert.deepEqual(told, ["Never mind", "Half?", "Hal", "Well?"]);
});

test("asking again forgets what came after", () => {
  const chat = new Chat();
  const first = answered(chat, "One?", "1");
  const second = answered(chat, "Two?", "2");
  answered(chat, "Three?", "3");
  const again = chat.askAgain(second);
  assert.deepEqual(chat.turns, [first, again]);
  assert.deepEqual([again.question, again.answer.text], ["Two?", ""]);
  chat.askAgain(first, "Zero?");
  assert.deepEqual(chat.messages(), [{ role: "user", content: "Zero?" }]);
});
