"""The image of a demo: one busybox of this machine, and the programs that it is, as a tar archive imported by the engine."""

from __future__ import annotations

import io
import struct
import tarfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from shutil import which

from beaufort.protocols import SchedulerError
from beaufort.schedulers.engine.answers import Progress
from beaufort.schedulers.engine.client import WORK, Client
from beaufort.stages.remains import IMAGE_OF, REPOSITORY

__all__ = ["archive", "build", "static"]

NAMES = ("busybox", "busybox.static")
"""As Debian and Alpine call it."""

PROGRAMS = ("sh", "cat", "sleep")

MISSING = (
    "the demo makes its image of a statically linked busybox, and there is none here: install it (Debian and Ubuntu: "
    "busybox-static; Alpine: busybox-static; Fedora: busybox), or name an image with --image, such as alpine"
)

INTERPRETER = 3
"""PT_INTERP, the part of a program that names its dynamic linker (see elf(5))."""


async def build(client: Client, name: str) -> str:
    """Makes the image of a demo of this name, and returns its own. Raises SchedulerError."""
    image = f"{REPOSITORY}:{name}"
    query = {"fromSrc": "-", "repo": REPOSITORY, "tag": name, "changes": f"LABEL {IMAGE_OF}={name}"}
    tar = {"Content-Type": "application/x-tar"}
    sent = client.stream(
        "POST", "/images/create", Progress, silence=WORK, query=query, body=archive(_busybox()), headers=tar
    )
    async with sent as lines:
        async for line in lines:
            if line.error:
                raise SchedulerError(f"the engine can't make the image of the demo: {line.error}")
    return image


def _busybox() -> bytes:
    for path in filter(None, map(which, NAMES)):
        with suppress(OSError):  # one that can't be read is none
            if static(program := Path(path).read_bytes()):
                return program
    raise SchedulerError(MISSING)


def static(program: bytes) -> bool:
    """Whether it is a program for Linux that needs no other file to run."""
    if program[:4] != b"\x7fELF":
        return False
    wide, order = program[4] == 2, "<" if program[5] == 1 else ">"
    (start,) = struct.unpack_from(f"{order}{'Q' if wide else 'I'}", program, 32 if wide else 28)
    size, count = struct.unpack_from(f"{order}HH", program, 54 if wide else 42)
    kinds = [struct.unpack_from(f"{order}I", program, start + size * index) for index in range(count)]
    return (INTERPRETER,) not in kinds


def archive(busybox: bytes, programs: Iterable[str] = PROGRAMS) -> bytes:
    """A root file system with nothing else in it."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as tar:
        program = tarfile.TarInfo("bin/busybox")
        program.size, program.mode = len(busybox), 0o755
        tar.addfile(program, io.BytesIO(busybox))
        for name in programs:
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
    return written.getvalue()
