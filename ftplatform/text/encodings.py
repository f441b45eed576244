"""Detect from its first bytes that a file is not UTF-8 text. Pure: no framework is imported here."""

FIRST_BYTES = 512
_OTHER = "{}; save it as UTF-8 (in a spreadsheet: “CSV UTF-8”)"
_UTF_16, _UTF_32 = _OTHER.format("it is UTF-16"), _OTHER.format("it is UTF-32")
# Longer marks first: the UTF-32 mark begins with the UTF-16 mark.
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
_WIDE = {
    b"\xff\xfe\0\0": "utf-32",
    b"\0\0\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
# English text in UTF-16 has a NUL next to every letter; a stray NUL in UTF-8 has none nearby.
_MANY_NULS = 0.2


def not_utf8(start: bytes) -> str:
    """Why a file that begins with `start` (up to FIRST_BYTES of it) is not UTF-8 text, such as "it is UTF-16; save
    it as UTF-8"; "" if no problem is found. Invalid bytes further on are left to the code that reads the lines."""
    for mark, why in _MARKS.items():
        if start.startswith(mark):
            return why
    nuls = _nuls(start)
    if not nuls:
        return ""
    if 0 in nuls:
        return _UTF_16
    return "it holds many NUL bytes, as UTF-32 and binary files do; save it as text in UTF-8"


def wide_encoding(start: bytes) -> str:
    """The codec of a file that begins with `start` if it surely is UTF-16 or UTF-32, else ""."""
    for mark, codec in _WIDE.items():
        if start.startswith(mark):
            return codec
    nuls = _nuls(start)
    if 0 not in nuls:
        return ""
    return "utf-16-le" if nuls[1] else "utf-16-be"


def _nuls(start: bytes) -> list[int]:
    """The number of NUL bytes at even and at odd places; nothing if there are few."""
    nuls = [start[place::2].count(0) for place in (0, 1)]
    return nuls if start and sum(nuls) >= _MANY_NULS * len(start) else []
