"""Temporary storage for large request bodies: on the disk of the artefacts, because /tmp is often in memory.

No more is stored than an upload may have, because a body is read before the sender is known.
"""

import tempfile
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import TemporaryUploadedFile, UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, TemporaryFileUploadHandler


class _OnArtefactDisk(TemporaryUploadedFile):
    def __init__(self, name: str, content_type: str | None, charset: str | None, extra: Any) -> None:
        folder = Path(settings.ARTEFACT_DIR) / "incoming"
        folder.mkdir(parents=True, exist_ok=True)
        file = tempfile.NamedTemporaryFile(dir=folder)  # noqa: SIM115 (closing it removes it, at the request's end)
        UploadedFile.__init__(self, file, name, content_type, 0, charset, extra)


class ArtefactDiskHandler(TemporaryFileUploadHandler):
    def new_file(self, *args: Any, **kwargs: Any) -> None:
        FileUploadHandler.new_file(self, *args, **kwargs)
        self.file = _OnArtefactDisk(
            str(self.file_name), self.content_type, self.charset, self.content_type_extra
        )

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes | None:
        # Data beyond the limit is discarded but counted, so that the size check can report the size.
        if start > settings.UPLOAD_MAX_BYTES:
            return None
        return super().receive_data_chunk(raw_data, start)
