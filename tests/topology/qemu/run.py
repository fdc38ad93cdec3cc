"""Boots virtual machines of several nodes and checks there where memory comes to lie.

``python tests/topology/qemu/run.py --kernel vmlinuz`` needs ``qemu-system-x86_64``, ``cpio``, and a
kernel with all that a serial console takes built in. Debian's for clouds is one::

    apt-get install qemu-system-x86 cpio
    apt-get download linux-image-cloud-amd64  # and the package that this one depends on
    dpkg-deb -x linux-image-*-cloud-amd64_*.deb kernel  # kernel/boot/vmlinuz-...

The guest is emulated: nothing is learnt of speed. It runs Python, pyhades and what they read, from
an initial file system that is packed here of the files that ``guest.py`` needs.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[3]
GUEST = Path(__file__).with_name("guest.py")
LOADER = Path("/lib64/ld-linux-x86-64.so.2")
CPUS_PER_NODE = 2
MEGABYTES_PER_NODE = 768
LIMIT = 600
"""Seconds."""


def modules() -> list[Path]:
    """Files of Python's modules that the guest needs, found by running it here."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, str(GUEST), "--list"], env=environment, capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"the checks do not even pass here:\n{done.stdout}{done.stderr}")
    lines = done.stdout.splitlines()
    return [Path(line.removeprefix("needs ")) for line in lines if line.startswith("needs ")]


def libraries(binary: Path) -> list[Path]:
    """Shared libraries of a program or of another library, by the names that they are found by."""
    done = subprocess.run(["ldd", str(binary)], capture_output=True, text=True)
    words = done.stdout.split()
    return [Path(word) for word in words if word.startswith("/") and Path(word).is_file()]


def pack(target: Path) -> None:
    """Write the initial file system: files where they are here, and a first process."""
    interpreter = Path(sys.executable).resolve()
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        files = {*modules(), interpreter, LOADER}
        binaries = [path for path in files if ".so" in path.name or path == interpreter]
        for path in files.union(*map(libraries, binaries)):
            copy = tree / path.relative_to("/")
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)  # follows links
        for name in ("proc", "sys", "dev", "tmp"):
            (tree / name).mkdir()
        shutil.copy(GUEST, tree / "guest.py")
        # The first process gets its environment from here alone.
        folders = [Path(entry) for entry in sys.path if (tree / entry.lstrip("/")).is_dir()]
        paths = ":".join(map(str, [ROOT, *folders]))
        (tree / "init").write_text(f"#!{interpreter} -SB\n{FIRST.format(paths=paths)}")
        (tree / "init").chmod(0o755)
        names = subprocess.run(["find", "."], cwd=tree, capture_output=True, check=True).stdout
        with target.open("wb") as file:
            command = ["cpio", "--quiet", "-o", "-H", "newc"]
            subprocess.run(command, cwd=tree, input=names, stdout=file, check=True)


FIRST = """\
import os, sys
sys.path[:0] = "{paths}".split(":")
os.environ["PYHADES_NUM_THREADS"] = "1"
sys.argv = ["/guest.py"]
exec(compile(open("/guest.py").read(), "/guest.py", "exec"))
"""


def boot(kernel: Path, files: Path, nodes: int) -> bool:
    """Run one machine; whether all checks passed in it."""
    command = [
        "qemu-system-x86_64", "-nodefaults", "-no-reboot", "-display", "none", "-serial", "stdio",
        "-accel", "tcg,thread=multi", "-cpu", "max", "-m", f"{nodes * MEGABYTES_PER_NODE}M",
        "-smp", f"{nodes * CPUS_PER_NODE},sockets={nodes},cores={CPUS_PER_NODE},threads=1",
        "-kernel", str(kernel), "-initrd", str(files),
        "-append", f"console=ttyS0 quiet panic=-1 rdinit=/init pyhades.nodes={nodes} "
        # The kernel would move pages to whoever reads them.
        "numa_balancing=disable",
    ]  # fmt: skip
    for node in range(nodes):
        first = node * CPUS_PER_NODE
        memory = f"memory-backend-ram,id=m{node},size={MEGABYTES_PER_NODE}M"
        cpus = f"cpus={first}-{first + CPUS_PER_NODE - 1}"
        command += ["-object", memory, "-numa", f"node,nodeid={node},{cpus},memdev=m{node}"]
    for one in range(nodes):
        for other in range(one + 1, nodes):
            distance = 12 if one // 2 == other // 2 else 32
            command += ["-numa", f"dist,src={one},dst={other},val={distance}"]
    started = time.monotonic()
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT
        )
    except subprocess.TimeoutExpired as error:
        print((error.stdout or b"").decode(errors="replace"))
        print(f"{nodes} nodes: not done after {LIMIT} s")
        return False
    print(done.stdout + done.stderr)
    passed = "RESULT: passed" in done.stdout
    print(f"{nodes} nodes: {'passed' if passed else 'FAILED'}, {time.monotonic() - started:.0f} s")
    return passed


def main() -> None:
    """Boot a machine for each number of nodes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kernel", type=Path, required=True)
    parser.add_argument("--nodes", default="2,4", help="numbers, with commas between them")
    chosen = parser.parse_args()
    for tool in ("qemu-system-x86_64", "cpio"):
        if shutil.which(tool) is None:
            sys.exit(f"{tool} is not installed")
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder) / "files.cpio"
        pack(files)
        print(f"initial file system of {files.stat().st_size / 2**20:.0f} MiB", flush=True)
        results = [boot(chosen.kernel, files, int(nodes)) for nodes in chosen.nodes.split(",")]
    sys.exit(not all(results))


if __name__ == "__main__":
    main()
