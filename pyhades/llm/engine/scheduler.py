"""Requests in progress: who takes part in the next step, and what comes of it.

Decisions are those of :mod:`pyhades.llm.engine.policy`; this is the bookkeeping around them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Sequence as Items

from pyhades.errors import CancelledError, PyhadesError
from pyhades.llm.cache.addresses import Address
from pyhades.llm.engine.answer import Answer, Event
from pyhades.llm.engine.batch_sampler import BatchSampler
from pyhades.llm.engine.fetching import Fetching
from pyhades.llm.engine.policy import (
    READING_SECONDS,
    WRITING_SECONDS,
    Holder,
    Shares,
    Unread,
    chunks,
    reading_order,
    unfair_holder,
    victim,
)
from pyhades.llm.engine.request import Request
from pyhades.llm.engine.runner import Logits, Piece, Runner
from pyhades.llm.engine.sampling import Sampler
from pyhades.llm.engine.step_costs import StepCosts
from pyhades.llm.engine.token_filter import Words
from pyhades.llm.engine.turns import Turn, take_turns
from pyhades.llm.models.layers import CACHE_BLOCK
from pyhades.llm.speculation.sources import Draft
from pyhades.llm.speculation.speculation import Speculation

Drafts = Mapping[Answer, Draft]
Suspended = Callable[[Answer], bool]

WORTH_WAITING = 128
"""Tokens that another prompt is about to read, for which one waits instead of reading them, too."""


class Scheduler:
    """Runs requests together, in steps.

    Parameters
    ----------
    runner
        The model.
    costs
        How long steps take.
    is_suspended
        Whether the reader of an answer does not read, so that it has to wait.
    clock
        Seconds.
    speculation
        Drafts of tokens, tried where that pays; None for none. It belongs to the scheduler.
    """

    def __init__(
        self,
        runner: Runner,
        costs: StepCosts,
        is_suspended: Suspended = lambda answer: False,
        clock: Callable[[], float] = time.monotonic,
        speculation: Speculation | None = None,
    ) -> None:
        self.runner = runner
        self.costs = costs
        self.preemptions = 0
        self.steps = 0
        self.seconds = 0.0
        """Of all steps."""
        self.seconds_in_model = 0.0
        """Without what stands around the kernels."""
        self._is_suspended = is_suspended
        self._clock = clock
        self._arrivals = 0
        self._waiting: list[Answer] = []
        self._holding: list[Answer] = []
        self._shares = Shares()
        self._fetching = Fetching(runner.cache)
        self._sampler = BatchSampler(
            runner.config.vocab_size, threads=runner.threads, isa=runner.isa
        )
        if speculation is not None:
            speculation.begin(costs.seconds)
        self.speculation = speculation if speculation and speculation.is_of_use else None

    # Requests.

    def add(self, request: Request) -> list[Answer]:
        """Take a request; its answers."""
        client = request.client
        if all(answer.request.client != client for answer in self._all()):
            self._shares.enter(client)
        arrival = self._arrivals, self._clock()
        self._arrivals += 1
        answers = [
            Answer(
                request, index,
                Sampler(request.params, request.tokens, index, request.filter_factory),
                self.runner.cache.sequence(), arrival, list(request.tokens),
            )
            for index in range(request.params.n)
        ]  # fmt: skip
        answers[0].address = self._address(answers[0])
        answers[0].siblings = answers[1:]
        self._waiting.append(answers[0])
        return answers

    def _address(self, answer: Answer) -> Address | None:
        """By what an answer's text is found."""
        request = answer.request
        if request.wants_rows:  # which are of every token
            return None
        address = self.runner.cache.address(request.tokens, request.client, request.points)
        if address is not None:
            address.extend(answer.tokens)
        return address

    def drop(self, answers: Iterable[Answer]) -> None:
        """Forget answers, done or not."""
        gone = set(answers)
        for answer in gone:
            self.runner.cache.free(answer.sequence, is_open=answer.is_open)
            if self.speculation is not None:
                self.speculation.forget(answer)
        for leader in self._all():
            leader.siblings = [sibling for sibling in leader.siblings if sibling not in gone]
        self._holding, heirs = self._without(self._holding, gone)
        self._waiting, more_heirs = self._without(self._waiting, gone)
        self._waiting = [*heirs, *more_heirs, *self._waiting]
        for answer in gone:
            if answer.fetch is not None:
                answer.fetch.cancel()
        at_work = {answer.request.client for answer in self._all()}
        for client in {answer.request.client for answer in gone} - at_work:
            self._shares.leave(client)

    @staticmethod
    def _without(answers: list[Answer], gone: set[Answer]) -> tuple[list[Answer], list[Answer]]:
        """The others; and where a leader goes, the first of its siblings, which takes its place."""
        kept, heirs = [], []
        for answer in answers:
            if answer not in gone:
                kept.append(answer)
            elif answer.siblings:
                heir, *rest = answer.siblings
                heir.siblings, answer.siblings = rest, []
                heir.address = answer.address
                heir.fetch, answer.fetch = answer.fetch, None
                heir.is_behind = answer.is_behind
                heirs.append(heir)
        return kept, heirs

    @property
    def answers(self) -> list[Answer]:
        """All that are in progress or wait, the oldest of those that hold blocks first."""
        return [each for answer in self._all() for each in (answer, *answer.siblings)]

    @property
    def has_work(self) -> bool:
        """Whether a step would do anything; answers that wait for what is fetched need none."""
        at_work = [answer for answer in self._all() if not self._is_suspended(answer)]
        if any(answer.fetch is None and not answer.is_behind for answer in at_work):
            return True
        # Those who wait behind others need not wait for nobody.
        return bool(at_work) and all(answer.fetch is None for answer in self._all())

    @property
    def waiting(self) -> int:
        """Prompts that nothing has been read of, or has to be read again."""
        return len(self._waiting)

    @property
    def running(self) -> int:
        """Answers that hold blocks."""
        return sum(1 + len(answer.siblings) for answer in self._holding)

    def _all(self) -> list[Answer]:
        return [*self._holding, *self._waiting]

    # A step.

    def step(self) -> list[Event]:
        """Bring answers forward by a token, or several at once, and prompts as far as time allows.

        Raises
        ------
        CancelledError
            The runner was told to stop; everything is as it was.
        """
        began = self._clock()
        try:
            events = self._step()
            if self.speculation is not None:
                self.speculation.learn(self._clock() - began)
            return events
        finally:
            self.seconds += self._clock() - began

    def _step(self) -> list[Event]:
        self.receive()
        chosen = self._chosen()
        while not chosen and self._holding and self.has_work:
            # Everything is held by those who wait for more, or whose readers do not read.
            self._preempt(self._holding[victim(self._holders())])
            chosen = self._chosen()
        if not chosen:
            return []
        answers = [answer for answer, _ in chosen]
        drafts = self._drafts(chosen)
        pieces = [self._piece(answer, count, drafts.get(answer)) for answer, count in chosen]
        looks = sum(len(piece.tokens) * piece.sequence.length for piece in pieces)
        began = self._clock()
        try:
            logits = self.runner.run(pieces, self._allowed(answers, pieces, drafts))
        except CancelledError:
            raise
        except (PyhadesError, MemoryError) as error:
            return [Event(answer, error=error) for answer in answers]
        seconds = self._clock() - began
        self.steps += 1
        self.seconds_in_model += seconds
        rows = sum(len(piece.tokens) for piece in pieces)
        if not drafts:  # whose rows take less than others: speculation knows what
            self.costs.learn(rows, looks, seconds)
        for answer, piece in zip(answers, pieces, strict=True):
            self._shares.serve(answer.request.client, seconds * len(piece.tokens) / rows)
        return self._events(answers, pieces, logits, drafts)

    def _chosen(self) -> list[tuple[Answer, int]]:
        """Who takes part in the next step, and with how many tokens."""
        writing, preempted = self._writing_with_room()
        if not preempted and self._make_fair_room(writing):
            writing, preempted = self._writing_with_room()
        reading = self._chosen_to_read(writing, may_admit=not preempted)
        return [*((answer, 1) for answer in writing), *reading]

    @staticmethod
    def _piece(answer: Answer, count: int, draft: Draft | None) -> Piece:
        tokens = answer.next_tokens(count)
        if answer.request.wants_rows:
            return Piece(answer.sequence, tokens, len(tokens))
        wanted = int(len(tokens) == answer.unread)
        guesses = () if draft is None else draft.tokens
        return Piece(answer.sequence, [*tokens, *guesses], wanted + len(guesses), len(guesses))

    def _drafts(self, chosen: Items[tuple[Answer, int]]) -> Drafts:
        """Guesses of what those who write go on with: they take what room the others leave."""
        speculation = self.speculation
        if speculation is None or speculation.is_paused:
            return {}
        writers = [answer for answer, _ in chosen if answer.is_writing]
        rows = sum(count for _, count in chosen)
        looks = sum(count * answer.sequence.length for answer, count in chosen)
        wanted = sum(count if a.request.wants_rows else 1 for a, count in chosen)
        limits = self.runner.limits
        room = min(limits.tokens - rows, limits.wanted - wanted)
        readers = [a for a, _ in chosen if not a.is_writing and not a.request.wants_rows]
        drafts = speculation.propose(writers, rows, looks, max(room, 0), readers)
        lengths = {answer: len(draft.tokens) for answer, draft in drafts.items()}
        if drafts and not self._have_room((a, count + lengths.get(a, 0)) for a, count in chosen):
            speculation.drop()
            return {}
        return drafts

    # Who writes.

    def _writing_with_room(self) -> tuple[list[Answer], bool]:
        """The answers that get a token, and whether others had to give way for them."""
        preempted = False
        while True:
            writing = [a for a in self._holding if a.is_writing and not self._is_suspended(a)]
            writing = writing[: self.runner.limits.sequences]
            if self._have_room((answer, 1) for answer in writing):
                return writing, preempted
            self._preempt(self._holding[victim(self._holders())])
            preempted = True

    def _have_room(self, appended: Iterable[tuple[Answer, int]]) -> bool:
        cache = self.runner.cache
        free = cache.free_blocks
        for answer, tokens in appended:
            for kind, blocks in cache.needed(answer.sequence, tokens).items():
                free[kind] -= blocks
        return all(blocks >= 0 for blocks in free.values())

    def _holders(self, *, of_blocks: bool = False) -> list[Holder]:
        return [
            Holder(
                key, a.request.client, a.arrival[0], self._is_suspended(a),
                -(-a.sequence.length // CACHE_BLOCK) if of_blocks else 1,
            )
            for key, a in enumerate(self._holding)
        ]  # fmt: skip

    def _preempt(self, answer: Answer) -> None:
        """Take an answer's blocks: it is read again from its tokens, with the same result."""
        self.preemptions += 1
        self.runner.cache.free(answer.sequence)
        answer.is_admitted = False
        if answer.address is None:  # a sibling, which has begun with a fork
            answer.address = self._address(answer)
        else:
            answer.address.extend(answer.tokens)
        self._holding.remove(answer)
        self._waiting.append(answer)

    # Who reads.

    def _chosen_to_read(
        self, writing: Items[Answer], *, may_admit: bool
    ) -> list[tuple[Answer, int]]:
        """The prompts that are read on, and how far."""
        limits = self.runner.limits
        order = self._in_order(may_admit)[: limits.sequences - len(writing)]
        room = min(limits.tokens - len(writing), self._rows_left(order, len(writing)))
        prompts = [(answer.unread, answer.read) for answer in order]
        counts = chunks(prompts, room, self._fits(writing))
        chosen: list[tuple[Answer, int]] = []
        is_door_open = True
        for answer, count in zip(order, counts, strict=False):
            others = [*((other, 1) for other in writing), *chosen]
            if answer in self._holding:
                taken = self._with_room(answer, count, others)
            elif is_door_open := is_door_open and self._may_begin(answer, others):
                self._admit(answer)
                taken = count
            else:  # nobody overtakes it, or small prompts would keep a large one out for ever
                taken = 0
            if taken:
                chosen.append((answer, taken))
        return chosen

    def _admit(self, answer: Answer) -> None:
        """Let an answer hold blocks, first those that were found for it."""
        self._waiting.remove(answer)
        self._holding.append(answer)
        answer.is_admitted = True
        address, prefixes = answer.address, self.runner.cache.prefixes
        if address is None or prefixes is None:
            return
        answer.sequence = self.runner.cache.begin(address)
        if not answer.written:
            answer.cached_tokens = answer.read
            prefixes.counts.asked += len(answer.tokens)
            prefixes.counts.found += answer.read

    def _in_order(self, may_admit: bool) -> list[Answer]:
        """Who may read, in order, without those for whom somebody before them reads."""
        reading = [a for a in self._holding if not a.is_writing]
        waiting = self._waiting if may_admit else []
        for answer in waiting:
            self._fetching.look_up(answer)
        candidates = [
            answer
            for answer in reading + waiting
            if not self._is_suspended(answer) and answer.fetch is None
        ]
        now = self._clock()
        views = [
            Unread(key, a.request.client, self.costs.seconds(a.unread), now - a.arrival[1])
            for key, a in enumerate(candidates)
        ]
        order = [candidates[key] for key in reading_order(views, self._shares.served)]
        if self.runner.cache.prefixes is None:
            return order
        is_busy = any(not self._is_suspended(answer) for answer in self._holding)
        return self._without_followers(self._fetching.ready(order, waiting, is_busy=is_busy))

    def receive(self) -> None:
        """Take in what was fetched for answers that wait."""
        self._fetching.receive(self._waiting)

    def _without_followers(self, order: Items[Answer]) -> list[Answer]:
        """Without prompts that begin as one does which is just being read: they wait for it."""
        readers = [answer for answer in order if answer.is_admitted]
        kept = []
        for answer in order:
            ahead = None if answer.is_admitted else _reader_for(answer, readers)
            if ahead is None:
                kept.append(answer)
                if not answer.is_admitted:
                    readers.append(answer)
        return kept

    def _rows_left(self, order: Items[Answer], writing: int) -> int:
        """Tokens that may be read as far as rows of logits go: some want all of theirs."""
        limits = self.runner.limits
        wants_rows = any(answer.request.wants_rows for answer in order)
        return limits.wanted - writing if wants_rows else limits.tokens

    def _fits(self, writing: Items[Answer]) -> Callable[[int, int], bool]:
        looks = sum(answer.sequence.length for answer in writing)
        allowed = WRITING_SECONDS if writing else READING_SECONDS

        def fits(tokens: int, more_looks: int) -> bool:
            return self.costs.seconds(tokens + len(writing), looks + more_looks) <= allowed

        return fits

    def _with_room(self, answer: Answer, count: int, others: Items[tuple[Answer, int]]) -> int:
        """How much of a chunk there are blocks for."""
        while count and not self._have_room([*others, (answer, count)]):
            count //= 2
        return count

    def _may_begin(self, answer: Answer, others: Items[tuple[Answer, int]]) -> bool:
        """Whether there is room for a prompt, and for everybody else's next tokens."""
        if not self._holding:
            return True
        if not self._has_place(answer):
            return False
        cache = self.runner.cache
        to_read = [(a, a.unread) for a in self._holding if not a.is_writing]
        needs = [cache.needed(other.sequence, tokens) for other, tokens in [*others, *to_read]]
        needs.append(cache.needed_to_begin(len(answer.tokens), answer.address))
        free = cache.free_blocks
        for needed in needs:
            for kind, pool in cache.pools.items():
                # What leaves a window makes room again.
                free[kind] -= 1 if pool.window else needed[kind]
        reserve = self.running + len(answer.siblings)
        return all(blocks >= reserve for blocks in free.values())

    def _has_place(self, answer: Answer) -> bool:
        """Whether a step takes one more answer, and those to the same prompt."""
        return self.running + 1 + len(answer.siblings) <= self.runner.limits.sequences

    def _make_fair_room(self, writing: Items[Answer]) -> bool:
        """Where a client has nothing and no room is left, the one that holds most gives way.

        Returns
        -------
        bool
            Whether an answer has given way.
        """
        clients = {answer.request.client for answer in self._holding}
        for answer in self._waiting:
            if answer.request.client in clients or answer.fetch is not None:
                continue
            has_place = self._has_place(answer)
            if has_place and not self._lacks_blocks(answer, writing):
                continue
            holders = self._holders(of_blocks=has_place)
            greedy = unfair_holder(holders, answer.request.client)
            if greedy is not None:
                self._preempt(self._holding[greedy])
                return True
        return False

    def _lacks_blocks(self, newcomer: Answer, writing: Items[Answer]) -> bool:
        """Whether there are none for it to begin. What gave way for want of them has begun."""
        if newcomer.written:
            return False
        self._fetching.look_up(newcomer)
        return not self._may_begin(newcomer, [(answer, 1) for answer in writing])

    # What comes of it.

    def _allowed(
        self, answers: Items[Answer], pieces: Items[Piece], drafts: Drafts
    ) -> Words | None:
        """The tokens whose logits are needed; None for all."""
        writers = [
            each
            for answer, piece in zip(answers, pieces, strict=True)
            if piece.wanted
            for each in (answer, *answer.siblings)
        ]
        are_filtered = any(writer.sampler.is_filtered for writer in writers)
        if not are_filtered or any(writer.request.wants_rows for writer in writers):
            return None
        guesses = {place: drafts[w].tokens for place, w in enumerate(writers) if w in drafts}
        return self._sampler.allowed([writer.sampler for writer in writers], guesses)

    def _events(
        self,
        answers: Items[Answer],
        pieces: Items[Piece],
        logits: Items[Logits],
        drafts: Drafts,
    ) -> list[Event]:
        events: list[Event] = []
        turns: list[Turn] = []
        row = 0
        for answer, piece, given in zip(answers, pieces, logits, strict=True):
            if answer.request.wants_rows:
                if not answer.unread:
                    answer.finish_reason = "length"
                events.append(Event(answer, rows=given.copy(), finish_reason=answer.finish_reason))
            elif piece.wanted:
                branches = [answer, *self._branches(answer)]
                turns += [Turn(branch, row, piece, drafts.get(branch)) for branch in branches]
            row += piece.wanted
        return events + take_turns(turns, self._sampler, self.runner)

    def _branches(self, answer: Answer) -> list[Answer]:
        """Siblings of an answer that has just read their prompt: they go on from there."""
        siblings, answer.siblings = answer.siblings, []
        for sibling in siblings:
            sibling.sequence = self.runner.cache.fork(answer.sequence)
            sibling.is_admitted = True
            sibling.cached_tokens = answer.cached_tokens
        at = self._holding.index(answer) + 1
        self._holding[at:at] = siblings
        return siblings


def _reader_for(answer: Answer, readers: Items[Answer]) -> Answer | None:
    """Who is about to read what a prompt needs next, and will leave it where they part."""
    mine = answer.address
    if mine is None:
        return None
    for reader in readers:
        other = reader.address
        if other is None:
            continue
        common = mine.common_depth(other)
        will_pass = reader.read < common * CACHE_BLOCK and common >= other.place.sound
        if will_pass and common * CACHE_BLOCK - answer.read >= WORTH_WAITING:
            other.points.add(common)
            return reader
    return None
