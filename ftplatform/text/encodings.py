"""What a file's first bytes show when it is not text in UTF-8. Pure: no framework is imported here."""

FIRST_BYTES = 512
_OTHER = "{}; save it as UTF-8 (in a spreadsheet: “CSV UTF-8”)"
_UTF_16, _UTF_32 = _OTHER.format("it is UTF-16"), _OTHER.format("it is UTF-32")
# Longer marks first: that of UTF-32 begins with that of UTF-16.
_MARKS = {
    b"\xff\xfe\0\0": _UTF_32,
    b"\0\0\xfe\xff": _UTF_32,
    b"\xff\xfe": _UTF_16,
    b"\xfe\xff": _UTF_16,
    b"\x89PNG": "it is a picture (PNG) and not text",
    b"\xff\xd8\xff": "it is a picture (JPEG) and not text",
    b"GIF8": "it is a picture (GIF) and not text",
    b"%PDF": "it is a PDF document; save its table as CSV in UTF-8",
    b"\xd0\xcf\x11\xe0": "it is a document of an office program; save it as CSV in UTF-8",
}
# Text in UTF-16 has a NUL beside every letter of English; a mistaken one in UTF-8 stands alone.
_MANY_NULS = 0.2


def not_utf8(start: bytes) -> str:
    """Why a file that begins with `start` (up to FIRST_BYTES of it) is not text in UTF-8, as "it is UTF-16; save it as
    UTF-8"; empty when nothing shows. Bytes that are not valid further on are for whoever reads the lines."""
    for mark, why in _MARKS.items():
        if start.startswith(mark):
            return why
    nuls = [start[place::2].count(0) for place in (0, 1)]
    if sum(nuls) < _MANY_NULS * len(start) or not start:
        return ""
    if 0 in nuls:
        return _UTF_16
    return "it holds many NUL bytes, as UTF-32 and binary files do; save it as text in UTF-8"
