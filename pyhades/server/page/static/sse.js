// Server-sent events: bytes in, comments and data out.

/**
 * Takes text in whatever pieces it arrives, and gives back what became whole:
 * `{ comment }` for a line that begins with a colon, `{ data }` for an event.
 */
export class EventParser {
  #rest = "";
  #data = [];

  *push(text) {
    // A line may end with CR, LF or both. A CR at the very end waits for the LF that may follow.
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop();
    for (const line of lines) {
      const event = this.#line(line);
      if (event) yield event;
    }
  }

  #line(line) {
    if (line === "") return this.#event();
    const colon = line.indexOf(":");
    if (colon === 0) return { comment: line.slice(1).trim() };
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    // `event`, `id` and `retry` say nothing that this protocol uses.
    if (name === "data") this.#data.push(value);
    return null;
  }

  #event() {
    if (this.#data.length === 0) return null;
    const data = this.#data.join("\n");
    this.#data = [];
    return { data };
  }
}

/** The events of a ReadableStream of bytes. Leaving the loop ends the connection. */
export async function* readEvents(stream) {
  const parser = new EventParser();
  // Characters are split between chunks, too; the decoder keeps their beginnings.
  const decoder = new TextDecoder();
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield* parser.push(decoder.decode(value, { stream: true }));
    }
  } finally {
    await reader.cancel().catch(() => {}); // it may have broken by itself
  }
}
