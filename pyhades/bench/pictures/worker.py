"""One engine on pictures, in a process of its own: ``python -m pyhades.bench.pictures.worker``.

It answers in lines of JSON: once when it is ready, then each stretch that it is asked for, and its
memory when its input ends.
"""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import redirect_stdout
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pyhades.bench.memory import high_water_mark, resident_bytes
from pyhades.bench.pictures.memory_parts import bytes_by_node
from pyhades.bench.pictures.sets import pictures_in
from pyhades.bench.pictures.stretch import Subject, run_stretch
from pyhades.bench.pictures.subjects import Loop, Pooled
from pyhades.errors import ArgumentError
from pyhades.segmentation.remover import Remover
from pyhades.topology import plan_workers


def make_subject(options: argparse.Namespace) -> Subject:
    """Load the model into an engine."""
    from pyhades.bench.pictures import rival_networks as rivals

    plan = plan_workers(
        workers=options.workers, threads_per_worker=options.threads, processes="one"
    )
    remover = Remover(
        options.model, threads=options.threads, precision=options.precision, isa=options.isa,
        check=False,
    )  # fmt: skip
    if options.engine == "pyhades":
        return Pooled(remover, plan, options.out, {})
    if options.engine == "loop":
        return Loop(remover, options.out)
    manifest, (_, source, feeding) = remover.manifest, remover._read_again()
    output = remover._sessions.network._output  # type: ignore[attr-defined]
    remover.close()
    if isinstance(source, bytes):
        raise ArgumentError("model: rivals read it from a file, not from bytes")
    model = Path(source)
    if options.engine == "rembg":
        return rivals.Rembg(
            model, manifest.input_size, options.workers, options.threads, options.out
        )
    if options.engine == "onnxruntime":
        network = rivals.onnxruntime_network(model, output, feeding, options.threads)
    else:
        network = rivals.openvino_network(
            model, output, feeding, manifest, options.workers, options.threads
        )
    around = Remover.from_network(network, manifest, threads=options.threads, isa=options.isa)
    return Pooled(around, plan, options.out, {"version": version(options.engine)})


def main() -> None:
    """Serve one engine until standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("engine")
    parser.add_argument("--model")
    parser.add_argument("--workers", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--precision")
    parser.add_argument("--isa")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    answers = sys.stdout
    with redirect_stdout(sys.stderr):  # what engines print is no answer
        subject = make_subject(options)

        def answer(what: dict[str, Any]) -> None:
            print(json.dumps(what), file=answers, flush=True)

        answer(subject.facts())
        for line in sys.stdin:
            asked = json.loads(line)
            paths = pictures_in(Path(asked["folder"]))
            stretch = run_stretch(subject, paths, asked["seconds"], asked["cold"])
            answer(stretch.to_dict() | {"facts": subject.facts()})
        answer({
            "peak_rss": high_water_mark(), "rss": resident_bytes(), "parts": subject.parts(),
            "nodes": bytes_by_node(),
        })  # fmt: skip
        subject.close()


if __name__ == "__main__":
    main()
