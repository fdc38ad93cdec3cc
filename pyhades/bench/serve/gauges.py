"""What servers tell of themselves at ``/metrics``, in the names that each of them uses."""

from __future__ import annotations

from collections import defaultdict

from pyhades.errors import ConfigurationError

Gauges = dict[str, float]
"""Values by name, summed over labels."""

MEMORY = "process_resident_memory_bytes"
RUNNING = ("vllm:num_requests_running", "llamacpp:requests_processing")
WAITING = ("vllm:num_requests_waiting", "llamacpp:requests_deferred")
HELD_BLOCKS = ("pyhades_kv_blocks_held",)
KV_USAGE = ("vllm:kv_cache_usage_perc",)


def parse_gauges(text: str) -> Gauges:
    """Read the text format of Prometheus.

    Raises
    ------
    ConfigurationError
        The package that reads it is not installed.
    """
    try:
        from prometheus_client.parser import text_string_to_metric_families
    except ImportError:
        raise ConfigurationError(
            "prometheus-client is not installed; pip install 'pyhades[server]'"
        ) from None
    sums: defaultdict[str, float] = defaultdict(float)
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            sums[sample.name] += sample.value
    return dict(sums)


def named(gauges: Gauges, names: tuple[str, ...]) -> float | None:
    """The first of the names that a server knows; None if it knows none."""
    return next((gauges[name] for name in names if name in gauges), None)
