"""Files as plain UTF-8 bytes: unpacked from gzip or ZIP, and converted from UTF-16, UTF-32 or CP1252.

A small packed file can expand to any size, so it is unpacked in pieces, to disk, and only up to a limit.
"""

import codecs
import gzip
import re
import struct
import tempfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any
from zipfile import BadZipFile

from django.conf import settings

from ftplatform.errors import DomainError
from ftplatform.text.encodings import FIRST_BYTES, not_utf8, wide_encoding
from training.intake.readers.lines import ReadFacts, too_large

_PIECE = 2**18
# Rows of text shrink to a twentieth, equal rows to a two-hundredth. Deflate's limit is a thousandth.
_MOST_TIMES, _ALWAYS_ALLOWED = 400, 64 * 2**20
_MOST_ZIP_DIRECTORY = 2**20
_ZIP_END, _ZIP64 = b"PK\x05\x06", b"PK\x06\x07"
_ZIP_END_BYTES, _ZIP_TAIL = 22, 2**16 + 64
_OTHERS = {b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "Zstandard", b"7z\xbc\xaf": "7z"}
# A surrogate as some programs write it, as if it were a character of UTF-8.
_SURROGATE = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")
_CONTROLS = set("\t\r\n\x00\x0b\x0c\x1a")
_SIDE_FILES = ("__MACOSX/", ".DS_Store")


def plain(file: IO[bytes]) -> tuple[IO[bytes], ReadFacts]:
    """The file itself if it is plain UTF-8 or Parquet, else an unpacked and converted copy, and what was done.

    The copy has no name and vanishes when it is closed. Raises DomainError: `packed_file` (a kind that is not
    unpacked), `damaged_file`, `too_large`, `not_utf8`.
    """
    facts = ReadFacts()
    file.seek(0)
    start = file.readline(FIRST_BYTES)
    for signature, name in _OTHERS.items():
        if start.startswith(signature):
            said = f"The file is compressed ({name}). Unpack it, or pack it with gzip or ZIP."
            raise DomainError("packed_file", said, status=422)
    for signature, name, opened in ((b"\x1f\x8b", "gzip", _gzip), (b"PK\x03\x04", "ZIP", _zip)):
        if start.startswith(signature):
            facts.packed = name
            file = _unpacked(file, opened)
            start = file.readline(FIRST_BYTES)
            if start.startswith((b"\x1f\x8b", b"PK\x03\x04")):
                said = "The packed file holds another packed file. Pack the rows once."
                raise DomainError("packed_file", said, status=422)
    if encoding := _other_encoding(file, start):
        file = _converted(file, encoding)
        facts.encoding = encoding.upper()
    file.seek(0)
    return file, facts


def _other_encoding(file: IO[bytes], start: bytes) -> str:
    if start.startswith(b"PAR1"):
        return ""
    if wide := wide_encoding(start):
        return wide
    return "" if not_utf8(start) else _one_byte_encoding(file)


def _scratch() -> IO[bytes]:
    """A file on the disk of the artefacts, because /tmp is often in memory."""
    folder = Path(settings.ARTEFACT_DIR) / "incoming"
    folder.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryFile(dir=folder)


def _unpacked(file: IO[bytes], opened: Callable[[IO[bytes]], Any]) -> IO[bytes]:
    size = file.seek(0, 2)
    file.seek(0)
    copy, taken = _scratch(), 0
    for piece in _pieces(file, opened):
        taken += len(piece)
        if taken > settings.UPLOAD_MAX_BYTES:
            raise too_large()
        if taken > max(_ALWAYS_ALLOWED, _MOST_TIMES * size):
            said = f"The packed file unpacks to more than {_MOST_TIMES} times its size. Upload it unpacked."
            raise DomainError("too_large", said, status=413)
        copy.write(piece)
    copy.seek(0)
    return copy


def _pieces(file: IO[bytes], opened: Callable[[IO[bytes]], Any]) -> Iterator[bytes]:
    """The content of a packed file. The libraries report damage by many kinds of errors."""
    try:
        with opened(file) as inner:
            while piece := inner.read(_PIECE):
                yield piece
    except (OSError, EOFError, ValueError, RuntimeError, LookupError, zlib.error, struct.error, BadZipFile):
        said = "The packed file is damaged or was cut off. Pack and upload it again."
        raise DomainError("damaged_file", said, status=422) from None


