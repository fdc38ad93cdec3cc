"""Train the default network: ``python -m training.train --out DIR --minutes 45``.

Everything is made on the spot: scenes are composed into ``DIR/pool`` first, then the network
trains on them until the time is up. Stop it at any moment (Ctrl-C included); ``--resume``
continues from the last checkpoint, with the learning rate warmed up and lowered again over the
new stretch of time.
"""

from __future__ import annotations

import copy
import math
import time
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from training.augment import batch
from training.losses import matte_loss
from training.network import SIDE, MatteNet
from training.pool import Pixels, fill, load

CHECKPOINT = "checkpoint.pt"
_SIDES = ((0.3, 96), (0.7, 128), (1.0, SIDE))  # cheap small pictures first, full size last
_WARM_UP = 0.03  # share of the time
_SAVE_EVERY = 60.0  # seconds

Gradients = tuple[Tensor, ...]
Task = tuple[int, int, int]  # seed of the augmentation, scenes, side


@dataclass(frozen=True)
class Plan:
    """What a stretch of training works with; `batch_size` is shared among the workers."""

    shards: int
    workers: int
    batch_size: int
    rate: float


@dataclass
class State:
    """All that a continued training needs."""

    network: MatteNet
    average: MatteNet  # exponential moving average of the weights; what is exported
    optimizer: torch.optim.Optimizer
    rng: np.random.Generator
    step: int = 0
    seconds: float = 0.0

    @classmethod
    def fresh(cls, seed: int) -> State:
        """Start with random weights."""
        torch.manual_seed(seed)
        network = MatteNet().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        average = copy.deepcopy(network).requires_grad_(False)
        optimizer = torch.optim.AdamW(network.parameters(), weight_decay=1e-4)
        return cls(network, average, optimizer, np.random.default_rng(seed))

    def save(self, folder: Path) -> None:
        """Write the checkpoint; it is replaced at once or not at all."""
        content = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "rng": self.rng.bit_generator.state,
            "step": self.step,
            "seconds": self.seconds,
        }
        unfinished = folder / f"{CHECKPOINT}.part"
        torch.save(content, unfinished)
        unfinished.replace(folder / CHECKPOINT)

    def restore(self, folder: Path) -> None:
        """Continue from the checkpoint in a folder."""
        content: dict[str, Any] = torch.load(folder / CHECKPOINT, weights_only=True)
        self.network.load_state_dict(content["network"])
        self.average.load_state_dict(content["average"])
        self.optimizer.load_state_dict(content["optimizer"])
        self.rng.bit_generator.state = content["rng"]
        self.step, self.seconds = content["step"], content["seconds"]

    def follow(self) -> None:
        """Move the average towards the network, faster while young."""
        decay = min(0.998, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            mean, now = self.average.state_dict(), self.network.state_dict()
            for name, value in mean.items():
                if value.is_floating_point():
                    value.lerp_(now[name], 1 - decay)


def learning_rate(progress: float, peak: float) -> float:
    """Follow a short linear warm-up, then a cosine down to a hundredth of the peak."""
    if progress < _WARM_UP:
        return peak * (0.05 + 0.95 * progress / _WARM_UP)
    fraction = min(1.0, (progress - _WARM_UP) / (1 - _WARM_UP))
    return peak * (0.01 + 0.99 * (1 + math.cos(math.pi * fraction)) / 2)


def _share(network: MatteNet, shards: list[Pixels], task: Task) -> tuple[float, Gradients]:
    """Loss and gradients of one worker's part of a batch."""
    seed, count, side = task
    pictures, target = batch(np.random.default_rng(seed), shards, count, side)
    logits, sides = network.logits(pictures.contiguous(memory_format=torch.channels_last))
    loss = matte_loss(logits, sides, target)
    return float(loss.detach()), torch.autograd.grad(loss, list(network.parameters()))


def advance(
    state: State, workers: Executor, shards: list[Pixels], rate: float, tasks: list[tuple[int, int]]
) -> float:
    """Take one step on (count, side) parts, each computed by one worker; returns the loss.

    Workers meet once a step, not within every operator, which is what makes two of them nearly
    twice as fast as one even on a busy machine.
    """
    seeds = state.rng.integers(1 << 62, size=len(tasks))
    parts = [(int(seed), *task) for seed, task in zip(seeds, tasks, strict=True)]
    results = list(workers.map(partial(_share, state.network, shards), parts))
    for index, parameter in enumerate(state.network.parameters()):
        parameter.grad = torch.stack([grads[index] for _, grads in results]).mean(0)
    for group in state.optimizer.param_groups:
        group["lr"] = rate
    torch.nn.utils.clip_grad_norm_(state.network.parameters(), 2.0)
    state.optimizer.step()
    state.step += 1
    state.follow()
    return sum(loss for loss, _ in results) / len(results)


def side_at(progress: float) -> int:
    """Choose the size of the pictures by the share of the time that has passed."""
    return next((side for until, side in _SIDES if progress < until), SIDE)


def run(state: State, out: Path, seconds: float, plan: Plan) -> None:
    """Train for a stretch of time, saving a checkpoint every minute and at the end."""
    torch.set_num_threads(1)
    started = saved = time.monotonic()
    shards = load(out / "pool", plan.shards, SIDE)
    state.network.train()
    smoothed = None
    pool = ThreadPoolExecutor(plan.workers, initializer=torch.set_num_threads, initargs=(1,))
    try:
        with pool, tqdm(unit="step", mininterval=5, disable=None) as bar:
            while (spent := time.monotonic() - started) < seconds:
                side = side_at(spent / seconds)
                tasks = [(plan.batch_size // plan.workers, side)] * plan.workers
                rate = learning_rate(spent / seconds, plan.rate)
                loss = advance(state, pool, shards, rate, tasks)
                smoothed = loss if smoothed is None else smoothed + 0.02 * (loss - smoothed)
                bar.set_postfix(loss=f"{smoothed:.4f}", side=side, total=state.step)
                bar.update()
                now = time.monotonic()
                if now - saved > _SAVE_EVERY:
                    state.seconds += now - saved
                    saved = now
                    state.save(out)
    except KeyboardInterrupt:
        click.echo("interrupted; continue with --resume")
    state.seconds += time.monotonic() - saved
    state.save(out)


@click.command()
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True)
@click.option("--minutes", default=45.0, show_default=True, help="How long to train.")
@click.option("--seed", default=0, show_default=True, help="For weights and augmentation.")
@click.option("--resume", is_flag=True, help="Continue from the checkpoint in --out.")
@click.option(
    "--shards",
    type=click.IntRange(1),
    default=48,
    show_default=True,
    help="Shards of 250 scenes to compose.",
)
@click.option(
    "--workers",
    type=click.IntRange(1),
    default=2,
    show_default=True,
    help="Processes, then threads.",
)
@click.option("--batch-size", default=16, show_default=True)
@click.option("--rate", default=2e-3, show_default=True, help="Peak learning rate.")
def main(
    out: Path,
    minutes: float,
    seed: int,
    resume: bool,
    shards: int,
    workers: int,
    batch_size: int,
    rate: float,
) -> None:
    """Train the default network on composed scenes and leave a checkpoint in --out."""
    out.mkdir(parents=True, exist_ok=True)
    state = State.fresh(seed)
    if resume:
        state.restore(out)
    elif (out / CHECKPOINT).exists():
        raise click.UsageError(f"{out / CHECKPOINT} exists: pass --resume or another --out")
    missing = fill(out / "pool", shards, SIDE, workers)
    for _ in tqdm(missing, desc="composing scenes", unit="shard", disable=None):
        pass
    run(state, out, 60 * minutes, Plan(shards, workers, batch_size, rate))
    click.echo(f"{state.step} steps in {state.seconds / 60:.1f} minutes: {out / CHECKPOINT}")


if __name__ == "__main__":
    main()
