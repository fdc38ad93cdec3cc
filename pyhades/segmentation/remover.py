"""Background removal: an image and a network in, a cut-out out."""

from __future__ import annotations

import functools
import html
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import pyhades
from pyhades.arguments import check_count, one_of
from pyhades.engines import Engine, EngineLike, Pyhades, engine_of
from pyhades.engines.exchange import Exchange
from pyhades.engines.hybrid import as_hybrid
from pyhades.engines.hybrid_network import Asker, HybridNetwork
from pyhades.errors import ArgumentError, ArgumentTypeError, ClosedError
from pyhades.ir.graph import Graph
from pyhades.options import EngineOptions, engine_options, refuse_precision
from pyhades.segmentation.animation import Animation
from pyhades.segmentation.buffers import FRESH, Buffers
from pyhades.segmentation.bulk.overlap import overlap
from pyhades.segmentation.catalogue import Identification, Profile
from pyhades.segmentation.catalogue.identify import foreground_text
from pyhades.segmentation.clock import Clock
from pyhades.segmentation.compose import Background, BackgroundLike
from pyhades.segmentation.cutout import Cutout, Output, output_of
from pyhades.segmentation.finish import Finish
from pyhades.segmentation.image.arrays import ValueRange
from pyhades.segmentation.image.frames import frames as read_frames
from pyhades.segmentation.image.limits import MAX_PIXELS
from pyhades.segmentation.image.loaded import LoadedImage
from pyhades.segmentation.image.reading import ChannelOrder, ImageLike, load_image
from pyhades.segmentation.inputs import AnyImage, several
from pyhades.segmentation.manifest import ModelManifest
from pyhades.segmentation.matte import upscale_float
from pyhades.segmentation.meaning import InputPlan
from pyhades.segmentation.modelfile import ModelFile
from pyhades.segmentation.network import Network, NetworkPrecision
from pyhades.segmentation.opening import (
    DEFAULT_MODEL,
    ModelLike,
    Opened,
    Quantising,
    check_model,
    open_model,
)
from pyhades.segmentation.plausibility import complaint, look_at_samples
from pyhades.segmentation.session import Session

log = logging.getLogger(__name__)

__all__ = ["DEFAULT_MODEL", "ModelLike", "Remover", "check_model", "remove_background"]

OnError = Literal["raise", "return"]


