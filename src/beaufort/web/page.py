"""The page's own files, if it has been built, and the description of the API for people to read."""

from __future__ import annotations

import mimetypes
from pathlib import Path
from typing import Any

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from beaufort.web.access import Permission, needs
from beaufort.web.problems import Refused

__all__ = ["PAGE"]

STATIC = Path(__file__).parent / "static"
"""Where the build of the page puts its files."""

OPEN = needs(Permission.NOTHING)

UNBUILT = b"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Beaufort</title>
<h1>Beaufort</h1>
<p>The page has not been built into this installation. The API is there: <a href="/docs">its description</a>.</p>
</html>
"""


class Files:
    """The files of the built page, held in memory: there are few, and what is not among them is not there."""

    def __init__(self, folder: Path) -> None:
        files = folder.rglob("*") if folder.is_dir() else ()
        self._files = {str(each.relative_to(folder)): each.read_bytes() for each in files if each.is_file()}

    def answer(self, name: str) -> Response[bytes]:
        if name not in self._files:
            raise Refused(404, "there is no such file")
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        # What the build has named by its contents never changes.
        lasting = "public, max-age=31536000, immutable" if name.startswith("assets/") else "no-cache"
        return Response(self._files[name], media_type=kind, headers={"cache-control": lasting})

    def index(self) -> Response[bytes]:
        if "index.html" in self._files:
            return self.answer("index.html")
        return Response(UNBUILT, media_type="text/html; charset=utf-8")


@get("/", opt=OPEN, include_in_schema=False, sync_to_thread=False)
def index(files: NamedDependency[Files]) -> Response[bytes]:
    return files.index()


@get("/{name:path}", opt=OPEN, include_in_schema=False, sync_to_thread=False)
def file(files: NamedDependency[Files], name: FromPath[Path]) -> Response[bytes]:
    return files.answer(str(name).lstrip("/"))


PAGE: list[Any] = [index, file]
