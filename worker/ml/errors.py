"""The one error type that a run shows to a person."""


class MlError(Exception):
    """Something a person can mend: `code` is stable, the message is one sentence with what, where and how."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
