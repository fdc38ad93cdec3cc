"""Traces, what they might find, and what the cache finds, on texts that are counted by hand."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest

from bench.cache.reusable import Reusable, Trie
from bench.cache.rooms import GB, REAL, STAND_IN, Rooms, bytes_per_token, bytes_per_window
from bench.cache.simulator import Simulation, simulate
from bench.cache.traces import KINDS, SEEDS, TUNING_SEEDS
from bench.cache.traces.mooncake import read_mooncake
from bench.cache.traces.spans import Names, Span, length_of, tokens_of
from bench.cache.traces.trace import Ask, scaled, trace_of
from pyhades.errors import ArgumentError

ENOUGH = Rooms(40 * GB)
SYSTEM, QUESTION, THOUGHT, WORDS, MORE = (
    Span(name, length) for name, length in enumerate((64, 32, 48, 33, 31))
)


SHORT = (Span(99, 17),)


def ask(time, *prompt, answer=SHORT, client="a", points=(), opens=False):
    return Ask(float(time), client, prompt, answer, points, opens)


class TestTexts:
    def test_spans_of_one_name_begin_alike(self):
        assert np.array_equal(Span(3, 100).tokens()[:40], Span(3, 40).tokens())
        assert (Span(3, 1000).tokens() == Span(4, 1000).tokens()).mean() < 0.01
        assert Span(3, 1000).tokens(words=50).max() < 50

    def test_a_text_is_its_spans(self):
        text = (Span(1, 5), Span(2, 3))
        assert length_of(text) == 8
        assert tokens_of(text).tolist() == [*Span(1, 5).tokens(), *Span(2, 3).tokens()]
        assert tokens_of(text, {2: [7, 8]}).tolist() == [*Span(1, 5).tokens(), 7, 8]
        assert tokens_of(()).size == 0

    def test_names_of_seeds_differ(self):
        one, other = Names(1), Names(2)
        assert len({one.span(1).name, one.span(1).name, other.span(1).name}) == 3

    def test_scaling(self):
        trace = trace_of("t", [ask(8, Span(1, 100), Span(2, 40), points=(100,))])
        small = scaled(trace, 0.1, 0.5).asked[0]
        assert [span.length for span in small.prompt] == [10, 4]
        assert small.points == (10,) and small.time == 4


class TestKinds:
    @pytest.mark.parametrize("kind", KINDS)
    def test_seeds_decide(self, kind):
        make = KINDS[kind]
        assert make(5) == make(5) != make(6)
        assert not set(SEEDS) & set(TUNING_SEEDS)

    @pytest.mark.parametrize("kind", KINDS)
    def test_prompts_come_in_order_and_points_lie_in_them(self, kind):
        asked = KINDS[kind](7).asked
        assert len(asked) >= 200
        assert all(one.time <= other.time for one, other in itertools.pairwise(asked))
        assert all(0 < at < each.prompt_length for each in asked for at in each.points)

    def test_thoughts_of_chats_are_dropped(self):
        asked = KINDS["chats"](7).asked
        thoughts = {each.answer[0] for each in asked}
        assert not any(span in thoughts for each in asked for span in each.prompt)
        # Some are asked in other words, some once more.
        prompts = [each.prompt for each in asked]
        assert len(set(prompts)) < len(prompts)

    def test_thoughts_of_chains_stay_until_the_answer(self):
        """A step begins as the whole of the one before it; the next question does not."""
        asked = sorted(KINDS["agents"](7).asked, key=lambda each: (each.client, each.time))
        steps = [each for each in asked if each.opens]
        assert len(steps) > 100
        whole = {step.prompt + step.answer for step in steps}
        followed = [each for each in asked if each.prompt[:-1] in whole]
        assert len(followed) == len(steps)

    def test_a_library_with_too_few_documents(self):
        with pytest.raises(ValueError, match="need as many documents"):
            KINDS["documents"].__call__(1, questions=10, library=9)  # type: ignore[call-arg]


class TestReusable:
    def test_trie(self):
        trie = Trie()
        for text in ([1, 2, 3, 4], [1, 2, 5], [6], [1, 2, 3, 4, 7]):
            trie.add(np.array(text, np.int32))
        for text, common in (
            ([1, 2, 3, 9], 3), ([1, 2, 5, 5], 3), ([2], 0), ([6, 1], 1), ([1, 2, 3, 4, 7, 8], 5),
        ):  # fmt: skip
            assert trie.common(np.array(text, np.int32)) == common

    def test_against_all_pairs(self):
        random = np.random.default_rng(0)
        texts = [random.integers(0, 3, random.integers(1, 12)).astype(np.int32) for _ in range(200)]
        trie = Trie()
        for count, text in enumerate(texts):
            wanted = 0
            for other in texts[:count]:
                length = min(len(text), len(other))
                equal = text[:length] == other[:length]
                wanted = max(wanted, length if equal.all() else int(equal.argmin()))
            assert trie.common(text) == wanted
            trie.add(text)

    def test_clients_share_what_is_declared(self):
        found = Reusable([np.arange(4, dtype=np.int32)])
        found.add(np.array([0, 1, 2, 3, 8, 9], np.int32), "a")
        assert found.found(np.array([0, 1, 2, 3, 8, 9, 9], np.int32), "a") == 6
        assert found.found(np.array([0, 1, 2, 3, 8, 9, 9], np.int32), "b") == 4
        assert found.found(np.array([0, 1, 2, 3, 8, 9], np.int32), "a") == 5  # the last is read


class TestSimulator:
    def test_the_next_turn_finds_what_was_written(self):
        """64 + 32 tokens are read, of the answer 32 of 33: all 128 are found."""
        first = ask(0, SYSTEM, QUESTION, answer=(WORDS,))
        found = simulate(trace_of("t", [first, ask(100, SYSTEM, QUESTION, WORDS, MORE)]), ENOUGH)
        assert (found.asked, found.reusable, found.found) == (96 + 160, 128, 128)
        assert found.rederived == 0 and found.of_reusable == 1 and found.of_asked == 0.5

    def test_the_next_turn_without_the_thought(self):
        """It begins as the prompt before it did, which is found up to the block of its last token.

        There is a window before the sixth block only, which has the last token, so that one is read
        once more.
        """
        first = ask(0, SYSTEM, QUESTION, answer=(THOUGHT, WORDS))
        found = simulate(trace_of("t", [first, ask(100, SYSTEM, QUESTION, WORDS, MORE)]), ENOUGH)
        assert (found.reusable, found.found, found.spared) == (96, 96, 80)

    def test_clients_find_nothing_of_each_other(self):
        both = [ask(0, SYSTEM, QUESTION), ask(100, SYSTEM, QUESTION, client="b")]
        found = simulate(trace_of("t", both), ENOUGH)
        assert (found.reusable, found.found) == (0, 0)

    def test_nothing_is_found_before_it_was_written(self):
        """The second comes while the first is written, which takes 3.3 seconds."""
        early = [ask(0, SYSTEM, answer=(WORDS,)), ask(3, SYSTEM, WORDS, MORE)]
        late = [ask(0, SYSTEM, answer=(WORDS,)), ask(3.4, SYSTEM, WORDS, MORE)]
        assert simulate(trace_of("t", early), ENOUGH).reusable == 64
        assert simulate(trace_of("t", late), ENOUGH).reusable == 96

    def test_a_lost_window_is_no_cliff(self):
        """A chain of 10 steps: each reads 1524 tokens once more at most, and not all again."""
        steps = [Span(200 + number, 1000) for number in range(10)]
        asked = [
            ask(100 * n, *steps[: n + 1], Span(300 + n, 50), points=(1000 * (n + 1),))
            for n in range(10)
        ]
        trace = trace_of("t", asked)
        kept = Simulation(trace, ENOUGH.tokens).run()
        lost = Simulation(trace, ENOUGH.tokens, loses_windows=True).run()
        assert lost.reusable == kept.reusable and lost.found == kept.found
        assert lost.by_windows == 0 < kept.by_windows
        known = [1000 * n // 16 * 16 for n in range(1, 10)]
        assert [found for found, _, _ in lost.per_ask] == [0, *known]
        assert lost.rederived == sum(min(1524, each) for each in known)
        assert kept.spared > 0.95 * kept.reusable

    def test_too_small_a_room_finds_less(self):
        trace = KINDS["chats"](7).first(300)
        small, large = (simulate(trace, Rooms(gb * GB)) for gb in (0.3, 8))
        assert small.reusable == large.reusable
        assert small.of_reusable < 0.9 * large.of_reusable

    @pytest.mark.slow
    def test_permuted_documents_miss(self):
        trace = KINDS["documents"](7)
        found = simulate(trace, ENOUGH)
        instructions = trace.asked[0].prompt[0].length
        assert 0 < found.found <= instructions * (len(trace.asked) - 1)
        assert max(found for found, _, _ in found.per_ask) <= instructions

    @pytest.mark.slow
    @pytest.mark.parametrize("kind", ["chats", "agents"])
    def test_enough_room_finds_nearly_everything(self, kind):
        found = simulate(KINDS[kind](7), ENOUGH)
        assert found.of_reusable >= 0.95 and found.of_asked > 0.8


class TestRooms:
    def test_sizes_are_those_of_the_model(self):
        assert bytes_per_token() == 24_576 and bytes_per_token("int8") == 13_056
        assert bytes_per_window() == 3_145_728
        assert bytes_per_token() == 512 * bytes_per_token(config=STAND_IN)
        assert bytes_per_window() == 512 * bytes_per_window(config=STAND_IN)
        assert STAND_IN.layer_types == REAL.layer_types

    def test_rooms_in_tokens(self):
        rooms = Rooms(2 * GB, 8 * GB)
        assert rooms.below_tokens == round(8 * GB / 24_576)
        assert rooms.tokens < 2 * GB / 24_576  # windows take some
        assert str(rooms).startswith("2 GB (")


class TestMooncake:
    LINES = (
        {"timestamp": 0, "input_length": 1024, "output_length": 5, "hash_ids": [1, 2]},
        {"timestamp": 60_000, "input_length": 1100, "output_length": 9, "hash_ids": [1, 2, 3]},
        {"timestamp": 90_000, "input_length": 1500, "output_length": 9, "hash_ids": [1, 4, 5]},
    )

    def written(self, folder, *lines):
        path = folder / "small_trace.jsonl"
        text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
        path.write_text(text + "\n", encoding="utf-8")
        return path

    def test_reading(self, tmp_path):
        trace = read_mooncake(self.written(tmp_path, *self.LINES))
        assert trace.name == "small_trace"
        assert [each.time for each in trace.asked] == [0, 60, 90]
        assert [each.prompt_length for each in trace.asked] == [1024, 1100, 1500]
        assert [each.answer_length for each in trace.asked] == [5, 9, 9]
        found = simulate(trace, ENOUGH)
        assert found.reusable == 1024 + 512
        assert len(read_mooncake(self.written(tmp_path, *self.LINES), most=2).asked) == 2

    @pytest.mark.parametrize(
        ("line", "message"),
        [
            ("{", "line 1 is no JSON"),
            ("[]", "line 1 is no object"),
            ({**LINES[0], "timestamp": -1}, "timestamp is -1"),
            ({**LINES[0], "input_length": 10.5}, "input_length is 10.5"),
            ({**LINES[0], "hash_ids": [1]}, "1024 tokens are not 1 blocks of 512"),
            ({**LINES[0], "hash_ids": ["a", "b"]}, "no list of whole numbers"),
            ({**LINES[0], "input_length": 0, "hash_ids": []}, "prompt is empty"),
        ],
        ids=["json", "object", "time", "length", "count", "names", "empty"],
    )
    def test_what_is_no_trace(self, tmp_path, line, message):
        with pytest.raises(ArgumentError, match=message):
            read_mooncake(self.written(tmp_path, line))
