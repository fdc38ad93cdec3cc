// Markdown of a model as nodes of the page. What a model writes is not trusted.

import DOMPurify from "./vendor/purify.es.mjs";
import { Marked } from "./vendor/marked.esm.js";
import { make } from "./view.js";

const CLEAN = {
  ALLOWED_TAGS: [
    ..."p br hr h1 h2 h3 h4 h5 h6 ul ol li blockquote pre code em strong del a".split(" "),
    ..."table thead tbody tr th td".split(" "),
  ],
  ALLOWED_ATTR: ["href", "title", "start", "align", "class"],
  ALLOWED_URI_REGEXP: /^(?:https?|mailto):/i,
  ADD_URI_SAFE_ATTR: ["align", "start"], // else they, too, would have to be addresses
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  RETURN_DOM_FRAGMENT: true,
};

/** Milliseconds that one block may take. What takes longer has more structure than sense. */
const LONGEST = 500;

const marked = new Marked({
  gfm: true,
  tokenizer: {
    // No tag is ever a tag: what looks like HTML is text, and is read as such.
    html: () => undefined,
    tag: () => undefined,
  },
  renderer: {
    // Images would tell other servers that somebody reads this. Links wait for a click.
    image({ href, title, text, tokens }) {
      return this.link({ href, title, text, tokens: tokens ?? [{ type: "text", raw: text, text }] });
    },
    checkbox: ({ checked }) => (checked ? "☑ " : "☐ "),
  },
});

/** The top-level blocks of a text; their `raw` are the text again. */
export const blocksOf = (text) => marked.lexer(text);

/**
 * Splits blocks into those that no later text can change, and the last one, which may still grow,
 * with the empty lines around it.
 */
export function splitAtLast(blocks) {
  const last = Math.max(0, blocks.findLastIndex((block) => block.type !== "space"));
  return [blocks.slice(0, last), blocks.slice(last)];
}

function nodesOf(blocks) {
  const fragment = DOMPurify.sanitize(marked.parser(blocks), CLEAN);
  for (const link of fragment.querySelectorAll("a[href]")) {
    link.target = "_blank";
    link.rel = "noopener noreferrer nofollow";
  }
  for (const table of fragment.querySelectorAll("table")) frameTable(table);
  for (const code of fragment.querySelectorAll("pre")) frameCode(code);
  return fragment;
}

/** Wide tables scroll by themselves, not the page, and with the keyboard, too. */
function frameTable(table) {
  const frame = make("div", "table");
  frame.tabIndex = 0;
  table.replaceWith(frame);
  frame.append(table);
}

/** Code stands below a line with its language, which has room for a button. */
function frameCode(code) {
  const language = code.firstElementChild?.className.replace(/^language-/, "");
  const frame = make("div", "code");
  code.replaceWith(frame);
  frame.append(make("div", "above", language), code);
  code.tabIndex = 0;
}

/**
 * Shows a text that grows. Blocks that are done are rendered once, so that the work for a frame
 * does not grow with the text.
 */
export class GrowingMarkdown {
  #place;
  #settled = 0; // characters
  #live = []; // nodes of the block that still grows
  #plain = false;

  constructor(place) {
    this.#place = place;
  }

  update(text) {
    const began = performance.now();
    this.#render(text, () => this.#grow(oneLineEnd(text)));
    if (performance.now() - began > LONGEST) this.#plain = true;
  }

  /** The whole text at once: the last word on what depends on text far away, as link targets. */
  finish(text) {
    this.#render(text, () => this.#place.replaceChildren(nodesOf(blocksOf(oneLineEnd(text)))));
  }

  // A text can be nested so deeply that no parser comes back. Then it is shown as it stands.
  #render(text, render) {
    try {
      if (!this.#plain) return render();
    } catch {
      this.#plain = true;
    }
    this.#place.classList.add("plain");
    this.#place.textContent = text;
  }

  #grow(text) {
    const [settled, live] = splitAtLast(blocksOf(text.slice(this.#settled)));
    this.#live.forEach((node) => node.remove());
    this.#append(settled);
    this.#live = this.#append(live);
    this.#settled += settled.reduce((sum, block) => sum + block.raw.length, 0);
  }

  #append(blocks) {
    const nodes = nodesOf(blocks);
    const added = [...nodes.childNodes];
    this.#place.append(nodes);
    return added;
  }
}

// As the lexer does by itself, so that lengths of its blocks are places in the text.
const oneLineEnd = (text) => text.replace(/\r\n|\r/g, "\n");
