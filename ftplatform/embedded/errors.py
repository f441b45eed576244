"""What can keep the embedded site from running; Django prints `CannotStart: sentence`, exit status 1."""

from django.core.management.base import CommandError


class EmbeddedError(CommandError):
    """What the embedded services have to say to the person at the keyboard."""


class CannotStart(EmbeddedError):
    """Something that a person has to mend first, in one sentence."""


class ServiceDied(EmbeddedError):
    """A service ended although nobody asked it to."""
