// How fast an answer is written.

/** In milliseconds. What comes faster came in one packet, which says nothing about writing. */
const SHORTEST = 10;

/** Times of one answer. `now` gives milliseconds. */
export class Meter {
  #now;
  #start;
  #first = null;
  #last = null;
  #pieces = 0;
  #answerBegan = null;

  constructor(now = () => performance.now()) {
    this.#now = now;
    this.#start = now();
  }

  /** A piece came. Most pieces are one token, so their number is a fair guess. */
  wrote(phase) {
    this.#last = this.#now();
    this.#first ??= this.#last;
    if (phase === "writing") this.#answerBegan ??= this.#last;
    this.#pieces += 1;
  }

  /** Seconds since the question was sent. */
  get elapsed() {
    return (this.#now() - this.#start) / 1000;
  }

  /** Seconds until something was written, or null. */
  get untilFirst() {
    return this.#first === null ? null : (this.#first - this.#start) / 1000;
  }

  /** Seconds that were spent on reasoning, up to now or to the first piece of the answer. */
  get thinking() {
    return this.#first === null ? 0 : ((this.#answerBegan ?? this.#last) - this.#first) / 1000;
  }

  /** Tokens per second, or null while that cannot be said; exact with the server's count. */
  rate(tokens = this.#pieces) {
    const took = this.#last - this.#first;
    if (tokens < 2 || took < SHORTEST) return null;
    return ((tokens - 1) / took) * 1000;
  }

  /** All of it in one line, with what the server counted as far as it is known. */
  summary(usage = null) {
    const rate = this.rate(usage?.completion_tokens);
    return [
      rate !== null && `${usage ? "" : "≈ "}${rate.toFixed(1)} tokens/s`,
      this.untilFirst !== null && `first token after ${seconds(this.untilFirst)}`,
      usage && counted("read", usage.prompt_tokens, "cached", cachedTokens(usage)),
      usage && counted("written", usage.completion_tokens, "reasoning", reasoningTokens(usage)),
    ]
      .filter(Boolean)
      .join(" · ");
  }
}

/** "0.42 s", "12.3 s" or "3 min 20 s". */
export function seconds(value) {
  if (value < 10) return `${value.toFixed(2)} s`;
  if (value < 120) return `${value.toFixed(1)} s`;
  return `${Math.floor(value / 60)} min ${Math.round(value % 60)} s`;
}

const cachedTokens = (usage) => usage.prompt_tokens_details?.cached_tokens ?? 0;
const reasoningTokens = (usage) => usage.completion_tokens_details?.reasoning_tokens ?? 0;

const counted = (verb, tokens, kind, some) =>
  `${tokens} ${verb}${some ? ` (${some} ${kind})` : ""}`;
