#!/usr/bin/env python3
"""Where a secret stands below a folder: `find-secret.py FOLDER`, its forms on standard input, a line each.

Prints `/etc/x 640 0 0` (path, mode, owner, group) for each file, name or link that has one of the forms in it, and after
the path, behind `!`, the way into what is packed: compressed files, archives of them, objects of git.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import os
import stat
import subprocess
import sys
import tarfile
import zlib
from collections.abc import Iterator

MOST_DEPTH = 5


def unpacked(data: bytes) -> Iterator[tuple[str, bytes]]:
    """What is packed in it, one layer down. Nothing where it only looks as if."""
    with contextlib.suppress(OSError, EOFError, ValueError, lzma.LZMAError, zlib.error, tarfile.TarError):
        if data.startswith(b"BZh"):
            # Behind the stream may be more: an XPAK trailer, for example.
            yield "bz2", bz2.BZ2Decompressor().decompress(data)
        elif data.startswith(b"\x1f\x8b"):
            yield "gz", gzip.decompress(data)
        elif data.startswith(b"\xfd7zXZ\0"):
            yield "xz", lzma.decompress(data)
        elif data.startswith(b"\x28\xb5\x2f\xfd"):
            yield "zst", subprocess.run(["zstd", "-dcq"], input=data, stdout=subprocess.PIPE, check=False).stdout
        elif data[257:262] == b"ustar":
            with tarfile.open(fileobj=io.BytesIO(data)) as archive:
                for member in archive:
                    content = archive.extractfile(member) if member.isfile() else None
                    yield member.name, content.read() if content else member.linkname.encode()
        elif data[:1] == b"\x78":
            yield "zlib", zlib.decompress(data)


def ways(data: bytes, forms: list[bytes], depth: int = 0) -> Iterator[str]:
    """The way to each place in it where a form stands: empty for the bytes themselves."""
    if any(form in data for form in forms):
        yield ""
    if depth < MOST_DEPTH:
        for name, content in unpacked(data):
            if any(form in name.encode() for form in forms):
                yield f"!{name}"
            yield from (f"!{name}{way}" for way in ways(content, forms, depth + 1))


def contents_of(path: str, mode: int) -> bytes:
    if stat.S_ISLNK(mode):
        return os.readlink(os.fsencode(path))
    if stat.S_ISREG(mode):
        with open(path, "rb") as file:
            return file.read()
    return b""


def main() -> None:
    root = os.path.realpath(sys.argv[1])
    forms = [line.encode() for line in sys.stdin.read().splitlines() if line]
    if not forms or min(map(len, forms)) < 16:
        sys.exit("forms of a secret are longer")
    for folder, folders, files in os.walk(root):
        for name in sorted([*folders, *files]):
            path = os.path.join(folder, name)
            state = os.lstat(path)
            facts = f"{state.st_mode & 0o7777:o} {state.st_uid} {state.st_gid}"
            data = contents_of(path, state.st_mode)
            for way in places(name, data, forms):
                print(f"/{os.path.relpath(path, root)}{way} {facts}")


def places(name: str, data: bytes, forms: list[bytes]) -> Iterator[str]:
    if any(form in os.fsencode(name) for form in forms):
        yield "!name"
    yield from ways(data, forms)


if __name__ == "__main__":
    main()
