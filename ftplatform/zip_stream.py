"""A ZIP archive generated while it is sent, so that memory use stays constant for files of any size."""

import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from django.http import StreamingHttpResponse

_BLOCK = 1 << 20


class _Sink:
    """Append-only output for `zipfile`, emptied after every block."""

    def __init__(self) -> None:
        self._blocks: list[bytes] = []

    def write(self, data: bytes, /) -> int:
        self._blocks.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing to flush."""

    def close(self) -> None:
        """Nothing to close."""

    def take(self) -> bytes:
        taken, self._blocks = b"".join(self._blocks), []
        return taken


def zip_stream(entries: Iterable[tuple[str, Path | str]]) -> Iterator[bytes]:
    """The archive of (name, file on disk or text) in blocks; uncompressed, because weights do not compress."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for name, content in entries:
            # A fixed date, so that the same content gives the same archive.
            info = zipfile.ZipInfo(name, date_time=(2026, 1, 1, 0, 0, 0))
            info.external_attr = 0o644 << 16
            with archive.open(info, "w", force_zip64=True) as target:
                for block in _blocks(content):
                    target.write(block)
                    yield sink.take()
    yield sink.take()


def _blocks(content: Path | str) -> Iterator[bytes]:
    if isinstance(content, str):
        yield content.encode()
        return
    with content.open("rb") as file:
        while block := file.read(_BLOCK):
            yield block


def attachment(file_name: str, blocks: Iterator[bytes]) -> StreamingHttpResponse:
    """The archive as a download; `file_name` must be plain (a slug with an extension)."""
    headers = {"Content-Disposition": f'attachment; filename="{file_name}"'}
    return StreamingHttpResponse(blocks, content_type="application/zip", headers=headers)