class Remover:
    """Removes backgrounds with one segmentation model.

    Parameters
    ----------
    model
        ONNX file: a path, bytes, a binary file object or an ``onnx.ModelProto``; or the name of a
        model of the catalogue (``"u2net"``, see ``pyhades models list``); None for the small
        demonstration model in the package.
    threads, isa
        Threads (default: see :func:`pyhades.show_config`) and instruction set tier.
    precision
        Of the network: ``"fp32"``, by default, where the file is not quantised. ``"int8"``
        quantises it, once, and keeps the result among the user's cached files; ``"bf16"`` is for
        CPUs with AVX512_BF16, see :func:`pyhades.compile`; ``"auto"`` takes the fastest of those
        that stay within the budget, as measured here.
    options
        The three above in one; those that are given themselves win.
    tune
        Measure which algorithms are fastest on this machine, see :func:`pyhades.compile`.
    engine
        What runs the network: ours by default, ``"onnxruntime"`` or ``"onnxruntime:cuda"``, an
        engine of :mod:`pyhades.engines`, or several, which share the pictures. Other engines than
        ours run the file as it is.
    estimate_foreground
        Write the foreground's own colour where the matte is soft. False keeps the image's mixture.
    keep_hidden
        Keep the colours of pixels that are fully transparent.
    max_pixels
        Images with more pixels are refused before they are decoded.
    profile
        Of a model of the catalogue: ``"reference"`` prepares pictures as its authors do,
        ``"rembg"`` as that tool does.
    calibration
        Pictures that a float model is quantised by, a folder or a list; by default some that ship
        and that code makes. See :func:`pyhades.quantize`.
    budget
        What int8 masks may differ by: ``"mae=.004,iou=.9975"``. ``"auto"`` keeps to it, ``"int8"``
        warns.
    download
        Whether a model that is given by name may be fetched where it is not on this machine.
    check
        Whether to look at masks of photographs that ship with pyhades when the model is loaded, and
        to warn if they are blank, full or grey. By default for models whose meaning was guessed.
    **manifest
        Replace single fields of the model's manifest, see
        :class:`~pyhades.segmentation.manifest.ModelManifest`: ``input_size=(1024, 1024)``.

    Attributes
    ----------
    engine
        What runs the network; its text says more. None for a network of the caller's.
    options
        What was asked for, see :class:`pyhades.EngineOptions`.
    threads, isa, precision
        What is used.
    precision_reason
        How it came to that precision.
    max_pixels
        Of a picture.

    Raises
    ------
    ModelError
        The file is not a model that takes an image.

    Examples
    --------
    >>> with Remover("u2net.onnx", threads=2) as remover:        # doctest: +SKIP
    ...     remover("cat.jpg").save("cat.png")
    ...     remover("cat.jpg", background="white").save("cat-on-white.png")
    """

    def __init__(
        self,
        model: ModelLike | None = None,
        *,
        threads: int | None = None,
        isa: str | None = None,
        precision: NetworkPrecision | None = None,
        options: EngineOptions | None = None,
        calibration: str | os.PathLike[str] | Sequence[ImageLike] | None = None,
        budget: str | None = None,
        tune: bool = False,
        engine: EngineLike | None = None,
        estimate_foreground: bool = True,
        keep_hidden: bool = False,
        max_pixels: int = MAX_PIXELS,
        profile: Profile = "reference",
        download: bool = False,
        check: bool | None = None,
        **manifest: Any,
    ) -> None:
        chosen = engine_options(options, threads=threads, isa=isa, precision=precision)
        one_of("profile", profile, Profile)
        one_of("precision", chosen.precision or "fp32", NetworkPrecision)
        runs = engine_of(engine)
        source, entry = check_model(model, download)
        origin = ModelFile.now(source)
        opened = open_model(
            source, entry, runs, chosen, Quantising(calibration, budget, tune), origin, profile,
            **manifest,
        )  # fmt: skip
        found = opened.found
        self.engine: Engine | None = runs
        self._opened: Opened | None = None if isinstance(runs, Pyhades) else opened
        self._set_up(opened.network, found, chosen, estimate_foreground, keep_hidden, max_pixels)
        self.precision, self.precision_reason = opened.precision, opened.why
        self._label = f"{len(source)} bytes" if isinstance(source, bytes) else str(source)
        self._model_file = origin
        self._arguments: dict[str, Any] | None = {
            "model": source,
            "options": chosen,
            "calibration": calibration,
            "budget": budget,
            "tune": tune,
            "engine": runs,
            "estimate_foreground": estimate_foreground,
            "keep_hidden": keep_hidden,
            "max_pixels": max_pixels,
            "profile": profile,
            "check": False,
            **manifest,
        }
        if found.is_guess if check is None else check:
            self._check_samples()

    @classmethod
    def from_network(
        cls,
        network: Network,
        manifest: ModelManifest,
        *,
        threads: int | None = None,
        isa: str | None = None,
        options: EngineOptions | None = None,
        estimate_foreground: bool = True,
        keep_hidden: bool = False,
        max_pixels: int = MAX_PIXELS,
    ) -> Remover:
        """Use an engine of the caller's, which predicts from float32 ``[1, 3, h, w]``."""
        chosen = engine_options(options, threads=threads, isa=isa)
        refuse_precision(chosen, "the network")
        remover = cls.__new__(cls)
        remover.engine = remover._opened = None
        found = Identification(manifest, "given by the caller")
        remover._set_up(network, found, chosen, estimate_foreground, keep_hidden, max_pixels)
        remover._label = type(network).__name__
        remover._arguments = None
        return remover

    def _set_up(
        self,
        network: Network,
        found: Identification,
        options: EngineOptions,
        estimate_foreground: bool,
        keep_hidden: bool,
        max_pixels: int,
    ) -> None:
        self._network = network
        self._identification = found
        self.options = options
        self.threads, self.isa, self.precision = options.threads_used, options.tier, "its own"
        self.precision_reason = "the network was given"
        self._kernel_options: dict[str, Any] = {"threads": options.threads, "isa": options.isa}
        self._cutout_options: dict[str, Any] = {
            "estimate_foreground": estimate_foreground, "keep_hidden": keep_hidden,
        }  # fmt: skip
        self.max_pixels = check_count("max_pixels", max_pixels)
        self._session: Session | None = Session(
            network, found.manifest, self._cutout_options, engine=self.engine_label,
            **self._kernel_options,
        )  # fmt: skip

    @property
    def manifest(self) -> ModelManifest:
        """What the model wants and means."""
        return self._identification.manifest

    @property
    def engine_label(self) -> str:
        """What results say that they were made by: ``"pyhades"``, ``"onnxruntime:cuda"``.

        For a network of the caller's, the name of its class.
        """
        return type(self._network).__name__ if self.engine is None else self.engine.label

    @property
    def source(self) -> Path | bytes | None:
        """The model's file or folder, or its bytes; None for a network of the caller's."""
        return None if self._arguments is None else self._arguments["model"]

    @property
    def cutout_options(self) -> dict[str, Any]:
        """What cut-outs look like: ``estimate_foreground`` and ``keep_hidden``, by name."""
        return dict(self._cutout_options)

    @property
    def arena_bytes(self) -> int:
        """Memory that the network of each session takes, in bytes.

        0 where it is not known: for a network of the caller's, and before the first picture of a
        model that takes any size.
        """
        return int(getattr(self._network, "arena_bytes", 0))

    def __call__(
        self,
        image: AnyImage,
        output: Output = "rgba",
        background: BackgroundLike | None = None,
        *,
        channel_order: ChannelOrder = "rgb",
        value_range: ValueRange | None = None,
        finish: Finish | None = None,
    ) -> Image.Image:
        """Remove the background of one image.

        Parameters
        ----------
        image
            Path, bytes, binary file object, PIL image, or array; see
            :func:`~pyhades.segmentation.image.reading.load_image`.
        output
            ``"rgba"``, or ``"mask"`` for the matte alone.
        background
            Put the foreground on this instead of leaving it transparent; see
            :class:`~pyhades.segmentation.compose.Background`.
        channel_order
            Of an array: ``"bgr"`` for what OpenCV returns. The result is RGB in any case.
        value_range
            Of an array: the numbers that are black and white, such as ``(0, 1)`` for floats.
        finish
            Steps such as cropping, see :class:`~pyhades.segmentation.Finish`.

        Returns
        -------
        PIL.Image.Image
            Mode RGBA (straight alpha), L for a mask, RGB on a background; upright, with the colour
            profile and resolution of the image in ``info``.
        """
        behind = _check_output(output, background, finish)
        cutout = self.cut(image, channel_order=channel_order, value_range=value_range)
        return cutout.finish(finish).to_pil(output, behind)

    def cut(
        self,
        image: AnyImage,
        *,
        channel_order: ChannelOrder = "rgb",
        value_range: ValueRange | None = None,
    ) -> Cutout:
        """Compute the matte, to be rendered or encoded together with its image."""
        return self._open().cut(self._load(image, channel_order, value_range))

    def cut_frames(self, image: ImageLike | Animation) -> Iterator[Cutout]:
        """Compute the mattes of all frames of an animated file, or of all pages, lazily.

        Parameters
        ----------
        image
            A path, bytes, a binary file object or a PIL image.

        Examples
        --------
        >>> for cutout in remover.cut_frames("dance.gif"):            # doctest: +SKIP
        ...     print(cutout.image.frame, cutout.alpha.mean())
        """
        if not isinstance(image, Animation):
            return self._open().cut_frames(read_frames(image, max_pixels=self.max_pixels))
        return self._open().cut_frames(image)

    def session(
        self,
        *,
        threads: int | None = None,
        replica: str = "",
        buffers: Buffers = FRESH,
        clock: Clock | None = None,
    ) -> Session:
        """The same network on threads and an arena of its own, for a caller who waits for no other.

        Weights are shared. A network of the caller's (:meth:`from_network`) and one whose sizes
        depend on data are shared altogether.

        Parameters
        ----------
        threads
            By default those of the remover.
        replica
            Sessions that give the same name share their weights; on a machine with several nodes,
            the name of the node.
        buffers, clock
            See :class:`~pyhades.segmentation.session.Session`.
        """
        self._open()
        count = self.threads if threads is None else threads
        return self._session_on(self._own(count, replica), count, buffers, clock)

    def behind_queue(self) -> HybridNetwork | None:
        """The network behind a queue, for runs of many pictures; None where our engine is alone."""
        self._open()
        if self._opened is None or self.engine is None:
            return None
        return as_hybrid(self.engine, self._opened.network, self._opened.model)

    def session_on(
        self, exchange: Exchange, *, threads: int | None = None, buffers: Buffers = FRESH,
        clock: Clock | None = None,
    ) -> Session:  # fmt: skip
        """A session whose pictures go to whichever engine of ``exchange`` is free."""
        self._open()
        count = self.threads if threads is None else threads
        return self._session_on(Asker(exchange), count, buffers, clock)

    def _session_on(
        self, network: Network, threads: int, buffers: Buffers, clock: Clock | None
    ) -> Session:
        return Session(
            network, self.manifest, self._cutout_options, engine=self.engine_label,
            threads=threads, isa=self.options.isa, buffers=buffers, clock=clock,
        )  # fmt: skip

    def _own(self, threads: int, replica: str) -> Network:
        """The network for one caller, where it can be had."""
        session = getattr(self._network, "session", None)
        return _Shared(self._network) if session is None else session(threads, replica)

    def predict(self, image: AnyImage) -> NDArray[np.float32]:
        """What the network says of an image: float32 in 0..1, at the size that the network gives.

        It is not enlarged to the size of the image, and an alpha channel of the image is not
        multiplied in.
        """
        return self._open().predict(self._load(image))

    @overload
    def matte(
        self,
        image: AnyImage,
        *,
        dtype: type[np.uint8] = ...,
        channel_order: ChannelOrder = ...,
        value_range: ValueRange | None = ...,
    ) -> NDArray[np.uint8]: ...
    @overload
    def matte(
        self,
        image: AnyImage,
        *,
        dtype: type[np.float32],
        channel_order: ChannelOrder = ...,
        value_range: ValueRange | None = ...,
    ) -> NDArray[np.float32]: ...
    def matte(
        self,
        image: AnyImage,
        *,
        dtype: type[np.uint8] | type[np.float32] = np.uint8,
        channel_order: ChannelOrder = "rgb",
        value_range: ValueRange | None = None,
    ) -> NDArray[np.uint8] | NDArray[np.float32]:
        """Compute the matte alone: uint8 ``[height, width]``, or float32 in 0..1."""
        if dtype is np.uint8:
            return self.cut(image, channel_order=channel_order, value_range=value_range).alpha
        if dtype is not np.float32:
            raise ArgumentError(f"dtype={dtype!r}: expected numpy.uint8 or numpy.float32")
        loaded = self._load(image, channel_order, value_range)
        plane = self._open().predict(loaded)
        alpha = upscale_float(plane, loaded.size, self.manifest, **self._kernel_options)
        if loaded.alpha is not None:
            alpha *= loaded.alpha.astype(np.float32) / np.float32(255)
        return alpha

    def frames(
        self,
        frames: Iterable[AnyImage],
        output: Output = "rgba",
        background: BackgroundLike | None = None,
        *,
        channel_order: ChannelOrder = "rgb",
        value_range: ValueRange | None = None,
        ahead: int = 2,
        finish: Finish | None = None,
    ) -> Iterator[Image.Image]:
        """Results for the frames of a video, in their order, lazily.

        A recurrent network carries what it saw from frame to frame, and begins anew with every call
        of this method and where the size of the frames changes; any other sees each frame alone.

        Parameters
        ----------
        frames
            Images in the order of time. They may all be one array that is filled again and again.
            Those of an animated file: :func:`pyhades.segmentation.image.frames.frames`.
        output, background, channel_order, value_range, finish
            See calling a remover.
        ahead
            How many frames are read ahead, and finished behind.

        Returns
        -------
        iterator of PIL.Image.Image
            A result per frame. An error ends it, as what follows would lack what was seen.

        Examples
        --------
        >>> remover = Remover()
        >>> still = np.zeros((40, 60, 3), np.uint8)
        >>> [cutout.size for cutout in remover.frames([still, still])]
        [(60, 40), (60, 40)]
        """
        behind = _check_output(output, background, finish)
        one_of("channel_order", channel_order, ChannelOrder)
        session, network = self._open(), self._network
        if hasattr(network, "sequence"):
            network = network.sequence()
        steps = overlap(
            several(frames, "frames"),
            lambda frame: self._load(frame, channel_order, value_range),
            lambda frame: session.cut(frame, network),
            lambda cut: cut.finish(finish).to_pil(output, behind),
            ahead=ahead,
        )

        def results() -> Iterator[Image.Image]:
            for _, result in steps:
                if isinstance(result, Exception):
                    raise result
                yield result

        return results()

    def map(
        self,
        images: Iterable[AnyImage],
        output: Output = "rgba",
        background: BackgroundLike | None = None,
        *,
        channel_order: ChannelOrder = "rgb",
        value_range: ValueRange | None = None,
        on_error: OnError = "raise",
        ahead: int = 2,
        finish: Finish | None = None,
    ) -> Iterator[Image.Image | Exception]:
        """Results for many images in their order, lazily.

        While the network works on one image, helper threads decode the next ``ahead`` (at least
        1) and finish the last. At most about ``2 * ahead`` images are in memory. With
        ``on_error="return"`` the exception of a bad image takes the place of its result, and the
        others are not affected. The images may all be one array that is filled again and again.
        """
        one_of("on_error", on_error, OnError)
        one_of("channel_order", channel_order, ChannelOrder)
        behind = _check_output(output, background, finish)
        steps = overlap(
            several(images, "images"),
            lambda image: self._load(image, channel_order, value_range),
            self.cut,
            lambda cut: cut.finish(finish).to_pil(output, behind),
            ahead=ahead,
        )

        def results() -> Iterator[Image.Image | Exception]:
            for _, result in steps:
                if isinstance(result, Exception) and on_error == "raise":
                    raise result
                yield result

        return results()

    def _load(
        self,
        image: AnyImage,
        channel_order: ChannelOrder = "rgb",
        value_range: ValueRange | None = None,
    ) -> LoadedImage:
        if isinstance(image, LoadedImage):
            return image
        return load_image(
            image, channel_order=channel_order, value_range=value_range, max_pixels=self.max_pixels
        )

    def _open(self) -> Session:
        """What works; ClosedError once the remover is closed."""
        if self._session is None:
            raise ClosedError(f"{self!r} was closed")
        return self._session

    def _origin(self) -> tuple[Graph, Path | bytes, InputPlan]:
        """The graph, where it came from and how it is fed, for those who run it elsewhere."""
        plan = self._identification.inputs
        if self._arguments is None or plan is None:
            raise ArgumentTypeError("a network of the caller's has no model file")
        source = self._arguments["model"]
        self._model_file.check_same()
        return pyhades.load_onnx(source), source, plan

    def _check_samples(self) -> None:
        problem = complaint(look_at_samples(self.predict))
        if problem:
            log.warning("%s: %s", self._label, problem)

    def close(self) -> None:
        """Give back the network's memory; using the remover afterwards raises ClosedError."""
        session, self._session, self._opened = self._session, None, None
        if session is not None:
            session.close()

    def __enter__(self) -> Remover:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        if self._arguments is None:
            raise ArgumentTypeError("a Remover around a network of the caller's cannot be pickled")
        return _rebuild, (self._arguments, self._model_file)

    def _facts(self) -> dict[str, str]:
        manifest = self.manifest
        how = f"{manifest.policy}, {manifest.resample}, {manifest.scale}"
        height, width = manifest.input_size
        licence = manifest.licence or "licence unknown"
        if manifest.commercial_use is False:
            licence += ", not for commercial use"
        return {
            "model": self._label,
            "manifest": f"{manifest.name}, {self._identification.basis}",
            "input": f"{width} x {height}, {how}",
            "output": f"{manifest.output!r}, {manifest.activation}, "
            f"foreground {foreground_text(manifest)}, range {manifest.range}",
            "licence": licence,
            "engine": repr(self.engine) if self.engine is not None else self.engine_label,
            "threads": str(self.threads),
            "isa": self.isa,
            "precision": self.precision,
        }

    def __repr__(self) -> str:
        facts = ", ".join(f"{key}={value!r}" for key, value in self._facts().items())
        return f"Remover({facts}{', closed' if self._session is None else ''})"

    def _repr_html_(self) -> str:
        cells = "".join(
            f"<tr><th style='text-align:left'>{key}</th><td>{html.escape(value)}</td></tr>"
            for key, value in self._facts().items()
        )
        return f"<table><caption>pyhades.Remover</caption>{cells}</table>"


