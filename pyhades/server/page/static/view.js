// Small things that make elements behave.

/** Enter submits, Shift+Enter begins a line. A finger has no Shift, so there Enter begins one. */
export function sendOnEnter(form, field) {
  field.addEventListener("keydown", (event) => {
    // While an input method composes, Enter chooses a word.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || usesFingers()) return;
    event.preventDefault();
    form.requestSubmit();
  });
}

/** A field grows with its text: by lines, where style sheets cannot say so. */
export function growWithText(field) {
  if (CSS.supports("field-sizing", "content")) return () => {};
  const grow = () => (field.rows = Math.min(10, field.value.split("\n").length));
  field.addEventListener("input", grow);
  return grow;
}

/** Focusing a field brings up the keyboard of a phone, which hides half of the answer. */
export const usesFingers = () => matchMedia("(pointer: coarse)").matches;

/** Shows a text in an element that is hidden without one. */
export function say(element, text) {
  element.textContent = text ?? "";
  element.hidden = !text;
}

/** Keeps the end in sight as long as the reader has not scrolled away from it. */
export class Follower {
  #scroller;
  #follows = true;
  #top = 0;

  constructor(scroller) {
    this.#scroller = scroller;
    scroller.addEventListener("scroll", () => {
      const top = scroller.scrollTop;
      // Text that grows moves the end away, but only a reader moves up.
      if (top < this.#top) this.#follows = false;
      if (scroller.scrollHeight - top - scroller.clientHeight < 48) this.#follows = true;
      this.#top = top;
    });
  }

  follow(always = false) {
    this.#follows ||= always;
    if (this.#follows) this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }
}

/** Draws at most once a frame, and rests as long as it drew: the page stays usable. */
export function perFrame(draw) {
  let wanted = false;
  let resting = false;
  const frame = () => {
    const began = performance.now();
    wanted = false;
    draw();
    setTimeout(() => {
      resting = false;
      if (wanted) request();
    }, performance.now() - began);
  };
  const request = () => {
    wanted = true;
    if (resting) return;
    resting = true;
    requestAnimationFrame(frame);
  };
  return request;
}

/** Counts the seconds on a button until it may be pressed again. */
export function countDown(button, left) {
  const label = button.querySelector("span");
  button.disabled = left > 0;
  label.textContent = left > 0 ? `Again in ${whole(left)}` : "Again";
  if (left > 0) setTimeout(() => countDown(button, left - 1), 1000);
}

/** A button above each block of code that puts it into the clipboard. */
export function offerCopies(place) {
  if (!navigator.clipboard) return; // only pages of https or of this machine have one
  for (const code of place.querySelectorAll("pre")) {
    const button = make("button", "quiet", "Copy");
    button.type = "button";
    button.onclick = () => copy(code.textContent, button);
    code.previousElementSibling.append(button);
  }
}

export async function copy(text, button) {
  await navigator.clipboard.writeText(text);
  const label = button.querySelector("span") ?? button;
  label.textContent = "Copied";
  setTimeout(() => (label.textContent = "Copy"), 1500);
}

export function make(tag, className, text = "") {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}

/** Seconds that have passed. */
export const whole = (time) => `${Math.floor(time)} s`;
