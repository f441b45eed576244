"""Remote engines: OpenAI-compatible endpoints that only the operator can configure.

Pages and requests never contain an address, so users cannot make a worker connect to a host of their choice. The
file at `GENERATION_ENDPOINTS_FILE` is TOML, one table per endpoint:

    [vllm]
    base_url = "http://gpu1:8000/v1"
    key_variable = "VLLM_KEY"          # the workers' environment variable with the key; optional
    [vllm.models]
    "Qwen base" = "Qwen/Qwen2.5-1.5B-Instruct"   # our name = the endpoint's name, if different
"""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

LOCAL = "local"


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
    extra_body: dict[str, Any] = {}

    @field_validator("base_url")
    @classmethod
    def _url(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
            raise ValueError("write http:// or https://, a host and a path such as /v1; no key and no query")
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
