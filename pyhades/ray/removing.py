"""Background removal over the rows of a Ray dataset."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from pyhades.arguments import check_count, check_flag
from pyhades.errors import ArgumentTypeError
from pyhades.ray.cutter import Cutter
from pyhades.ray.options import others, recipe_of, same_everywhere
from pyhades.ray.required import ray_module
from pyhades.segmentation.bulk.beginning import rendering_of, sink_of
from pyhades.segmentation.compose import BackgroundLike
from pyhades.segmentation.cutout import Output
from pyhades.segmentation.finish import Finish
from pyhades.segmentation.image.png import Compression
from pyhades.segmentation.image.write import Bits, WriteOptions
from pyhades.segmentation.remover import ModelLike

OURS = (
    "batch_format", "batch_size", "compute", "fn_constructor_args", "num_cpus",
    "udf_modifying_row_count", "zero_copy_batch",
)  # fmt: skip
"""What is not to be said beside, among the options of Ray's."""
LOST = 5
"""How often a block may be lost with its actor. Ray's own default, any number of times, would go on
for ever where a picture brings down whoever takes it."""


def remove_backgrounds(
    dataset: Any,
    model: ModelLike | None = None,
    *,
    column: str = "path",
    output: Output = "rgba",
    background: BackgroundLike | None = None,
    suffix: str = ".png",
    png: Compression = "fast",
    quality: int | None = None,
    lossless: bool | None = None,
    bits: Bits = 8,
    strip: bool = False,
    first_frame: bool = False,
    finish: Finish | None = None,
    destination: str | os.PathLike[str] | None = None,
    target: str = "target",
    prefix: str = "",
    keep: bool = False,
    num_cpus: float = 1,
    compute: Any = None,
    batch_size: int = 16,
    ray_remote_args: Mapping[str, Any] | None = None,
    **remover: Any,
) -> Any:
    """Cut out the pictures of a dataset, on all machines of a Ray cluster.

    Every row comes back once, with its columns and eight more:

    ==============  =====================================================================
    ``result``      the content of a file: bytes of PNG, or of whatever ``suffix`` says
    ``height``      of the picture, in pixels
    ``width``       of the picture, in pixels
    ``foreground``  mean of the matte, 0 to 1
    ``doubt``       why somebody should look at it; empty where nobody has to
    ``engine``      what computed it
    ``seconds``     from reading the picture until its result was encoded
    ``error``       why it failed; empty where it did not. The others but ``seconds`` are
                    null where it did
    ==============  =====================================================================

    With a ``destination``, files are written where they are made, and ``output`` (the path or URL
    of one) stands in place of ``result``: no result moves from machine to machine.

    A picture that fails costs its own row, and no batch; one that brings down the process of its
    actor, five times more, ends the run. Pictures are decoded where they are cut
    out: only paths, or the bytes of files, move from machine to machine.

    Parameters
    ----------
    dataset
        A ``ray.data.Dataset``.
    model
        See :class:`pyhades.Remover`. A path has to lead to the file on every machine; the bytes of
        a file, or an ``onnx.ModelProto``, are sent to each machine once.
    column
        Of pictures: paths, URLs that fsspec knows, the bytes of files, or records of Hugging Face's
        datasets. A column of anything but text is left out of what comes back.
    output, background, suffix, png, quality, lossless, bits, strip
        See :meth:`pyhades.segmentation.Cutout.encode`; ``output="mask"`` is the matte alone.
    first_frame
        Take the first of several frames or pages; else all are cut out, into one file.
    finish
        Steps such as cropping, see :class:`pyhades.segmentation.Finish`.
    destination
        A folder that all machines see, or a URL that fsspec knows, to write results to; what has
        the name of one is replaced. By default they are a column.
    target
        Of the dataset: the column of the names of results, below the destination. That of
        :func:`pyhades.ray.list_pictures` has those that ``pyhades remove`` would give.
    prefix
        Of the names of the eight columns, where the dataset has some of them already.
    keep
        Whether columns of bytes come back, too.
    num_cpus
        CPUs that Ray sets aside for each actor, and threads of its remover: as many, rounded down,
        and at least one.
    compute
        A ``ray.data.ActorPoolStrategy``; by default a pool that begins with one actor and grows
        while there are pictures and CPUs. An actor has one remover, which is made once.
    batch_size
        Most rows of a call; 8 to 32 keep what is lost with a machine small. Blocks of a dataset are
        not cut for it: one actor does a whole block.
    ray_remote_args
        What else Ray is to know of an actor: ``{"memory": 2 * 2**30}``, ``resources``,
        ``label_selector``, ``max_restarts``, ...
    **remover
        What else :class:`pyhades.Remover` takes, such as ``precision``, ``engine`` or
        ``input_size``. Threads are ``num_cpus``.

    Returns
    -------
    ray.data.Dataset
        Lazy, as all of them: nothing is computed before it is written, iterated over or
        materialised.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        A result cannot be made as these options say, or the dataset has no such column.
    ConfigurationError
        Ray is not installed.

    Examples
    --------
    >>> import ray, pyhades.ray                                      # doctest: +SKIP
    >>> pictures = ray.data.from_items([{"path": "/mnt/photos/cat.jpg"}])  # doctest: +SKIP
    >>> cut = pyhades.ray.remove_backgrounds(pictures, "u2net.onnx")  # doctest: +SKIP
    >>> cut.write_parquet("/mnt/cutouts")                            # doctest: +SKIP
    """
    rendering = rendering_of(
        output, background, suffix, WriteOptions(png, quality, lossless, bits, strip),
        first_frame=first_frame, finish=finish,
    )  # fmt: skip
    rows = check_count("batch_size", batch_size)
    if destination is not None:
        sink_of(destination, "file")
        destination = same_everywhere(destination)
    recipe = recipe_of(
        model, num_cpus, rendering, remover, column=column, prefix=prefix,
        keep=check_flag("keep", keep), destination=destination, target=target,
    )  # fmt: skip
    data = ray_module("ray.data")
    if not isinstance(dataset, data.Dataset):
        raise ArgumentTypeError(f"dataset is {type(dataset).__name__}, not a ray.data.Dataset")
    known = dataset.columns(fetch_if_missing=False)
    if known is not None:
        recipe.check(known)
    return dataset.map_batches(
        Cutter,
        fn_constructor_args=(recipe,),
        compute=_pool(data, compute),
        batch_size=rows,
        batch_format="pyarrow",
        zero_copy_batch=True,
        udf_modifying_row_count=False,
        num_cpus=num_cpus,
        **{"max_task_retries": LOST} | others("ray_remote_args", ray_remote_args, OURS),
    )


def _pool(data: Any, compute: Any) -> Any:
    if compute is None:
        return data.ActorPoolStrategy(min_size=1)
    if not isinstance(compute, data.ActorPoolStrategy):
        raise ArgumentTypeError(
            f"compute is {type(compute).__name__}, not a ray.data.ActorPoolStrategy: a remover is "
            "made once for each actor"
        )
    return compute
