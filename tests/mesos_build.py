"""Makes the program of a real Mesos 1.11.0, master and agents, from what a Python package carries.

The package mesos.scheduler has the whole of Mesos in one library, for a Python and an OpenSSL that are no more. What
the library wants of these is never called on the loopback address, so functions that abort stand in for it.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from servers import missing, require

__all__ = ["mesos_program"]

SOURCE = Path(__file__).with_name("mesos_cluster.cpp")
EGG = "mesos.scheduler-1.11.0-py2.7-linux-x86_64.egg"
EGG_SHA256 = "4940ebb70894ee004cf8a12b7b66b52a351be1070ec2a4e6f7dae4ec04f8cb61"
LIBRARY = "libmesos-1.11.0.so"
OBJECTS = {"_Py_NoneStruct", "PyExc_Exception", "PyExc_TypeError"}

Symbols = dict[str, dict[str, set[str]]]


def mesos_program() -> Path:
    """The program, made once for each user. Where it can't be made the test is skipped, as for any missing server."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "beaufort-mesos-1.11.0"
    program = home / f"mesos-cluster-{hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:8]}"
    if not program.exists():
        for tool in ("g++", "gcc", "readelf"):
            require(tool)
        home.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=home.parent) as made:
            if not (home / LIBRARY).exists():
                _make_libraries(Path(made))
                shutil.copytree(made, home, dirs_exist_ok=True)
            _make_program(home, Path(made) / program.name).rename(program)
    _check(program)
    return program


def _check(program: Path) -> None:
    needs = subprocess.run(["ldd", program], env=_search(program.parent), capture_output=True, text=True, check=True)
    if absent := re.findall(r"(\S+) => not found", needs.stdout):
        missing(f"the libraries {', '.join(absent)} of Mesos (in the packages libsvn1, libapr1 and libsasl2-2)")


def _search(home: Path) -> dict[str, str]:
    return {**os.environ, "LD_LIBRARY_PATH": str(home)}


def _make_libraries(home: Path) -> None:
    _unpack(_egg(home), home / LIBRARY)
    versioned, python = _wanted(home / LIBRARY)
    for name in ("libssl.so.1.0.0", "libcrypto.so.1.0.0"):
        _stand_in(home, name, versioned["OPENSSL"])
    _stand_in(home, "libcurl.so.4", versioned["CURL"])
    lines = (f"char {name}[4096];" if name in OBJECTS else f"void* {name}(void) {{ return 0; }}" for name in python)
    _link(home, "libpython-none.so", lines)


def _make_program(home: Path, program: Path) -> Path:
    libraries = [f"-L{home}", f"-l:{LIBRARY}", "-l:libpython-none.so", "-Wl,--allow-shlib-undefined"]
    subprocess.run(["g++", "-O1", "-w", SOURCE, "-o", program, *libraries], check=True)
    return program


def _egg(home: Path) -> Path:
    """From pip's package index; only this one file, which is known by its digest. Eggs, pip itself does not take."""
    from pypi_simple import PYPI_SIMPLE_ENDPOINT, PyPISimple  # noqa: PLC0415 - slow to import, and seldom needed
    from requests import RequestException  # noqa: PLC0415

    egg = home / EGG
    try:
        with PyPISimple(_told_pip("index-url") or PYPI_SIMPLE_ENDPOINT) as index:
            index.s.verify = _told_pip("cert") or index.s.verify
            packages = index.get_project_page("mesos.scheduler").packages
            index.download_package(next(each for each in packages if each.filename == EGG), egg)
    except RequestException as error:
        missing(f"the Python package mesos.scheduler ({error})")
    digest = hashlib.sha256(egg.read_bytes()).hexdigest()
    assert digest == EGG_SHA256, f"{EGG} has the digest {digest}"
    return egg


def _told_pip(option: str) -> str | None:
    """What pip is told by its environment, or else by its files."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    told = {key: value.strip("'") for key, _, value in (line.partition("=") for line in listed)}
    return told.get(f":env:.{option}", told.get(f"global.{option}"))


def _unpack(egg: Path, library: Path) -> None:
    with zipfile.ZipFile(egg) as archive:
        library.write_bytes(archive.read(next(name for name in archive.namelist() if name.endswith("_scheduler.so"))))
    egg.unlink()


def _wanted(library: Path) -> tuple[Symbols, list[str]]:
    """The names that the library wants of OpenSSL and curl, by version, and of Python."""
    versioned: Symbols = {"OPENSSL": defaultdict(set), "CURL": defaultdict(set)}
    python = set()
    listed: list[str | Path] = ["readelf", "-W", "--dyn-syms", library]
    for line in subprocess.run(listed, capture_output=True, text=True, check=True).stdout.splitlines():
        fields = line.split()
        if len(fields) < 8 or fields[6] != "UND":
            continue
        name, _, version = fields[7].partition("@")
        version = version.strip("@")
        if version.startswith(("OPENSSL", "CURL")):
            versioned[version.split("_")[0]][version].add(name)
        elif re.match(r"_?Py", name):
            python.add(name)
    return versioned, sorted(python)


def _stand_in(home: Path, name: str, versions: Mapping[str, set[str]]) -> None:
    functions = sorted(set().union(*versions.values()))
    lines = [f'void* {each}(void) {{ fputs("{each} was called\\n", stderr); abort(); }}' for each in functions]
    script = home / f"{name}.map"
    script.write_text("\n".join(f"{v} {{ global: {'; '.join(sorted(each))}; }};" for v, each in versions.items()))
    _link(home, name, ["#include <stdio.h>", "#include <stdlib.h>", *lines], f"-Wl,--version-script,{script}")


def _link(home: Path, name: str, lines: Iterable[str], *options: str) -> None:
    command: list[str | Path] = [
        "gcc",
        "-shared",
        "-fPIC",
        "-w",
        "-x",
        "c",
        "-",
        "-o",
        home / name,
        f"-Wl,-soname,{name}",
        *options,
    ]
    subprocess.run(command, input="\n".join(lines) + "\n", text=True, check=True)
