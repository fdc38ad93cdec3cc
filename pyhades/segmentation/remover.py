"""Background removal: an image and a network in, a cut-out out."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pyhades.arguments import check_count, check_flag, one_of
from pyhades.engines import Engine, EngineLike, Pyhades, engine_of
from pyhades.engines.exchange import Exchange
from pyhades.engines.hybrid_network import HybridNetwork
from pyhades.errors import ArgumentError, ClosedError
from pyhades.ir.graph import Graph
from pyhades.options import EngineOptions, engine_options, refuse_precision
from pyhades.segmentation.animation import Animation
from pyhades.segmentation.buffers import FRESH, Buffers
from pyhades.segmentation.catalogue import Identification, Profile
from pyhades.segmentation.clock import Clock
from pyhades.segmentation.compose import BackgroundLike
from pyhades.segmentation.cutout import Cutout, Output
from pyhades.segmentation.description import facts_of, in_a_line, in_a_notebook
from pyhades.segmentation.finish import Finish
from pyhades.segmentation.image.arrays import ValueRange
from pyhades.segmentation.image.frames import frames as read_frames
from pyhades.segmentation.image.limits import MAX_PIXELS
from pyhades.segmentation.image.reading import ChannelOrder, ImageLike
from pyhades.segmentation.inputs import AnyImage, several
from pyhades.segmentation.keeping import keeping
from pyhades.segmentation.manifest import ModelManifest
from pyhades.segmentation.meaning import InputPlan
from pyhades.segmentation.modelfile import ModelFile
from pyhades.segmentation.network import Network, NetworkPrecision
from pyhades.segmentation.opening import (
    DEFAULT_MODEL,
    ModelLike,
    Quantising,
    check_model,
    open_model,
)
from pyhades.segmentation.origin import Origin
from pyhades.segmentation.plausibility import complaint, look_at_samples
from pyhades.segmentation.results import Loading, Showing, or_raise, results_of
from pyhades.segmentation.session import Session
from pyhades.segmentation.sessions import Sessions

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
        check_flag("tune", tune)
        if check is not None:
            check_flag("check", check)
        one_of("precision", chosen.precision or "fp32", NetworkPrecision)
        runs = engine_of(engine)
        source, entry = check_model(model, download)
        self._origin = Origin.of_model(
            source, options=chosen, calibration=calibration, budget=budget, tune=tune, engine=runs,
            estimate_foreground=estimate_foreground, keep_hidden=keep_hidden,
            max_pixels=max_pixels, profile=profile, check=False, **manifest,
        )  # fmt: skip
        opened = open_model(
            source, entry, runs, chosen, Quantising(calibration, budget, tune), self._origin.file,
            profile, **manifest,
        )  # fmt: skip
        looks = {"estimate_foreground": estimate_foreground, "keep_hidden": keep_hidden}
        foreign = None if isinstance(runs, Pyhades) else opened
        found = opened.found
        self._set_up(
            Sessions(opened.network, found.manifest, chosen, looks, runs, foreign),
            found, chosen, max_pixels, opened.precision, opened.why,
        )  # fmt: skip
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
        remover._origin = Origin.of_network(network)
        looks = {"estimate_foreground": estimate_foreground, "keep_hidden": keep_hidden}
        remover._set_up(
            Sessions(network, manifest, chosen, looks),
            Identification(manifest, "given by the caller"), chosen, max_pixels,
            "its own", "the network was given",
        )  # fmt: skip
        return remover

    def _set_up(
        self,
        sessions: Sessions,
        found: Identification,
        options: EngineOptions,
        max_pixels: int,
        precision: str,
        precision_reason: str,
    ) -> None:
        self._sessions = sessions
        self._identification = found
        self.engine: Engine | None = sessions.engine
        self.options = options
        self.threads, self.isa = sessions.threads, options.tier
        self.precision, self.precision_reason = precision, precision_reason
        self.max_pixels = check_count("max_pixels", max_pixels)

    @property
    def manifest(self) -> ModelManifest:
        """What the model wants and means."""
        return self._identification.manifest

    @property
    def engine_label(self) -> str:
        """What results say that they were made by: ``"pyhades"``, ``"onnxruntime:cuda"``.

        For a network of the caller's, the name of its class.
        """
        return self._sessions.label

    @property
    def source(self) -> Path | bytes | None:
        """The model's file or folder, or its bytes; None for a network of the caller's."""
        return self._origin.source

    @property
    def cutout_options(self) -> dict[str, Any]:
        """What cut-outs look like: ``estimate_foreground`` and ``keep_hidden``, by name."""
        return dict(self._sessions.cutout_options)

    @property
    def arena_bytes(self) -> int:
        """Memory that the network of each session takes, in bytes.

        0 where it is not known: for a network of the caller's, and before the first picture of a
        model that takes any size.
        """
        return int(getattr(self._sessions.network, "arena_bytes", 0))

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
        show = Showing.of(output, background, finish)
        return show(self.cut(image, channel_order=channel_order, value_range=value_range))

    def cut(
        self,
        image: AnyImage,
        *,
        channel_order: ChannelOrder = "rgb",
        value_range: ValueRange | None = None,
    ) -> Cutout:
        """Compute the matte, to be rendered or encoded together with its image."""
        session = self._session()
        return session.cut(Loading(self.max_pixels, channel_order, value_range)(image))

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
        session = self._session()
        if not isinstance(image, Animation):
            return session.cut_frames(read_frames(image, max_pixels=self.max_pixels))
        return session.cut_frames(image)

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
        return self._open().beside(threads, replica, buffers, clock)

    def behind_queue(self) -> HybridNetwork | None:
        """The network behind a queue, for runs of many pictures; None where our engine is alone."""
        return self._open().behind_queue()

    def session_on(
        self, exchange: Exchange, *, threads: int | None = None, buffers: Buffers = FRESH,
        clock: Clock | None = None,
    ) -> Session:  # fmt: skip
        """A session whose pictures go to whichever engine of ``exchange`` is free."""
        return self._open().asking(exchange, threads, buffers, clock)

    def predict(self, image: AnyImage) -> NDArray[np.float32]:
        """What the network says of an image: float32 in 0..1, at the size that the network gives.

        It is not enlarged to the size of the image, and an alpha channel of the image is not
        multiplied in.
        """
        return self._session().predict(Loading(self.max_pixels)(image))

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
        loaded = Loading(self.max_pixels, channel_order, value_range)(image)
        return self._session().float_matte(loaded)

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
        show = Showing.of(output, background, finish)
        one_of("channel_order", channel_order, ChannelOrder)
        session, network = self._session(), self._sessions.sequence()
        return or_raise(results_of(
            several(frames, "frames"), Loading(self.max_pixels, channel_order, value_range),
            lambda frame: session.cut(frame, network), show, ahead=ahead,
        ))  # fmt: skip

    @overload
    def map(
        self,
        images: Iterable[AnyImage],
        output: Output = ...,
        background: BackgroundLike | None = ...,
        *,
        channel_order: ChannelOrder = ...,
        value_range: ValueRange | None = ...,
        on_error: Literal["raise"] = ...,
        ahead: int = ...,
        finish: Finish | None = ...,
    ) -> Iterator[Image.Image]: ...
    @overload
    def map(
        self,
        images: Iterable[AnyImage],
        output: Output = ...,
        background: BackgroundLike | None = ...,
        *,
        channel_order: ChannelOrder = ...,
        value_range: ValueRange | None = ...,
        on_error: OnError,
        ahead: int = ...,
        finish: Finish | None = ...,
    ) -> Iterator[Image.Image | Exception]: ...
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
        show = Showing.of(output, background, finish)
        results = results_of(
            several(images, "images"), Loading(self.max_pixels, channel_order, value_range),
            self.cut, show, ahead=ahead,
        )  # fmt: skip
        return or_raise(results) if on_error == "raise" else results

    def _open(self) -> Sessions:
        """What works; ClosedError once the remover is closed."""
        if self._sessions.own is None:
            raise ClosedError(f"{self!r} was closed")
        return self._sessions

    def _session(self) -> Session:
        """The remover's own session."""
        own = self._open().own
        assert own is not None
        return own

    def _read_again(self) -> tuple[Graph, Path | bytes, InputPlan]:
        """The graph, where it came from and how it is fed, for those who run it elsewhere."""
        graph, source = self._origin.read()
        plan = self._identification.inputs
        assert plan is not None  # as there is a graph
        return graph, source, plan

    def _check_samples(self) -> None:
        problem = complaint(look_at_samples(self.predict))
        if problem:
            log.warning("%s: %s", self._origin.label, problem)

    def close(self) -> None:
        """Give back the network's memory; using the remover afterwards raises ClosedError."""
        self._sessions.close()

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
        return _rebuild, (self._origin.again(), self._origin.file)

    def _facts(self) -> dict[str, str]:
        return facts_of(self, self._origin.label, self._identification.basis)

    def __repr__(self) -> str:
        is_closed = self._sessions.own is None
        return f"Remover({in_a_line(self._facts())}{', closed' if is_closed else ''})"

    def _repr_html_(self) -> str:
        return in_a_notebook(self._facts())


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
    remover = _kept_remover(model, **options)
    how: dict[str, Any] = {"channel_order": channel_order, "value_range": value_range}
    return remover(image, output, background, finish=finish, **how)


_kept_remover = keeping(Remover)


def _rebuild(arguments: dict[str, Any], origin: ModelFile | None = None) -> Remover:
    if origin is not None:
        origin.check_same()
    return Remover(**arguments)
