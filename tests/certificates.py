"""Certificates for tests: an authority, a server on the loopback address, and a client. Made by openssl."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from servers import require

__all__ = ["Certificates", "certificates"]

KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


@dataclass(frozen=True)
class Certificates:
    folder: Path

    @property
    def ca(self) -> Path:
        return self.folder / "ca.pem"

    def cert(self, name: str) -> Path:
        return self.folder / f"{name}.pem"

    def key(self, name: str) -> Path:
        return self.folder / f"{name}-key.pem"


def certificates(folder: Path) -> Certificates:
    """Signed by one authority: those of ``server`` and of ``client``."""
    made = Certificates(folder)
    openssl = require("openssl")

    def run(*arguments: str | Path) -> None:
        subprocess.run([openssl, *arguments], check=True, capture_output=True)

    authority = ["-x509", "-days", "2", "-subj", "/CN=authority"]
    run("req", *authority, *KEY, "-keyout", made.key("ca"), "-out", made.ca)
    for name in ("server", "client"):
        request = folder / f"{name}.csr"
        run("req", "-subj", f"/CN={name}", *KEY, "-keyout", made.key(name), "-out", request)
        extensions = folder / f"{name}.txt"
        usage = f"extendedKeyUsage={name}Auth\n"
        extensions.write_text(usage + ("subjectAltName=IP:127.0.0.1\n" if name == "server" else ""))
        signed: list[str | Path] = [
            "-CA",
            made.ca,
            "-CAkey",
            made.key("ca"),
            "-CAcreateserial",
            "-days",
            "2",
            "-extfile",
            extensions,
        ]
        run("x509", "-req", "-in", request, *signed, "-out", made.cert(name))
    return made
