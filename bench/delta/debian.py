"""Packages of other Debian releases than the machine's, by apt and from where the machine has its own."""

import subprocess
from pathlib import Path

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def mirror() -> str | None:
    """Where this machine's apt has Debian from, if it is one that does."""
    command = ["apt-get", "indextargets", "--format", "$(LABEL) $(REPO_URI)"]
    try:
        listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    found = [line.split() for line in listed.splitlines()]
    return next((words[1] for words in found if words[:-1] == ["Debian"]), None)


def download(package: str, suite: str, into: Path) -> None:
    """Fetches a package that runs anywhere, with lists of its own: the machine's stay as they are."""
    apt = (into.parent / "apt" / suite).resolve()
    for folder in ["lists/partial", "cache/archives/partial"]:
        (apt / folder).mkdir(parents=True, exist_ok=True)
    sources = apt / "sources.list"
    sources.write_text(f"deb [signed-by={KEYRING}] {mirror()} {suite} main\n")
    options = {
        "Dir::Etc::SourceList": sources,
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::State::Lists": apt / "lists",
        "Dir::Cache": apt / "cache",
        "Acquire::Languages": "none",
        "APT::Sandbox::User": "root",
    }
    command = ["apt-get", "--quiet=2", *(f"--option={name}={value}" for name, value in options.items())]
    subprocess.run([*command, "update"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([*command, "download", package], check=True, stdout=subprocess.DEVNULL, cwd=into)


def member(package: Path, path: str) -> bytes:
    """A file of a package."""
    packed = subprocess.run(["dpkg-deb", "--fsys-tarfile", str(package)], check=True, capture_output=True).stdout
    command = ["tar", "--extract", "--to-stdout", f"./{path}"]
    return subprocess.run(command, check=True, capture_output=True, input=packed).stdout
