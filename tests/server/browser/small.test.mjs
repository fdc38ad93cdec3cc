// The rate of tokens, the settings, and blocks of Markdown.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Meter, seconds } from "../../../pyhades/server/page/static/meter.js";
import {
  DEFAULTS,
  loadSettings,
  parametersOf,
  saveSettings,
} from "../../../pyhades/server/page/static/settings.js";

test("the meter counts from the first token to the last", () => {
  let now = 1000;
  const meter = new Meter(() => now);
  assert.deepEqual([meter.rate(), meter.untilFirst, meter.thinking], [null, null, 0]);
  assert.equal(meter.summary(), "");
  for (const [time, phase] of [[3000, "thinking"], [3500, "thinking"], [4000, "writing"]]) {
    now = time;
    meter.wrote(phase);
  }
  now = 9000;
  assert.deepEqual([meter.untilFirst, meter.thinking, meter.elapsed], [2, 1, 8]);
  assert.equal(meter.rate(), 2);
  assert.equal(meter.rate(11), 10);
  assert.equal(meter.summary(), "≈ 2.0 tokens/s · first token after 2.00 s");
});

test("the server's counts are told as they are", () => {
  let now = 0;
  const meter = new Meter(() => now);
  for (now of [500, 1500]) meter.wrote("writing");
  const usage = {
    prompt_tokens: 30,
    completion_tokens: 12,
    prompt_tokens_details: { cached_tokens: 20 },
    completion_tokens_details: { reasoning_tokens: 5 },
  };
  assert.equal(
    meter.summary(usage),
    "11.0 tokens/s · first token after 0.50 s · 30 read (20 cached) · 12 written (5 reasoning)",
  );
  const bare = { prompt_tokens: 30, completion_tokens: 12, prompt_tokens_details: null };
  assert.match(meter.summary(bare), /30 read · 12 written$/);
});

test("what came in one packet has no rate", () => {
  let now = 0;
  const meter = new Meter(() => now);
  for (now of [100, 101]) meter.wrote("writing");
  assert.equal(meter.rate(1000), null);
});

test("times have as many digits as matter", () => {
  assert.deepEqual([0.123, 12.34, 200].map(seconds), ["0.12 s", "12.3 s", "3 min 20 s"]);
});

test("only what was chosen is sent", () => {
  assert.deepEqual(parametersOf(DEFAULTS), {});
  assert.deepEqual(parametersOf({ effort: "high", temperature: "0", maxTokens: "50" }), {
    reasoning_effort: "high",
    temperature: 0,
    max_completion_tokens: 50,
  });
});

test("settings are kept, and the want of a place for them is no harm", () => {
  const kept = new Map();
  const storage = {
    getItem: (name) => kept.get(name) ?? null,
    setItem: (name, value) => kept.set(name, value),
  };
  assert.deepEqual(loadSettings(storage), DEFAULTS);
  saveSettings({ ...DEFAULTS, effort: "low" }, storage);
  assert.deepEqual(loadSettings(storage), { ...DEFAULTS, effort: "low" });
  kept.set([...kept.keys()][0], "{half");
  assert.deepEqual(loadSettings(storage), DEFAULTS);
  assert.deepEqual(loadSettings(null), DEFAULTS);
  saveSettings(DEFAULTS, null);
});
