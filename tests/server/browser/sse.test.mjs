// Events come out of bytes, however these are cut.

import assert from "node:assert/strict";
import { test } from "node:test";

import { EventParser, readEvents } from "../../../pyhades/server/page/static/sse.js";

const parsed = (...pieces) => {
  const parser = new EventParser();
  return pieces.flatMap((piece) => [...parser.push(piece)]);
};

test("an event is its data", () => {
  assert.deepEqual(parsed('data: {"a": 1}\n\ndata: [DONE]\n\n'), [
    { data: '{"a": 1}' },
    { data: "[DONE]" },
  ]);
});

test("comments come through, names and numbers of events do not", () => {
  const text = ": ping\n\nevent: delta\nid: 7\nretry: 10\ndata: x\n\n:\n";
  assert.deepEqual(parsed(text), [{ comment: "ping" }, { data: "x" }, { comment: "" }]);
});

test("data of several lines are one text, and one space belongs to the colon", () => {
  assert.deepEqual(parsed("data:a\ndata:  b\ndata\ndata: c:d\n\n"), [{ data: "a\n b\n\nc:d" }]);
});

test("an event that does not end is none, and neither is one without data", () => {
  assert.deepEqual(parsed("event: x\n\n\n\ndata: half"), []);
  assert.deepEqual(parsed("data: half\n"), []);
});

const TEXT = ": ping\n\ndata: one\n\ndata: t\ndata: wo\n\n: pong\ndata: é€𝄞\n\n";
const EVENTS = parsed(TEXT);

for (const [name, end] of Object.entries({ LF: "\n", CRLF: "\r\n", CR: "\r" })) {
  // A CR at the very end waits for what follows, so something follows.
  const text = TEXT.replaceAll("\n", end) + `:${end}:`;

  test(`lines may end with ${name}, and be cut anywhere`, () => {
    assert.equal(EVENTS.length, 5);
    const whole = [...EVENTS, { comment: "" }];
    for (let first = 0; first <= text.length; first++) {
      for (let second = first; second <= text.length; second += 3) {
        const pieces = [text.slice(0, first), text.slice(first, second), text.slice(second)];
        assert.deepEqual(parsed(...pieces), whole);
      }
    }
    assert.deepEqual(parsed(...text), whole);
  });
}

const streamOf = (chunks, on = {}) => new ReadableStream({ pull: pullOf(chunks), ...on });
const pullOf = (chunks) => (controller) =>
  chunks.length ? controller.enqueue(chunks.shift()) : controller.close();

async function all(events) {
  const list = [];
  for await (const event of events) list.push(event);
  return list;
}

test("characters may be cut in the middle", async () => {
  const bytes = new TextEncoder().encode(TEXT);
  for (const size of [1, 2, 3, 5, bytes.length]) {
    const chunks = [];
    for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.slice(at, at + size));
    assert.deepEqual(await all(readEvents(streamOf(chunks))), EVENTS);
  }
});

test("who leaves the loop ends the connection", async () => {
  let cancelled = false;
  const bytes = new TextEncoder().encode("data: 1\n\n");
  const stream = new ReadableStream({
    pull: (controller) => controller.enqueue(bytes),
    cancel: () => (cancelled = true),
  });
  for await (const event of readEvents(stream)) {
    assert.deepEqual(event, { data: "1" });
    break;
  }
  assert.ok(cancelled);
});

test("a connection that breaks is an error, not an end", async () => {
  const stream = streamOf([], { pull: (controller) => controller.error(new TypeError("broke")) });
  await assert.rejects(all(readEvents(stream)), /broke/);
});
