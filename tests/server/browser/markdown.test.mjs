// A text that grows is cut into blocks that stay as they are.

import assert from "node:assert/strict";
import { test } from "node:test";

import { blocksOf, splitAtLast } from "../../../pyhades/server/page/static/markdown.js";

const TEXT = `Some *words*, and
more of them.

# A title
- a list
- of things

  with a paragraph

1. another

\`\`\`python
# no title

print("- no list")
\`\`\`

| a | b |
|---|--:|
| 1 | 2 |

> a quotation
that goes on

<div>no markup</div>

    indented

---
The end, with [a link].

[a link]: https://good.example/
`;

const rawOf = (blocks) => blocks.map((block) => block.raw).join("");

test("blocks are the text again", () => {
  assert.equal(rawOf(blocksOf(TEXT)), TEXT);
});

test("what looks like HTML is text", () => {
  const markup = "<div>\n<b onclick='x'>bold</b>\n</div>\n\nA <i>word</i> <!-- no comment -->";
  const types = (tokens) => tokens.flatMap((token) => [token.type, ...types(token.tokens ?? [])]);
  assert.deepEqual([...new Set(types(blocksOf(markup)))].sort(), ["paragraph", "space", "text"]);
});

for (const size of [1, 2, 3, 7, 50]) {
  test(`blocks that are settled stay as they are, ${size} characters at a time`, () => {
    const settled = [];
    let read = 0;
    let live = [];
    for (let end = size; end < TEXT.length + size; end += size) {
      const text = TEXT.slice(0, end);
      const [done, growing] = splitAtLast(blocksOf(text.slice(read)));
      settled.push(...done);
      read += rawOf(done).length;
      live = growing;
      assert.ok(text.startsWith(rawOf(settled)), rawOf(settled));
      assert.ok(live.filter((block) => block.type !== "space").length <= 1);
    }
    const kinds = (blocks) => blocks.map((block) => block.type).filter((type) => type !== "space");
    assert.deepEqual(kinds([...settled, ...live]), kinds(blocksOf(TEXT)));
  });
}

test("nothing is split into nothing", () => {
  assert.deepEqual(splitAtLast(blocksOf("")), [[], []]);
  assert.deepEqual(rawOf(splitAtLast(blocksOf("\n\n"))[1]), "\n\n");
});
