"""Background removal behind Ray Serve."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyhades.arguments import check_count
from pyhades.errors import ArgumentError
from pyhades.ray.options import others, recipe_of
from pyhades.ray.required import ray_module
from pyhades.segmentation.bulk.beginning import rendering_of
from pyhades.segmentation.compose import BackgroundLike
from pyhades.segmentation.cutout import Output
from pyhades.segmentation.finish import Finish
from pyhades.segmentation.image.png import Compression
from pyhades.segmentation.image.write import Bits, WriteOptions
from pyhades.segmentation.remover import ModelLike

MAX_BYTES = 64 << 20
OF_DEPLOYMENTS = (
    "autoscaling_config", "max_ongoing_requests", "max_queued_requests", "num_replicas",
    "ray_actor_options",
)  # fmt: skip
"""What arguments here say."""


def build_app(
    model: ModelLike | None = None,
    *,
    output: Output = "rgba",
    background: BackgroundLike | None = None,
    suffix: str = ".png",
    png: Compression = "fast",
    quality: int | None = None,
    lossless: bool | None = None,
    bits: Bits = 8,
    strip: bool = False,
    finish: Finish | None = None,
    num_cpus: float = 1,
    num_replicas: int | str | None = None,
    autoscaling_config: Any = None,
    max_ongoing_requests: int | None = None,
    max_queued_requests: int = 32,
    max_batch_size: int = 1,
    batch_wait_timeout_s: float = 0.01,
    max_bytes: int = MAX_BYTES,
    ray_actor_options: Mapping[str, Any] | None = None,
    deployment: Mapping[str, Any] | None = None,
    **remover: Any,
) -> Any:
    """An application for ``ray.serve.run``: the bytes of a picture in, those of its cut-out out.

    ``POST`` of a picture's file answers with the file that is made of it (200), or with ``{"error":
    ...}``: 400 where the picture cannot be read, 413 where it is too large, 503 where too many wait
    already. ``?output=mask`` asks for the matte alone. Headers tell ``X-Foreground``, ``X-Doubt``,
    ``X-Engine`` and ``X-Seconds``. Handles have ``remove``, see
    :class:`~pyhades.ray.service.PictureService`.

    Parameters
    ----------
    model, output, background, suffix, png, quality, lossless, bits, strip, finish
        See :func:`pyhades.ray.remove_backgrounds`.
    num_cpus
        CPUs of each replica, and threads of its remover.
    num_replicas, autoscaling_config
        See ``ray.serve.deployment``; ``"auto"`` for as many as the load asks for.
    max_ongoing_requests
        Of each replica, one of which is computed while the others wait; by default two of them, or
        two batches.
    max_queued_requests
        That wait beside, at each proxy and each handle. Those that come then are refused at once:
        503, or ``BackPressureError`` of a handle. -1 for any number.
    max_batch_size, batch_wait_timeout_s
        Pictures that are collected for one call of the replica, and how long the first of them
        waits. 1 collects none: a CPU does not do two pictures faster than one after the other.
    max_bytes
        Of a picture's file.
    ray_actor_options
        What else Ray is to know of a replica, such as ``memory``.
    deployment
        What else ``ray.serve.deployment`` takes, such as ``health_check_period_s``.
    **remover
        What else :class:`pyhades.Remover` takes.

    Returns
    -------
    ray.serve.Application

    Raises
    ------
    ArgumentError, ArgumentTypeError
        A result cannot be made as these options say, or a limit is none.
    ConfigurationError
        Ray is not installed.

    Examples
    --------
    >>> from ray import serve                                        # doctest: +SKIP
    >>> serve.run(pyhades.ray.build_app("u2net.onnx", num_cpus=2))   # doctest: +SKIP
    """
    rendering = rendering_of(
        output, background, suffix, WriteOptions(png, quality, lossless, bits, strip),
        first_frame=True, finish=finish,
    )  # fmt: skip
    batch = check_count("max_batch_size", max_batch_size)
    if max_ongoing_requests is None:
        max_ongoing_requests = 2 * batch
    if check_count("max_ongoing_requests", max_ongoing_requests) < batch:
        raise ArgumentError(
            f"max_ongoing_requests={max_ongoing_requests} never fills a batch of {batch}"
        )
    if max_queued_requests != -1:
        check_count("max_queued_requests", max_queued_requests, least=0)
    check_count("max_bytes", max_bytes)
    recipe = recipe_of(model, num_cpus, rendering, remover)
    serve = ray_module("ray.serve")

    from pyhades.ray.service import PictureService

    options = {
        "name": "pyhades",
        "num_replicas": num_replicas,
        "autoscaling_config": autoscaling_config,
        **others("deployment", deployment, OF_DEPLOYMENTS),
        "max_ongoing_requests": max_ongoing_requests,
        "max_queued_requests": max_queued_requests,
        "ray_actor_options": {
            **others("ray_actor_options", ray_actor_options, ["num_cpus"]),
            "num_cpus": num_cpus,
        },
    }
    replicas = serve.deployment(**options)(PictureService)
    return replicas.bind(recipe, batch, batch_wait_timeout_s, max_bytes)
