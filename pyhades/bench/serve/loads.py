"""Ways to ask: one request after the other, at random times, and clients that go away."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

from pyhades.bench.serve.asking import Asker, Leave
from pyhades.bench.serve.outcome import Outcome

WRITER, ARRIVAL = "writer", "arrival"
BEFORE_FIRST, MID_STREAM, TO_THE_END = "before the first token", "mid stream", "to the end"


async def closed(
    asker: Asker, *, clients: int, requests: int, prompt_tokens: int, output_tokens: int
) -> list[Outcome]:
    """So many clients, each with the next request when the last is answered.

    Parameters
    ----------
    asker
        Who asks.
    clients
        How many at once.
    requests
        Of each.
    prompt_tokens, output_tokens
        Of each request.
    """

    async def client() -> list[Outcome]:
        return [
            await asker.ask(asker.prompt(prompt_tokens), output_tokens) for _ in range(requests)
        ]

    answered = await asyncio.gather(*(client() for _ in range(clients)))
    return [outcome for outcomes in answered for outcome in outcomes]


async def poisson(
    asker: Asker,
    *,
    rate: float,
    seconds: float,
    prompt_tokens: int,
    output_tokens: int,
    patience: float,
    seed: int,
) -> list[Outcome]:
    """Requests at random times, whether or not earlier ones are answered.

    Parameters
    ----------
    asker
        Who asks.
    rate
        Requests per second, on average.
    seconds
        For how long they come.
    prompt_tokens, output_tokens
        Of each request.
    patience
        Seconds after the last request, until those that are not answered yet are left.
    seed
        Of the times.
    """

    async def one(number: int) -> Outcome:
        rest = Leave(seconds + patience - asker.now)
        return await asker.ask(asker.prompt(prompt_tokens), output_tokens, leave=rest)

    return await _arrive(asker, rate, seconds, seed, one)


async def arrivals(
    asker: Asker,
    *,
    writers: int,
    writer_tokens: int,
    prompt_tokens: int,
    alone: float,
    rate: float,
    seconds: float,
    arrival_tokens: int,
    arrival_output: int,
    seed: int,
) -> list[Outcome]:
    """Long answers are written while long prompts arrive at random times.

    Parameters
    ----------
    asker
        Who asks.
    writers
        How many clients ask for long answers, one after the other.
    writer_tokens, prompt_tokens
        Of each of their requests.
    alone
        Seconds before the first long prompt may arrive.
    rate
        Long prompts per second, on average.
    seconds
        For how long they arrive; writers go on until all are answered.
    arrival_tokens, arrival_output
        Of each of the long prompts, and of the answer to it.
    seed
        Of the times.
    """
    arrived = asyncio.Event()

    async def writer() -> list[Outcome]:
        outcomes = []
        while not arrived.is_set():
            outcome = await asker.ask(asker.prompt(prompt_tokens), writer_tokens, WRITER)
            outcomes.append(outcome)
            if not outcome.good:  # again and again otherwise
                break
        return outcomes

    async def arrival(number: int) -> Outcome:
        return await asker.ask(asker.prompt(arrival_tokens), arrival_output, ARRIVAL)

    async def crowd() -> list[Outcome]:
        await asyncio.sleep(alone)
        try:
            return await _arrive(asker, rate, seconds, seed, arrival)
        finally:
            arrived.set()

    answered = await asyncio.gather(crowd(), *(writer() for _ in range(writers)))
    return [outcome for outcomes in answered for outcome in outcomes]


async def churn(
    asker: Asker,
    *,
    clients: int,
    seconds: float,
    prompt_tokens: int,
    output_tokens: int,
    patience: float,
    seed: int,
) -> list[Outcome]:
    """Clients that come at random times and go at random ones.

    Parameters
    ----------
    asker
        Who asks.
    clients
        How many in all.
    seconds
        Within which they come.
    prompt_tokens, output_tokens
        At most, of each request.
    patience
        Seconds after which a client goes in any case.
    seed
        Of everything random.
    """
    dice = random.Random(f"churn {seed}")

    async def client(comes: float, tokens: int, output: int, who: str, leave: Leave) -> Outcome:
        await asyncio.sleep(comes)
        return await asker.ask(asker.prompt(tokens), output, who, leave)

    def planned() -> Awaitable[Outcome]:
        comes, tokens = dice.uniform(0, seconds), dice.randint(1, prompt_tokens)
        output = dice.randint(2, output_tokens)
        who = dice.choice((BEFORE_FIRST, MID_STREAM, TO_THE_END))
        leave = {
            BEFORE_FIRST: Leave(dice.expovariate(10)),
            MID_STREAM: Leave(patience, dice.randint(1, output - 1)),
            TO_THE_END: Leave(patience),
        }[who]
        return client(comes, tokens, output, who, leave)

    return list(await asyncio.gather(*(planned() for _ in range(clients))))


async def _arrive(
    asker: Asker,
    rate: float,
    seconds: float,
    seed: int,
    one: Callable[[int], Awaitable[Outcome]],
) -> list[Outcome]:
    """Call ``one`` at random times for so many seconds, and wait for all of them."""
    dice = random.Random(f"arrivals {seed}")
    begins = asker.now
    comes = 0.0
    tasks: list[asyncio.Future[Outcome]] = []
    while (comes := comes + dice.expovariate(rate)) < seconds or not tasks:
        await asyncio.sleep(begins + comes - asker.now)
        tasks.append(asyncio.ensure_future(one(len(tasks))))
    return list(await asyncio.gather(*tasks))


async def given(
    asker: Asker, *, prompts: list[str], output_tokens: int, patience: float | None = None
) -> list[Outcome]:
    """Prompts that are known, all at once.

    Parameters
    ----------
    asker
        Who asks.
    prompts
        Texts.
    output_tokens
        Of each answer.
    patience
        Seconds after which an answer is left.
    """
    leave = Leave(patience)
    asked = (asker.ask(prompt, output_tokens, leave=leave) for prompt in prompts)
    return list(await asyncio.gather(*asked))
