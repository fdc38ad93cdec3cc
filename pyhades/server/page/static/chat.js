// What was said, without a word about how it looks. Runs outside of browsers, too.

/** An answer, complete or still being written. */
export class Answer {
  reasoning = "";
  text = "";
  calls = []; // { name, arguments }: the page offers no tools, but a model may try
  finish = null;
  usage = null;
  error = null;
  stopped = false;

  /** Add a chunk of the stream; whether something was written. */
  take(chunk) {
    if (chunk.usage) this.usage = chunk.usage;
    const choice = chunk.choices?.find((one) => one.index === 0);
    if (!choice) return false;
    this.finish = choice.finish_reason ?? this.finish;
    const delta = choice.delta ?? {};
    // Servers name it one way or the other; those that send both send the same text twice.
    const reasoning = delta.reasoning ?? delta.reasoning_content ?? "";
    const text = delta.content ?? "";
    this.reasoning += reasoning;
    this.text += text;
    for (const piece of delta.tool_calls ?? []) this.#call(piece);
    return Boolean(reasoning || text || delta.tool_calls?.length);
  }

  #call(piece) {
    const call = (this.calls[piece.index] ??= { name: "", arguments: "" });
    call.name += piece.function?.name ?? "";
    call.arguments += piece.function?.arguments ?? "";
  }

  /** What it is busy with, for people who wait. */
  get phase() {
    if (this.text || this.calls.length) return "writing";
    return this.reasoning ? "thinking" : "reading";
  }

  /** What should be said about its end, or null where it just ended. */
  get ending() {
    if (this.stopped) return "Stopped.";
    if (this.finish === "length") return "Cut off: the longest answer or the context is reached.";
    if (this.finish === "content_filter") return "Withheld by the server.";
    return null;
  }
}

/** Questions with their answers, in order. */
export class Chat {
  turns = [];

  ask(question) {
    const turn = { question, answer: new Answer() };
    this.turns.push(turn);
    return turn;
  }

  /** Ask again, possibly something else. What came after it is forgotten. */
  askAgain(turn, question = turn.question) {
    this.turns.length = this.turns.indexOf(turn);
    return this.ask(question);
  }

  /** The history as the server takes it, up to the last question. */
  messages(system = "") {
    const said = this.turns.filter((turn, at) => at === this.turns.length - 1 || !failed(turn));
    return [
      ...(system.trim() ? [{ role: "system", content: system }] : []),
      ...said.flatMap(messagesOf),
    ];
  }
}

// A question that the server refused would be refused again, with everything after it.
const failed = ({ answer }) => answer.error !== null && answer.text === "";

function messagesOf({ question, answer }) {
  const asked = { role: "user", content: question };
  // Reasoning stays behind: models are not shown that of earlier answers.
  return answer.text ? [asked, { role: "assistant", content: answer.text }] : [asked];
}
