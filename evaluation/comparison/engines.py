"""Remote engines: OpenAI-compatible endpoints that only the operator can configure.

Pages and requests never contain an address, so users cannot make a worker connect to a host of their choice. The
file at `GENERATION_ENDPOINTS_FILE` is TOML, one table per endpoint:

    [vllm]
    base_url = "http://gpu1:8000/v1"
    key_variable = "VLLM_KEY"          # the workers' environment variable with the key; optional
    [vllm.parameters]
    max_tokens = "max_completion_tokens"         # another name for it at this endpoint
    seed = ""                                    # left out
    [vllm.models]
    "Qwen base" = "Qwen/Qwen2.5-1.5B-Instruct"   # our name = the endpoint's name, if different
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from training.config import REQUEST_PARAMETERS

LOCAL = "local"
# What a request has beside its parameters.
_TAKEN = frozenset({"model", "messages", "tools", "stream", "stream_options"})
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,59}", re.ASCII)


class Endpoint(BaseModel):
    """Connection settings of one endpoint. Times are in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_url: str
    key_variable: str = Field("", pattern=r"^([A-Za-z_][A-Za-z0-9_]*)?$")
    models: dict[str, str] = {}
    timeout_seconds: float = Field(120, gt=0, le=3600)
    attempts: int = Field(4, ge=1, le=20)
    concurrency: int = Field(8, ge=1, le=256)
    patience_seconds: float = Field(300, ge=0, le=86_400)
    parameters: dict[str, str] = {}
    extra_body: dict[str, Any] = {}

    @field_validator("base_url")
    @classmethod
    def _url(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
            raise ValueError("write http:// or https://, a host and a path such as /v1; no key and no query")
        return value

    @field_validator("parameters")
    @classmethod
    def _parameters(cls, value: dict[str, str]) -> dict[str, str]:
        check_parameters(value)
        return value

    def served_name(self, model: str) -> str:
        return self.models.get(model, model)


def configured() -> dict[str, Endpoint]:
    """All endpoints by name; raises ImproperlyConfigured for an invalid table."""
    endpoints = {}
    for name, values in settings.GENERATION_ENDPOINTS.items():
        if name == LOCAL or len(name) > 60 or not isinstance(values, dict):
            raise ImproperlyConfigured(
                f"The generation endpoint {name!r} must be a table with another name than {LOCAL!r}."
            )
        try:
            endpoints[name] = Endpoint.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise ImproperlyConfigured(f"The generation endpoint {name}, {place}: {first['msg']}.") from error
    return endpoints


def check_parameters(parameters: Mapping[str, str]) -> None:
    """Raise ValueError unless each is a request parameter with a free name, or with none, which leaves it out."""
    for parameter, name in parameters.items():
        if parameter not in REQUEST_PARAMETERS:
            raise ValueError(
                f"{parameter} is no request parameter; rename or leave out {', '.join(REQUEST_PARAMETERS)}"
            )
        if name and not _NAME.fullmatch(name):
            raise ValueError(
                f"{parameter} cannot be called {name}; a name has letters, digits and underscores, at most 60"
            )
    names = [name for each in REQUEST_PARAMETERS if (name := parameters.get(each, each))]
    for number, name in enumerate(names):
        if name in _TAKEN or name in names[:number]:
            raise ValueError(f"two parts of a request would be called {name}; choose another name")
