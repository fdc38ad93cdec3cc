"""Train the toy language model: ``python -m training.train_llm --out DIR --minutes 60``.

The corpus and the tokenizer are made first and kept in DIR; then the model learns until the time
is up, a checkpoint every other minute. Stop it at any moment (Ctrl-C, or a file ``DIR/STOP``);
``--resume`` continues where it stopped. The experts are rounded to MXFP4 in the last third, so
that they learn to live with it, and the sequences grow to the whole context at the end.
"""

from __future__ import annotations

import math
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from training.llm_corpus import Document, documents
from training.llm_network import ToyConfig, ToyModel
from training.llm_tokenizer import train_tokenizer

CHECKPOINT = "checkpoint.pt"
SHARES = {"chat": 0.8, "source": 0.2}
_LENGTHS = ((0.88, 256), (1.0, 1024))  # of sequences, until a share of the time has passed
_QUANTIZED_FROM = 0.67  # share of the time
_WARM_UP = 0.03
_SAVE_EVERY = 120.0  # seconds
_BALANCE = 0.01  # weight of the loss that keeps all experts in use
_HELD_OUT_TOKENS = 24 * 1024

Tokens = NDArray[np.uint16]


@dataclass
class State:
    """All that a continued training needs; ``progress`` is the share of the time that passed."""

    model: ToyModel
    optimizer: torch.optim.Optimizer
    rng: np.random.Generator
    step: int = 0
    tokens: int = 0
    progress: float = 0.0

    @classmethod
    def fresh(cls, seed: int) -> State:
        """Start with random weights."""
        torch.manual_seed(seed)
        model = ToyModel(ToyConfig())
        matrices = [p for p in model.parameters() if p.ndim > 1]
        vectors = [p for p in model.parameters() if p.ndim == 1]
        groups = [{"params": matrices}, {"params": vectors, "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.95), weight_decay=0.05, fused=True)
        return cls(model, optimizer, np.random.default_rng(seed))

    def save(self, folder: Path) -> None:
        """Write the checkpoint; it is replaced at once or not at all."""
        content = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "rng": self.rng.bit_generator.state,
            "counts": (self.step, self.tokens, self.progress),
        }
        unfinished = folder / f"{CHECKPOINT}.part"
        torch.save(content, unfinished)
        unfinished.replace(folder / CHECKPOINT)

    def restore(self, folder: Path) -> None:
        """Continue from the checkpoint in a folder."""
        content: dict[str, Any] = torch.load(folder / CHECKPOINT, weights_only=True)
        self.model.load_state_dict(content["model"])
        self.optimizer.load_state_dict(content["optimizer"])
        self.rng.bit_generator.state = content["rng"]
        self.step, self.tokens, self.progress = content["counts"]


def prepare(folder: Path, seed: int) -> None:
    """Write tokenizer.json and corpus.npz: a stream per kind, and held-out ones."""
    corpus = list(documents(seed))
    learned = [document.text for document in corpus if not document.is_held_out]
    tokenizer = train_tokenizer(part for text in learned for part in re.split(r"<\|\w+\|>", text))
    tokenizer.save(str(folder / "tokenizer.json"))
    rng = np.random.default_rng(seed)
    streams: dict[str, Tokens] = {}
    for kind in SHARES:
        for part, is_held_out in (("", False), ("_held_out", True)):
            chosen = [d for d in corpus if (d.kind, d.is_held_out) == (kind, is_held_out)]
            streams[kind + part] = _stream(tokenizer, chosen, rng)
    np.savez(folder / "corpus.npz", **streams)  # type: ignore[arg-type]


def _stream(tokenizer: Tokenizer, texts: list[Document], rng: np.random.Generator) -> Tokens:
    shuffled = [texts[index].text for index in rng.permutation(len(texts))]
    encoded = tokenizer.encode_batch_fast(shuffled)
    return np.concatenate([np.array(one.ids, np.uint16) for one in encoded])


def draw(rng: np.random.Generator, corpus: dict[str, Tokens], count: int, length: int) -> Tensor:
    """Windows [count, length + 1], most of them of conversations."""
    windows = []
    for kind in rng.choice(list(SHARES), count, p=list(SHARES.values())):
        stream = corpus[kind]
        start = rng.integers(len(stream) - length)
        windows.append(stream[start : start + length + 1].astype(np.int64))
    return torch.from_numpy(np.stack(windows))


def language_loss(model: ToyModel, windows: Tensor) -> Tensor:
    """Mean cross-entropy per token, in nats."""
    logits = model(windows[:, :-1])
    return F.cross_entropy(logits.flatten(0, 1), windows[:, 1:].flatten())


@torch.no_grad()
def held_out_loss(model: ToyModel, stream: Tokens, length: int = 256) -> float:
    """Cross-entropy per token of text that nothing was learned from, in nats."""
    tokens = torch.from_numpy(stream[:_HELD_OUT_TOKENS].astype(np.int64))
    windows = tokens[: (len(tokens) - 1) // length * length + 1].unfold(0, length + 1, length)
    losses = [float(language_loss(model, part)) * len(part) for part in windows.split(8)]
    return sum(losses) / len(windows)


def learning_rate(progress: float, peak: float) -> float:
    """Follow a short linear warm-up, then a cosine down to a hundredth of the peak."""
    if progress < _WARM_UP:
        return peak * (0.05 + 0.95 * progress / _WARM_UP)
    fraction = min(1.0, (progress - _WARM_UP) / (1 - _WARM_UP))
    return peak * (0.01 + 0.99 * (1 + math.cos(math.pi * fraction)) / 2)


def advance(state: State, corpus: dict[str, Tokens], batch_tokens: int, rate: float) -> float:
    """Take one step; returns the loss."""
    length = next(length for until, length in _LENGTHS if state.progress < until)
    windows = draw(state.rng, corpus, max(1, batch_tokens // length), length)
    state.model.quantize_experts(state.progress >= _QUANTIZED_FROM)
    loss = language_loss(state.model, windows)
    (loss + _BALANCE * state.model.imbalance()).backward()
    torch.nn.utils.clip_grad_norm_(state.model.parameters(), 1.0)
    for group in state.optimizer.param_groups:
        group["lr"] = learning_rate(state.progress, rate)
    state.optimizer.step()
    state.optimizer.zero_grad()
    state.step += 1
    state.tokens += windows.shape[0] * length
    return float(loss.detach())


def run(state: State, out: Path, seconds: float, batch_tokens: int, rate: float) -> None:
    """Train for what is left of the time, saving a checkpoint now and then and at the end."""
    with np.load(out / "corpus.npz") as content:
        corpus = dict(content)
    started = saved = time.monotonic()
    progress, smoothed = state.progress, math.nan
    try:
        with tqdm(unit="step", mininterval=10, disable=None) as bar:
            while state.progress < 1 and not (out / "STOP").exists():
                loss = advance(state, corpus, batch_tokens, rate)
                smoothed = loss if math.isnan(smoothed) else smoothed + 0.02 * (loss - smoothed)
                bar.set_postfix(loss=f"{smoothed:.3f}", tokens=f"{state.tokens / 1e6:.2f}M")
                bar.update()
                now = time.monotonic()
                state.progress = progress + (now - started) / seconds
                if now - saved > _SAVE_EVERY:
                    saved = now
                    state.save(out)
    except KeyboardInterrupt:
        click.echo("interrupted; continue with --resume")
    state.save(out)


@click.command()
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True)
@click.option("--minutes", default=60.0, show_default=True, help="How long to train in all.")
@click.option("--seed", default=0, show_default=True, help="For corpus, weights and batches.")
@click.option("--resume", is_flag=True, help="Continue from the checkpoint in --out.")
@click.option("--threads", default=1, show_default=True)
@click.option("--batch-tokens", default=2048, show_default=True)
@click.option("--rate", default=3e-3, show_default=True, help="Peak learning rate.")
def main(
    out: Path, minutes: float, seed: int, resume: bool, threads: int, batch_tokens: int, rate: float
) -> None:
    """Train the toy language model and leave a checkpoint in --out."""
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(threads)
    state = State.fresh(seed)
    if resume:
        state.restore(out)
    elif (out / CHECKPOINT).exists():
        raise click.UsageError(f"{out / CHECKPOINT} exists: pass --resume or another --out")
    if not (out / "corpus.npz").exists():
        prepare(out, seed)
    run(state, out, 60 * minutes, batch_tokens, rate)
    click.echo(f"{state.step} steps, {state.tokens / 1e6:.1f} M tokens: {out / CHECKPOINT}")


if __name__ == "__main__":
    main()
