// What the page asks of the server: OpenAI's protocol, with its errors.

import { readEvents } from "./sse.js";

/** An error of the server, of the connection, or in the middle of an answer. */
export class ApiError extends Error {
  constructor(message, { status = null, code = null, retryAfter = null } = {}) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
    this.retryAfter = retryAfter; // seconds
  }
}

/** Names of the models that are served. */
export async function listModels(key) {
  const response = await request("v1/models", { headers: headersFor(key) });
  return (await response.json()).data.map((model) => model.id);
}

/**
 * The answer to a chat as it is written: `{ comment }` while the server only says that it is
 * still there, `{ chunk }` for each piece. Ends at `[DONE]`, or throws.
 */
export async function* complete(body, { key, signal }) {
  const response = await request("v1/chat/completions", {
    method: "POST",
    headers: { ...headersFor(key), "Content-Type": "application/json" },
    body: JSON.stringify({ ...body, stream: true, stream_options: { include_usage: true } }),
    signal,
  });
  for await (const event of unbroken(readEvents(response.body))) {
    if (event.data === undefined) yield event;
    else if (event.data === "[DONE]") return;
    else yield { chunk: chunkOf(event.data) };
  }
  throw cutOff();
}

/** Whether somebody pressed stop: no error, and nothing to report. */
export const isAbort = (error) => error instanceof Error && error.name === "AbortError";

// Relative addresses: behind a proxy the page may live below a path.
async function request(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (isAbort(error)) throw error;
    throw new ApiError("The server cannot be reached.", { code: "unreachable" });
  }
  if (!response.ok) throw await errorOf(response);
  return response;
}

const cutOff = () =>
  new ApiError("The connection ended before the answer did.", { code: "cut_off" });

// Browsers report a connection that breaks as a TypeError.
async function* unbroken(events) {
  try {
    yield* events;
  } catch (error) {
    throw isAbort(error) ? error : cutOff();
  }
}

const headersFor = (key) => (key ? { Authorization: `Bearer ${key}` } : {});

function chunkOf(data) {
  let chunk;
  try {
    chunk = JSON.parse(data);
  } catch {
    throw new ApiError("The server sent something that is not JSON.", { code: "not_json" });
  }
  // After the headers of a stream, errors can only come as an event.
  if (chunk.error) throw fromBody(chunk, {});
  return chunk;
}

export async function errorOf(response) {
  const text = await response.text();
  const about = {
    status: response.status,
    retryAfter: secondsUntil(response.headers.get("Retry-After")),
  };
  try {
    return fromBody(JSON.parse(text), about);
  } catch {
    // A proxy in between answers with a page of its own, which is nothing to show.
    const phrase = response.statusText || "an error";
    return new ApiError(`The server answered ${response.status} (${phrase}).`, about);
  }
}

const fromBody = ({ error }, about) =>
  new ApiError(error.message ?? String(error), { code: error.code ?? error.type ?? null, ...about });

/** Seconds of a Retry-After, which may be a number or a date. */
export function secondsUntil(value, now = Date.now()) {
  if (value === null || value === "") return null;
  const seconds = Number(value);
  if (!Number.isNaN(seconds)) return Math.max(0, Math.ceil(seconds));
  const date = Date.parse(value);
  return Number.isNaN(date) ? null : Math.max(0, Math.ceil((date - now) / 1000));
}
