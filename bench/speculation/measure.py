"""Tokens per step and per second, with speculation and without, in turn.

``python -m bench.speculation.measure`` prints a table. Answers are dictated, so that any model
writes them: what is copied, and so what drafts are worth, is that of real answers, and steps are
those of the model. ``--free`` lets the model answer by itself.

Runs with drafts and without come in pairs, either first by turns. The gain is the median of the
ratios of all pairs, with an interval: many short pairs resolve what the machine's own changes hide,
and steps that were kept from running by others count as six.
What speculation has learned stays from run to run, as it does where a model serves.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import click

from bench.speculation.cases import Case, cases, copying
from bench.speculation.dictation import Dictation
from bench.speculation.pairs import Gain, gain_of, ratio_of
from bench.speculation.steps import Steps
from pyhades import LLM
from pyhades.bench.machine import describe_machine
from pyhades.llm.engine.request import Request, request_of
from pyhades.llm.engine.sampling import SamplingParams
from pyhades.llm.engine.token_filter import FilterFactory
from pyhades.llm.grammar import json_schema
from pyhades.llm.grammar.compiled import Grammar, Grammars
from pyhades.llm.measure.synthetic import random_weights
from pyhades.llm.models.gpt_oss.sizes import tiny_config
from pyhades.llm.speculation.speculation import Speculation

SYNTHETIC = "synthetic"
COPIES = (1.0, 0.9, 0.7, 0.4, 0.0)
"""Shares of tokens that are copied, where the text is not one of the cases."""


@dataclass(frozen=True)
class Job:
    """An answer to be measured: its prompt, and its tokens where it is dictated."""

    name: str
    prompt: list[int]
    answer: list[int] | None
    case: Case | None = None


@dataclass(frozen=True)
class Measured:
    """One run: what was written after the last of all first tokens, and what steps took."""

    tokens: int
    steps: list[float]

    @property
    def seconds(self) -> float:
        """Of all steps."""
        return sum(self.steps)


@dataclass(frozen=True)
class Row:
    """What all pairs say: medians, and how much faster it is with drafts."""

    name: str
    answers: int
    plain: float
    with_drafts: float
    gain: Gain
    tokens_per_step: float
    drafted: int
    accepted: int
    sources: str

    def line(self) -> str:
        """Of the table."""
        return (
            f"| {self.name} | {self.answers} | {self.plain:.1f} | {self.with_drafts:.1f} | "
            f"{self.gain} | {self.tokens_per_step:.2f} | "
            f"{self.accepted} of {self.drafted} | {self.sources} |"
        )


@click.command()
@click.argument("model", required=False)
@click.option("--batch", default="1,4,8", help="numbers of answers at the same time")
@click.option("--pairs", default=11, help="of runs, with drafts and without")
@click.option("--tokens", default=240, help="most tokens of an answer")
@click.option("--threads", type=int)
@click.option("--only", default="", help="cases whose name has this in it")
@click.option("--free", is_flag=True, help="let the model answer by itself")
@click.option("--optimistic", is_flag=True, help="as LLM(speculation=True)")
@click.option("--out", type=click.Path(path_type=Path), help="JSON, too")
def main(
    model: str | None, batch: str, pairs: int, tokens: int, threads: int | None, only: str,
    free: bool, optimistic: bool, out: Path | None,
) -> None:  # fmt: skip
    """Measure MODEL: a checkpoint, ``synthetic``, or by default the toy model."""
    with opened(model, threads) as llm:
        machine = describe_machine(llm.isa, [llm.threads], {}) | {"model": repr(llm)}
        print(f"{machine['cpu']}, {machine['tier']}, {llm.threads} threads, {machine['model']}")
        print(f"{llm.engine.costs}\n")
        print("| answer | B | tokens/s | with drafts | gain | tokens a step | right | from |")
        print("|---|---|---|---|---|---|---|---|")
        rows = []
        for job in jobs(llm, tokens, free=free):
            if only not in job.name:
                continue
            for answers in map(int, batch.split(",")):
                row = measured(llm, job, answers, pairs, tokens, optimistic=optimistic)
                rows.append(row)
                print(row.line(), flush=True)
    if out is not None:
        text = json.dumps({"machine": machine, "results": [asdict(row) for row in rows]}, indent=1)
        out.write_text(text + "\n", encoding="utf-8")


def opened(model: str | None, threads: int | None) -> LLM:
    """The model."""
    if model != SYNTHETIC:
        return LLM(model, threads=threads, max_sequences=8)
    with LLM(context_length=512, max_sequences=1) as toy:
        tokenizer = toy.tokenizer
    config = tiny_config(
        num_hidden_layers=12, hidden_size=1024, intermediate_size=1024, num_attention_heads=16,
        num_key_value_heads=4, head_dim=64, num_local_experts=32, sliding_window=128,
        layer_types=("sliding_attention", "full_attention") * 6, vocab_size=tokenizer.vocab_size,
    )  # fmt: skip
    return LLM.from_weights(
        config, random_weights(config, "balanced", threads=threads), tokenizer, threads=threads,
        context_length=4096, max_sequences=8, name="random weights",
    )  # fmt: skip


def jobs(llm: LLM, tokens: int, *, free: bool) -> Iterator[Job]:
    """Real answers, then copies of so much."""
    for case in cases():
        answer = None if free else llm.tokenize(case.answer)[:tokens]
        yield Job(case.name, llm.tokenize(case.question), answer, case)
    source = llm.tokenize(cases()[0].question)
    for share in () if free else COPIES:
        answer = copying(source, share, tokens, min(llm.tokenizer.vocab_size, 100_000) * 9 // 10)
        yield Job(f"copies {100 * share:.0f} % of its tokens", source, answer)


def measured(llm: LLM, job: Job, answers: int, pairs: int, tokens: int, *, optimistic: bool) -> Row:
    """Both ways, in pairs; the first of them only warms up."""
    scheduler, speculation = llm.engine.scheduler, Speculation(is_optimistic=optimistic)
    speculation.begin(llm.engine.costs.seconds)
    runs: dict[bool, list[Measured]] = {False: [], True: []}
    for pair in range(pairs + 1):
        for drafts in (bool(pair % 2), not pair % 2):
            scheduler.speculation = speculation if drafts else None
            one = run(llm, job, answers, tokens, f"{answers} {pair}", drafts=drafts)
            runs[drafts] += [one] * (pair > 0)
    scheduler.speculation = None
    both = zip(runs[False], runs[True], strict=True)
    ratios = [ratio_of(plain.steps, one.steps) for plain, one in both]
    plain, with_drafts = (
        statistics.median(one.tokens / one.seconds for one in runs[drafts])
        for drafts in (False, True)
    )
    counts = speculation.counts()
    sources = ", ".join(
        f"{name} {source.accepted}/{source.drafted}" for name, source in counts.by_source.items()
    )
    return Row(
        job.name, answers, plain, with_drafts, gain_of(ratios),
        statistics.median(one.tokens / answers / len(one.steps) for one in runs[True]),
        counts.drafted, counts.accepted, sources + (" paused" if counts.is_paused else ""),
    )  # fmt: skip


def run(llm: LLM, job: Job, answers: int, tokens: int, name: str, *, drafts: bool) -> Measured:
    """Some answers to the same question, each for a client of its own, who has asked nothing yet.

    Both runs of a pair read and write the same.
    """
    names = [f"Question {number} of {name}.\n" for number in range(answers)]
    requests = [
        request(llm, job, number, tokens, begin, f"{job.name} {begin} {drafts}")
        for number, begin in enumerate(names)
    ]
    waiting = set(range(answers))
    count, first = 0, 0
    with Steps(llm.engine.scheduler) as steps:
        for delta in llm.engine.write(requests):
            if waiting:
                waiting.discard(delta.prompt)
                first = len(steps.seconds)
            else:
                count += len(delta.token_ids)
    return Measured(count, steps.seconds[first:])


def request(llm: LLM, job: Job, number: int, tokens: int, begin: str, client: str) -> Request:
    """A question, with something before it by which it differs from those of others."""
    prompt = [*llm.tokenize(begin), *job.prompt]
    params = SamplingParams(temperature=0, max_tokens=tokens, logprobs=0)
    asked = request_of(
        number, prompt, params, llm.context_length, frozenset(llm.config.eos_token_ids),
        llm.config.vocab_size, client, filter_factory=filters(llm, job),
    )  # fmt: skip
    if job.case is not None and job.case.prediction:
        asked = replace(asked, drafts=(tuple(llm.tokenize(job.case.prediction)),))
    return asked


def filters(llm: LLM, job: Job) -> FilterFactory | None:
    """What has the answer written, or keeps it to a schema."""
    answer, begin = job.answer, None
    if job.case is not None and job.case.schema is not None:
        ends = llm.config.eos_token_ids
        grammars = Grammars(llm.tokenizer, llm.config.vocab_size, ends)
        begin = grammars.compiled(Grammar.of(json_schema(job.case.schema), ends)).filters()
    if answer is None:
        return begin
    return lambda: Dictation(answer, None if begin is None else begin())


if __name__ == "__main__":
    main()