def remove_background(
    image: ImageLike,
    output: Output = "rgba",
    background: BackgroundLike | None = None,
    *,
    model: str | os.PathLike[str] | None = None,
    channel_order: ChannelOrder = "rgb",
    value_range: ValueRange | None = None,
    finish: Finish | None = None,
    **options: Any,
) -> Image.Image:
    """Remove the background of one image with a remover that is kept for the next call.

    Parameters
    ----------
    image, output, background, channel_order, value_range, finish
        See calling a :class:`Remover`.
    model
        Path of an ONNX file, or the name of a model; None for the small demonstration model in the
        package. A file that was replaced since the last call is loaded anew.
    **options
        See making a :class:`Remover`.

    Returns
    -------
    PIL.Image.Image
        The cut-out, the mask or the composite, as ``output`` says.

    Raises
    ------
    ArgumentError
        An option has a value that does not exist.
    ImageError
        The image cannot be read.
    ModelError
        The file is not a model that takes an image.

    Examples
    --------
    >>> image = np.zeros((40, 60, 3), np.uint8)
    >>> image[10:30, 20:40] = 255
    >>> remove_background(image).size
    (60, 40)
    """
    hashable = {key: _hashable(value) for key, value in options.items()}
    path = None if model is None else os.fspath(model)
    remover = _kept_remover(path, ModelFile.now(path), **hashable)
    how: dict[str, Any] = {"channel_order": channel_order, "value_range": value_range}
    return remover(image, output, background, finish=finish, **how)


@functools.lru_cache(maxsize=2)
def _kept_remover(model: str | None, as_it_is: ModelFile, **options: Any) -> Remover:
    return Remover(model, **options)


def _hashable(value: Any) -> Any:
    if isinstance(value, dict):
        return tuple((key, _hashable(item)) for key, item in value.items())
    return tuple(map(_hashable, value)) if isinstance(value, list) else value


def _rebuild(arguments: dict[str, Any], origin: ModelFile | None = None) -> Remover:
    if origin is not None:
        origin.check_same()
    return Remover(**arguments)


def _check_output(
    output: Output, background: BackgroundLike | None, finish: Finish | None
) -> Background | None:
    output_of(output, background, finish)
    return None if background is None else Background(background)


class _Shared:
    """A network that others use, too, and that whoever made it closes."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def __call__(self, planes: NDArray[np.float32], /) -> NDArray[Any]:
        return self._network(planes)

    def close(self) -> None:
        """Nothing."""
