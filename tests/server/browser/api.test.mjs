// What the server says becomes chunks or errors.

import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import {
  ApiError,
  complete,
  isAbort,
  listModels,
  secondsUntil,
} from "../../../pyhades/server/page/static/api.js";

const fetched = globalThis.fetch;
afterEach(() => (globalThis.fetch = fetched));

/** Lets the next request be answered so; gives what was asked. */
function answerWith(body, options) {
  const asked = {};
  globalThis.fetch = async (path, request) => {
    Object.assign(asked, { path, ...request });
    return new Response(body, options);
  };
  return asked;
}

async function piecesOf(body, options) {
  answerWith(body, options);
  const pieces = [];
  for await (const piece of complete({}, {})) pieces.push(piece);
  return pieces;
}

const thrownBy = (promise) => promise.then(() => assert.fail("nothing was thrown"), (error) => error);

test("a stream is asked for, with usage and the key", async () => {
  const asked = answerWith("data: [DONE]\n\n");
  const body = { model: "m", messages: [], temperature: 0.5 };
  for await (const _ of complete(body, { key: "secret" }));
  assert.equal(asked.path, "v1/chat/completions");
  assert.equal(asked.headers.Authorization, "Bearer secret");
  assert.deepEqual(JSON.parse(asked.body), {
    ...body,
    stream: true,
    stream_options: { include_usage: true },
  });
});

test("without a key none is sent", async () => {
  const asked = answerWith('{"data": [{"id": "a"}, {"id": "b"}]}');
  assert.deepEqual(await listModels(""), ["a", "b"]);
  assert.ok(!("Authorization" in asked.headers));
});

test("chunks and comments come in order, and nothing after the end", async () => {
  const body = ': ping\n\ndata: {"id": 1}\n\n: ping\n\ndata: [DONE]\n\ndata: {"id": 2}\n\n';
  assert.deepEqual(await piecesOf(body), [
    { comment: "ping" },
    { chunk: { id: 1 } },
    { comment: "ping" },
  ]);
});

test("a stream without its end was cut off", async () => {
  const error = await thrownBy(piecesOf('data: {"id": 1}\n\n'));
  assert.ok(error instanceof ApiError);
  assert.equal(error.code, "cut_off");
});

test("so was one whose connection broke", async () => {
  const broken = new ReadableStream({ pull: (it) => it.error(new TypeError("network error")) });
  assert.equal((await thrownBy(piecesOf(broken))).code, "cut_off");
});

test("an error may come in the stream", async () => {
  const error = await thrownBy(
    piecesOf('data: {"error": {"message": "It broke.", "type": "server_error", "code": null}}\n\n'),
  );
  assert.deepEqual([error.message, error.code, error.status], ["It broke.", "server_error", null]);
});

test("what is not JSON is an error", async () => {
  assert.equal((await thrownBy(piecesOf("data: {half\n\n"))).code, "not_json");
});

test("an error in OpenAI's shape is shown as the server said it", async () => {
  const body = JSON.stringify({ error: { message: "Slow down.", code: "rate_limit_exceeded" } });
  const error = await thrownBy(piecesOf(body, { status: 429, headers: { "Retry-After": "7" } }));
  assert.deepEqual(
    [error.message, error.status, error.code, error.retryAfter],
    ["Slow down.", 429, "rate_limit_exceeded", 7],
  );
});

for (const body of ["<h1>Bad gateway</h1>", "{}", "null", ""]) {
  test(`an error in another shape has its number: ${body}`, async () => {
    const error = await thrownBy(piecesOf(body, { status: 502, statusText: "Bad Gateway" }));
    assert.ok(error instanceof ApiError);
    assert.equal(error.message, "The server answered 502 (Bad Gateway).");
    assert.equal(error.status, 502);
  });
}

test("a server that is not there is an error of its own", async () => {
  globalThis.fetch = async () => {
    throw new TypeError("Failed to fetch");
  };
  assert.equal((await thrownBy(listModels(""))).code, "unreachable");
});

test("stopping is no error of the server", async () => {
  globalThis.fetch = async () => {
    throw new DOMException("stopped", "AbortError");
  };
  assert.ok(isAbort(await thrownBy(listModels(""))));
  const stopped = new ReadableStream({ pull: (it) => it.error(new DOMException("", "AbortError")) });
  assert.ok(isAbort(await thrownBy(piecesOf(stopped))));
});

test("Retry-After may be seconds or a date", () => {
  const now = Date.parse("Sun, 29 Nov 2026 00:00:00 GMT");
  assert.equal(secondsUntil("12", now), 12);
  assert.equal(secondsUntil("0.4", now), 1);
  assert.equal(secondsUntil("-3", now), 0);
  assert.equal(secondsUntil("Sun, 29 Nov 2026 00:00:30 GMT", now), 30);
  assert.equal(secondsUntil("Sat, 28 Nov 2026 00:00:00 GMT", now), 0);
  for (const nothing of [null, "", "soon"]) assert.equal(secondsUntil(nothing, now), null);
});
