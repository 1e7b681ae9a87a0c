"""Pairs of real firmware: from package registries and Debian, by their ordinary clients, and from a folder."""

import io
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import debian

NPM = Path(__file__).parents[2] / "tools" / "npm.sh"


@dataclass(frozen=True)
class Pair:
    """Two releases of one firmware; `same` says whether one toolchain made both."""

    name: str
    old: Path
    new: Path
    same: bool


def archive(source: str, package: str, version: str, cache: Path) -> Path:
    """The package's file, fetched once."""
    folder = cache / f"{package.replace('/', '-')}-{version}"
    if not folder.is_dir():
        part = folder.with_suffix(".part")
        part.mkdir(parents=True, exist_ok=True)
        if source == "deb":
            debian.download(package, version, part)
            part.rename(folder)
            return next(folder.iterdir())
        wanted = f"{package}@{version}" if source == "npm" else f"{package}=={version}"
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(part), wanted]
        npm = [str(NPM), "pack", "--silent", "--pack-destination", str(part), wanted]
        subprocess.run(npm if source == "npm" else pip, check=True, stdout=subprocess.DEVNULL)
        part.rename(folder)
    return next(folder.iterdir())


def member(package: Path, path: str) -> bytes:
    if package.suffix == ".deb":
        return debian.member(package, path)
    outer, _, inner = path.partition(":")
    if package.suffix == ".tgz":
        with tarfile.open(package) as tar:
            found = tar.extractfile(outer)
            assert found is not None
            data = found.read()
    else:
        data = zipfile.ZipFile(package).read(outer)
    return zipfile.ZipFile(io.BytesIO(data)).read(inner) if inner else data


def fetched(listed: Path, cache: Path, wanted: list[str] | None = None) -> list[Pair]:
    """Those of the list, or of these names alone."""
    pairs = []
    for line in listed.read_text().splitlines():
        if line.startswith("#"):
            continue
        name, source, package, old, new, path, toolchain = line.split()
        if wanted is not None and name not in wanted:
            continue
        if source == "deb" and debian.mirror() is None:
            print(f"{name} is left out: this machine has no Debian from apt", file=sys.stderr)
            continue
        files = []
        for version in [old, new]:
            file = cache / f"{name}-of-{version}.bin"
            if not file.is_file():
                file.write_bytes(member(archive(source, package, version, cache), path))
            files.append(file)
        pairs.append(Pair(name, *files, same=toolchain == "same"))
    return pairs


def version_key(file: Path) -> list[object]:
    """Versions in order; a release candidate comes before its release."""
    parts = re.findall(r"\d+|rc", file.stem.partition("-")[2] + "~")
    return [(-1, 0) if part == "rc" else (0, int(part)) for part in parts] + [(-0.5, 0)]


def of_folder() -> list[Pair]:
    """Every `<name>-<version>.bin` of OTARU_FIRMWARE_DIR beside the version before it."""
    folder = os.environ.get("OTARU_FIRMWARE_DIR")
    if not folder:
        return []
    names: dict[str, list[Path]] = {}
    for file in Path(folder).glob("*-*.bin"):
        names.setdefault(file.stem.partition("-")[0], []).append(file)
    pairs = []
    for name, files in sorted(names.items()):
        files.sort(key=version_key)
        for old, new in zip(files, files[1:]):
            pairs.append(Pair(new.stem, old, new, same=True))
    return pairs
