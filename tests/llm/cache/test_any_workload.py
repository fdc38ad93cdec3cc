"""An engine with all levels and drafts answers as one without any, to the bit, come what may."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from pyhades.errors import CancelledError
from pyhades.llm.cache.codec import codec_of
from pyhades.llm.cache.disk import DiskLevel
from pyhades.llm.cache.levels import Levels
from pyhades.llm.cache.memory import MemoryLevel
from pyhades.llm.engine.runner import Runner
from pyhades.llm.measure.synthetic import random_weights
from pyhades.llm.models.gpt_oss.sizes import tiny_config
from tests.llm.cache.test_chats_on_levels import check_books, shapes_of
from tests.llm.speculation.guessing import Guessing, request, run, scheduler_of
from tests.llm.speculation.test_exact import PENALTIES, Odd
from tests.support.tiny_texts import ids

CONTEXT = 333
SLIDING, FULL = "sliding_attention", "full_attention"
CONFIGS = [
    tiny_config(vocab_size=320, sliding_window=20),
    tiny_config(vocab_size=320, sliding_window=48, num_hidden_layers=5,
                layer_types=(SLIDING,) * 3 + (FULL, SLIDING)),
    tiny_config(vocab_size=320, sliding_window=128),
]  # fmt: skip


class Workload:
    """Two engines on one folder, and what they are asked."""

    def __init__(self, seed: int, folder) -> None:
        self.dice = random.Random(seed)
        self.folder = folder
        self.config = CONFIGS[seed % len(CONFIGS)]
        self.kv_format = ("bf16", "int8")[seed % 2]
        self.weights = random_weights(self.config, "balanced", threads=1)
        self.plain = self.runner(prefix_cache=False, step_tokens=512)
        self.schedulers = [self.engine(), self.engine()]
        self.texts = [ids(n, self.dice.choice((5, 60, 150))) for n in range(5)]
        self.known: dict[int, list[int]] = {}
        self.live: list[dict] = [{}, {}]
        self.answered = self.number = 0

    def runner(self, **options) -> Runner:
        return Runner(self.config, self.weights, CONTEXT, 4, 1, kv_format=self.kv_format, **options)

    def engine(self):
        codec, shapes = codec_of(self.kv_format), shapes_of(self.config, self.kv_format)
        disk = DiskLevel(self.folder, 1 << 20, shapes, codec=codec)
        levels = Levels([MemoryLevel(1 << 17, codec=codec), disk], inline=self.dice.random() < 0.5)
        runner = self.runner(step_tokens=33, cache_tokens=CONTEXT + 90, levels=levels)
        return scheduler_of(runner, Guessing(self.guess))

    def guess(self, answer) -> list[int]:
        """What comes next, mostly."""
        known = self.known.get(answer.request.number, [])[answer.written :]
        return [t if self.dice.random() < 0.9 else 7 for t in known][: self.dice.randrange(16)]

    def ask(self, which: int) -> None:
        dice = self.dice
        text = dice.choice(self.texts)
        more = dice.choice([{}, PENALTIES, {"top_p": 0.9}, {"filter_factory": Odd}])
        most = min(dice.choice((1, 9, 40, CONTEXT)), CONTEXT - len(text))
        self.number += 1
        one = request(
            self.number, 1, most, range(3, 320, 29), temperature=dice.choice((0, 0.5, 1.2)),
            logprobs=dice.choice((None, 2)), n=dice.choice((1, 1, 3)), **more,
        )  # fmt: skip
        one = replace(one, tokens=tuple(text), client=dice.choice("ab"), points=(40,))
        expected = run(scheduler_of(self.plain), [one])
        self.known[one.number] = [token for token, *_ in expected[one.number, 0]]
        self.live[which][one.number] = self.schedulers[which].add(one), expected, {}

    def disturb(self, which: int) -> None:
        dice, scheduler, live = self.dice, self.schedulers[which], self.live[which]
        if live and dice.random() < 0.04:
            scheduler.drop(live.pop(dice.choice(list(live)))[0])
        if scheduler.roster.holding and dice.random() < 0.06:
            scheduler.preemption.preempt(dice.choice(scheduler.roster.holding))
        if dice.random() < 0.04:
            windows = scheduler.runner.cache.prefixes.windows
            for digest in list(windows.kept):
                windows.give_up(digest)
        if dice.random() < 0.03:
            scheduler.runner.cancel()
        if dice.random() < 0.02:
            scheduler.runner.close()
            live.clear()
            self.schedulers[which] = self.engine()

    def step(self, which: int) -> None:
        scheduler, live = self.schedulers[which], self.live[which]
        try:
            events = scheduler.step()
        except CancelledError:
            events = []
        scheduler.runner.allow()
        for event in events:
            assert event.error is None
            number, index = event.answer.request.number, event.answer.index
            if number in live:
                came = live[number][2].setdefault((number, index), [])
                came.append((event.token, event.logprob, event.finish_reason))
        scheduler.drop([e.answer for e in events if e.answer.finish_reason is not None])
        check_books(scheduler.runner, [answer.sequence for answer in scheduler.answers])
        for number, (answers, expected, came) in list(live.items()):
            if all(answer.finish_reason is not None for answer in answers):
                assert came == expected
                del live[number]
                self.answered += 1
                text = [*answers[0].tokens, *ids(number, 9)]
                self.texts[number % 5] = text if len(text) < CONTEXT - 9 else ids(number, 50)

    def run(self, steps: int) -> None:
        for _ in range(steps):
            which = self.dice.randrange(2)
            if self.dice.random() < 0.3 and len(self.live[which]) < 5:
                self.ask(which)
            self.disturb(which)
            self.step(which)
        for scheduler in self.schedulers:
            scheduler.runner.close()
        self.plain.close()


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(s, marks=pytest.mark.slow) for s in range(1, 7))]
)
def test_answers_are_those_of_an_engine_that_keeps_nothing(seed, tmp_path):
    workload = Workload(seed, tmp_path)
    workload.run(80 if seed == 0 else 400)
    assert workload.answered > (5 if seed == 0 else 40)
