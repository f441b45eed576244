"""The only error type whose message a run shows to users."""


class MlError(Exception):
    """An error that the user can fix: `code` is stable, the message is one sentence with what, where and how."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
