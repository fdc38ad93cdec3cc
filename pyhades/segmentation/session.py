"""From a picture to its matte: one network on threads of its own, with the memory around it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyhades.errors import ClosedError
from pyhades.segmentation.buffers import FRESH, Buffers
from pyhades.segmentation.clock import Clock
from pyhades.segmentation.cutout import Cutout
from pyhades.segmentation.deep import Prediction
from pyhades.segmentation.image.loaded import LoadedImage
from pyhades.segmentation.manifest import ModelManifest
from pyhades.segmentation.matte import (
    normalise_range,
    prediction_plane,
    upscale,
    upscale_float,
)
from pyhades.segmentation.network import Network
from pyhades.segmentation.preprocess import network_input, place


class Session:
    """Cuts pictures out, one after the other.

    Parameters
    ----------
    network
        The engine; the session closes it.
    manifest
        What it wants and means.
    cutout_options
        Of :class:`~pyhades.segmentation.cutout.Cutout`.
    threads, isa
        Of the kernels around the network.
    engine
        What cut-outs say that they were made by, where the network does not say more.
    buffers
        Where arrays come from. With buffers that are used again, a cut-out is good until the next
        picture.
    clock
        Notes how long the stages take.
    """

    def __init__(
        self,
        network: Network,
        manifest: ModelManifest,
        cutout_options: dict[str, Any],
        *,
        threads: int | None = None,
        isa: str | None = None,
        engine: str = "",
        buffers: Buffers = FRESH,
        clock: Clock | None = None,
    ) -> None:
        self._network: Network | None = network
        self._manifest = manifest
        self._kernel_options: dict[str, Any] = {"threads": threads, "isa": isa}
        self._cutout_options = cutout_options
        self._engine = engine
        self._buffers = buffers
        self._clock = clock or Clock()

    def cut(self, image: LoadedImage, network: Network | None = None) -> Cutout:
        """The matte of a picture, with what is needed to show it.

        Parameters
        ----------
        image
            The picture.
        network
            In place of the session's, such as one that remembers earlier frames.
        """
        plane = self.predict(image, network)
        engine = getattr(network or self._network, "engine", self._engine)
        with self._clock.stage("matte"):
            out = self._buffers.array("alpha", image.size, np.uint8)
            alpha = upscale(plane, image.size, self._manifest, out=out, **self._kernel_options)
            if image.alpha is not None:
                product = alpha.astype(np.uint16) * image.alpha
                alpha = ((product + 127) // 255).astype(np.uint8)
        return Cutout(
            image, alpha, kernel_options=self._kernel_options, buffers=self._buffers,
            prediction=Prediction(plane, self._manifest, alpha), engine=engine,
            **self._cutout_options,
        )  # fmt: skip

    def float_matte(self, image: LoadedImage) -> NDArray[np.float32]:
        """The matte alone, in 0..1, without rounding to 256 levels."""
        plane = self.predict(image)
        alpha = upscale_float(plane, image.size, self._manifest, **self._kernel_options)
        if image.alpha is not None:
            alpha *= image.alpha.astype(np.float32) / np.float32(255)
        return alpha

    def cut_frames(self, images: Iterable[LoadedImage]) -> Iterator[Cutout]:
        """The frames of an animation in their order, or pages; lazily.

        A recurrent network remembers earlier frames, but no other pages.
        """
        sequence = getattr(self._network, "sequence", None)
        network = None if sequence is None else sequence()
        for image in images:
            is_timed = image.frame is not None and image.frame.duration is not None
            yield self.cut(image, network if is_timed else None)

    def predict(self, image: LoadedImage, network: Network | None = None) -> NDArray[np.float32]:
        """What the network says, in 0..1, at the size that it gives."""
        if self._network is None:
            raise ClosedError("the session was closed")
        network = network or self._network
        with self._clock.stage("preprocess"):
            placement = place(image.size, self._manifest)
            out = self._buffers.array("planes", (1, 3, *placement.size), np.float32)
            planes = network_input(
                image, self._manifest, placement, out=out, **self._kernel_options
            )
        with self._clock.stage("network"):
            output = network(planes)
        with self._clock.stage("matte"):
            plane = prediction_plane(output, self._manifest, placement)
            return normalise_range(plane, self._manifest)

    def close(self) -> None:
        """Give back the network's memory."""
        network, self._network = self._network, None
        if network is not None:
            network.close()
