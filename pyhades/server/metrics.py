"""Numbers for Prometheus, under the names that dashboards of vLLM know."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from pyhades.llm.speculation.counts import SpeculationCounts
from pyhades.llm.text.level_counts import LevelCounts
from pyhades.server.record import Record
from pyhades.server.service import Service

_FIRST = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320, 640)
_BETWEEN = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5)
_ALL = (0.5, 1, 2.5, 5, 10, 20, 40, 60, 120, 240, 480, 960)
_TOKENS = (1, 10, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000)


class Metrics:
    """Counts what was asked and answered, and looks at the engine whenever it is read.

    Parameters
    ----------
    service
        Whose numbers they are.
    """

    content_type = CONTENT_TYPE_LATEST

    def __init__(self, service: Service) -> None:
        self._service = service
        self._registry = registry = CollectorRegistry()
        registry.register(_Engine(service))

        def histogram(name: str, what: str, buckets: tuple[float, ...]) -> Histogram:
            return Histogram(
                f"vllm:{name}", what, ["model_name"], buckets=buckets, registry=registry
            )

        self._first = histogram("time_to_first_token_seconds", "Until the first token.", _FIRST)
        self._between = histogram("inter_token_latency_seconds", "Between tokens.", _BETWEEN)
        self._all = histogram("e2e_request_latency_seconds", "Of whole requests.", _ALL)
        self._prompt = histogram("request_prompt_tokens", "Tokens of prompts.", _TOKENS)
        self._written = histogram("request_generation_tokens", "Tokens of answers.", _TOKENS)
        self._prompt_total = Counter(
            "vllm:prompt_tokens", "Tokens of all prompts.", ["model_name"], registry=registry
        )
        self._written_total = Counter(
            "vllm:generation_tokens", "Tokens of all answers.", ["model_name"], registry=registry
        )
        self._done = Counter(
            "vllm:request_success", "Answers that came to an end.",
            ["model_name", "finished_reason"], registry=registry,
        )  # fmt: skip
        self._requests = Counter(
            "pyhades_http_requests", "Requests by how they ended.", ["path", "status"],
            registry=registry,
        )  # fmt: skip
        self.paths: frozenset[str] = frozenset()
        """Those that there are: others are counted together, so that nobody can invent more."""

    def observe(self, path: str, record: Record) -> None:
        """Count a request that is over."""
        known = path if path in self.paths else "other"
        self._requests.labels(known, str(record.status)).inc()
        self.answered(record)

    def answered(self, record: Record) -> None:
        """Count what was read and written for a request."""
        if not record.prompt_tokens:
            return
        model = self._service.names[0]
        self._prompt.labels(model).observe(record.prompt_tokens)
        self._prompt_total.labels(model).inc(record.prompt_tokens)
        self._written.labels(model).observe(record.written_tokens)
        self._written_total.labels(model).inc(record.written_tokens)
        self._all.labels(model).observe(record.seconds)
        if record.first is not None:
            self._first.labels(model).observe(record.first - record.began)
        between = self._between.labels(model)
        for gap in record.gaps:
            between.observe(gap)
        if record.finish_reason is not None:
            self._done.labels(model, record.finish_reason).inc()

    def text(self) -> bytes:
        """All numbers as Prometheus reads them."""
        return generate_latest(self._registry)


class _Engine(Collector):
    """Looks at the engine, which counts by itself."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def describe(self) -> list[Any]:
        return []

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        service, llm = self._service, self._service.model
        yield _gauge("pyhades_ready", "Whether requests are answered.", service.state == "ready")
        yield _gauge("pyhades_requests", "Requests in work.", service.admission.requests)
        yield _count("pyhades_refused", "Requests sent away with 429.", service.admission.refused)
        if llm is None or service.state == "stopping":
            return
        stats, cache, model = llm.stats(), llm.cache_info(), service.names[0]
        share = stats.blocks_held / max(stats.blocks, 1)
        queued = service.admission.queued_tokens
        yield _gauge("pyhades_queued_tokens", "Tokens of prompts that wait.", queued)
        yield _gauge("pyhades_kv_blocks_held", "By answers in progress.", stats.blocks_held)
        yield _gauge("pyhades_kv_tokens_kept", "Of what was read.", cache.kept_tokens)
        yield _gauge("vllm:num_requests_running", "Answers in work.", stats.running, model)
        yield _gauge("vllm:num_requests_waiting", "Prompts that wait.", stats.waiting, model)
        yield _gauge("vllm:kv_cache_usage_perc", "Share of the cache in use.", share, model)
        yield _count("vllm:prefix_cache_queries", "Tokens looked up.", cache.prompt_tokens, model)
        yield _count("vllm:prefix_cache_hits", "Tokens found.", cache.cached_tokens, model)
        yield _count("vllm:num_preemptions", "Answers that gave way.", stats.preemptions, model)
        yield _count("pyhades_steps", "Of the engine.", stats.steps)
        yield _count("pyhades_step_seconds", "Of all steps.", stats.seconds)
        yield _count("pyhades_model_seconds", "Of them, in kernels.", stats.seconds_in_model)
        yield _count("pyhades_cache_rederived_tokens", "Read once more.", cache.rederived_tokens)
        yield _count("pyhades_cache_fetched_tokens", "From lower levels.", cache.fetched_tokens)
        yield from _levels(cache.levels)
        yield from _speculation(stats.speculation, model)


_OF_LEVELS = {
    "records": "Blocks and windows that are kept.",
    "bytes": "That they take.",
    "room": "Bytes that they may take.",
}
_OF_LEVELS_SO_FAR = {
    "hits": "Records that were asked for and found.",
    "misses": "Records that were asked for and gone.",
    "written": "Records that came.",
    "evicted": "Records that were given up for others.",
    "damaged": "Records that were damaged, and dropped.",
    "skipped": "Records that could not be kept.",
}


def _levels(levels: Sequence[LevelCounts]) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
    """What each level below the blocks in memory holds, and has done."""
    kinds = ((GaugeMetricFamily, _OF_LEVELS), (CounterMetricFamily, _OF_LEVELS_SO_FAR))
    for make, names in kinds:
        for name, what in names.items():
            family = make(f"pyhades_cache_{name}", what, labels=["level"])
            for level in levels:
                family.add_metric([level.name], getattr(level, name))
            yield family


def _speculation(
    counts: SpeculationCounts | None, model: str
) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
    """What drafts have brought; nothing where none are tried."""
    if counts is None:
        return
    yield _count("vllm:spec_decode_num_drafts", "Steps with drafts.", counts.steps, model)
    yield _count("vllm:spec_decode_num_draft_tokens", "Tokens tried.", counts.drafted, model)
    yield _count("vllm:spec_decode_num_accepted_tokens", "Right ones.", counts.accepted, model)
    # May fall: what was gained can be lost again.
    yield _gauge("pyhades_speculation_seconds_gained", "By drafts.", counts.seconds_gained)


def _gauge(name: str, what: str, value: float, model: str | None = None) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, what, labels=[] if model is None else ["model_name"])
    family.add_metric([] if model is None else [model], value)
    return family


def _count(name: str, what: str, value: float, model: str | None = None) -> CounterMetricFamily:
    family = CounterMetricFamily(name, what, labels=[] if model is None else ["model_name"])
    family.add_metric([] if model is None else [model], value)
    return family