@contextmanager
def _gzip(file: IO[bytes]) -> Iterator[IO[bytes]]:
    with gzip.GzipFile(fileobj=file) as inner:
        yield inner  # type: ignore[misc]


@contextmanager
def _zip(file: IO[bytes]) -> Iterator[IO[bytes]]:
    _require_small_directory(file)
    with zipfile.ZipFile(file) as packed:
        files = [each for each in packed.infolist() if not each.is_dir() and not _is_side_file(each.filename)]
        if len(files) != 1:
            raise _unusable_zip(f"holds {len(files):,} files; pack exactly one")
        if files[0].flag_bits & 1:
            raise _unusable_zip("is protected with a password; pack it without one")
        # The other methods unpack a whole block into memory.
        if files[0].compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise _unusable_zip("uses an uncommon compression; pack it with Deflate")
        with packed.open(files[0]) as inner:
            yield inner


def _is_side_file(name: str) -> bool:
    return name.startswith(_SIDE_FILES[0]) or name.endswith(_SIDE_FILES[1])


def _require_small_directory(file: IO[bytes]) -> None:
    """Refuse a directory of millions of files before it is read into memory."""
    size = file.seek(0, 2)
    file.seek(max(0, size - _ZIP_TAIL))
    tail = file.read(_ZIP_TAIL)
    end = tail.rfind(_ZIP_END)
    if end < 0 or len(tail) - end < _ZIP_END_BYTES:
        raise BadZipFile
    if _ZIP64 in tail or int.from_bytes(tail[end + 12 : end + 16], "little") > _MOST_ZIP_DIRECTORY:
        raise _unusable_zip("holds too many or too large files; pack exactly one, or use gzip")
    file.seek(0)


def _unusable_zip(why: str) -> DomainError:
    return DomainError("packed_file", f"The ZIP file {why}.", status=422)


def _converted(file: IO[bytes], encoding: str) -> IO[bytes]:
    file.seek(0)
    decoder = codecs.getincrementaldecoder(encoding)()
    copy, taken = _scratch(), 0
    try:
        while piece := file.read(_PIECE):
            text = decoder.decode(piece).encode()
            taken += len(text)
            if taken > settings.UPLOAD_MAX_BYTES:
                raise too_large()
            copy.write(text)
        copy.write(decoder.decode(b"", final=True).encode())
    except UnicodeError:
        said = f"The file begins as {encoding.upper()} but is damaged. Save it as UTF-8."
        raise DomainError("not_utf8", said, status=422) from None
    copy.seek(0)
    return copy


def _one_byte_encoding(file: IO[bytes]) -> str:
    """ "cp1252" if the file is surely text in it: bytes that are not UTF-8, and no character that is. A damaged UTF-8
    file has both; its rows are reported instead."""
    file.seek(0)
    decoder = codecs.getincrementaldecoder("utf-8")()
    buffer = bytearray(_PIECE)
    pieces = memoryview(buffer)
    try:
        while size := file.readinto(buffer):  # type: ignore[attr-defined]
            if not decoder.decode(pieces[:size]).isascii():
                return ""
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        return "cp1252" if error.reason != "unexpected end of data" and _is_cp1252(file) else ""
    return ""


def _is_cp1252(file: IO[bytes]) -> bool:
    """Whether every byte is a letter or sign of CP1252, most are ASCII, and none is part of a UTF-8 character."""
    file.seek(0)
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    letters = others = 0
    while piece := file.read(_PIECE):
        text = decoder.decode(piece)
        if not all(sign.isascii() or "\udc80" <= sign <= "\udcff" for sign in set(text)):
            return False
        raw = text.encode("utf-8", "surrogateescape")
        if _SURROGATE.search(raw):
            return False
        try:
            signs = raw.decode("cp1252")
        except UnicodeDecodeError:
            return False
        if any(unicodedata.category(sign) == "Cc" for sign in set(signs) - _CONTROLS):
            return False
        letters += len(signs)
        others += sum(not sign.isascii() for sign in signs)
    # In texts of other one-byte encodings, such as Cyrillic ones, most letters are not ASCII.
    return others * 4 < letters
