"""Errors that stop the embedded site. Django prints `CannotStart: sentence` and exits with status 1."""

from django.core.management.base import CommandError


class EmbeddedError(CommandError):
    """An error of the embedded services, with a message for the user of the command line."""


class CannotStart(EmbeddedError):
    """A problem that the user has to fix first, described in one sentence."""


class ServiceDied(EmbeddedError):
    """A service ended without being asked to."""
