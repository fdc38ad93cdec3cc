// What a turn looks like, and how it grows.

import { GrowingMarkdown } from "./markdown.js";
import { seconds } from "./meter.js";
import { copy, countDown, make, offerCopies, perFrame, say, sendOnEnter, whole } from "./view.js";

/** One question and its answer, made of the template in the page. */
export class TurnView {
  #turn;
  #meter = null;
  #reading = false;
  #thoughts = document.createTextNode("");
  #prose;
  #clock = null;

  /** @param on has `again()`, `reworded(question)`, and `drawn()` after each change */
  constructor(turn, on) {
    this.#turn = turn;
    this.element = document.getElementById("turn").content.firstElementChild.cloneNode(true);
    this.element.setAttribute("aria-busy", "true");
    this.#part("asked").textContent = turn.question;
    this.#part("thoughts").append(this.#thoughts);
    this.#prose = new GrowingMarkdown(this.#part("prose"));
    this.#part("again").onclick = on.again;
    this.#part("copy").onclick = (event) => copy(turn.answer.text, event.currentTarget);
    this.#letReword(on.reworded);
    this.changed = perFrame(() => {
      if (this.#clock !== null) this.#draw();
      on.drawn();
    });
  }

  began(meter) {
    this.#meter = meter;
    this.#clock ??= setInterval(this.changed, 500); // waiting is counted, too
    this.#draw();
  }

  /** The server says that it is there, though it has nothing to show yet. */
  reading() {
    this.#reading = true;
  }

  ended() {
    clearInterval(this.#clock);
    this.#clock = null;
    const { answer } = this.#turn;
    this.#drawThoughts(false);
    this.#prose.finish(answer.text);
    this.#drawCalls();
    this.#part("waiting").hidden = true;
    this.#part("numbers").textContent = this.#meter.summary(answer.usage);
    say(this.#part("ending"), answer.ending);
    say(this.#part("error"), answer.error && messageOf(answer.error));
    this.#part("copy").hidden = !answer.text || !navigator.clipboard;
    this.#part("again").hidden = false;
    if (answer.error?.retryAfter) countDown(this.#part("again"), answer.error.retryAfter);
    offerCopies(this.#part("prose"));
    this.element.removeAttribute("aria-busy");
    this.changed();
  }

  /** What it is busy with, in a word or two. */
  get phase() {
    const { phase } = this.#turn.answer;
    if (phase !== "reading") return { thinking: "Thinking…", writing: "Writing…" }[phase];
    return this.#reading ? "Reading the prompt…" : "Waiting for the server…";
  }

  #part(name) {
    return this.element.querySelector(`.${name}`);
  }

  #draw() {
    const { answer } = this.#turn;
    const waits = answer.phase === "reading";
    this.#part("waiting").hidden = !waits;
    if (waits) this.#part("phase").textContent = `${this.phase} ${whole(this.#meter.elapsed)}`;
    this.#drawThoughts(answer.phase === "thinking");
    this.#prose.update(answer.text);
    this.#drawCalls();
    this.#part("numbers").textContent = this.#meter.summary();
  }

  #drawThoughts(growing) {
    const { reasoning } = this.#turn.answer;
    if (!reasoning) return;
    this.#part("reasoning").hidden = false;
    this.#thoughts.appendData(reasoning.slice(this.#thoughts.length));
    const took = this.#meter.thinking;
    this.element.querySelector("summary").textContent = growing
      ? `Thinking… ${whole(took)}`
      : `Thought for ${seconds(took)}`;
  }

  #drawCalls() {
    const calls = this.#turn.answer.calls.map(({ name, arguments: given }) => {
      const call = make("figure", "call");
      call.append(make("figcaption", "", `Wants to call ${name}. This page offers no tools.`));
      call.append(make("pre", "", given));
      return call;
    });
    this.#part("calls").replaceChildren(...calls);
  }

  #letReword(reworded) {
    const asked = [this.#part("asked"), this.#part("edit")];
    const form = this.#part("rewording");
    const field = form.querySelector("textarea");
    const show = (editing) => {
      form.hidden = !editing;
      for (const element of asked) element.hidden = editing;
      (editing ? field : this.#part("edit")).focus();
    };
    this.#part("edit").onclick = () => {
      field.value = this.#turn.question;
      show(true);
    };
    form.querySelector(".cancel").onclick = () => show(false);
    sendOnEnter(form, field);
    field.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation(); // which would stop the answer
      show(false);
    });
    form.onsubmit = (event) => {
      event.preventDefault();
      if (field.value.trim()) reworded(field.value.trim());
    };
  }
}

function messageOf({ message, retryAfter }) {
  return retryAfter ? `${message} Try again in ${whole(retryAfter)}.` : message;
}
