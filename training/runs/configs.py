"""Turn requested values into a frozen configuration."""

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from ftplatform.errors import DomainError

C = TypeVar("C", bound=BaseModel)


def check(config: type[C], values: dict[str, Any]) -> C:
    """The configuration with these values; raises DomainError `invalid_config` naming each bad field."""
    try:
        return config.model_validate(values)
    except ValidationError as error:
        problems = [
            {"field": ".".join(map(str, item["loc"])) or "config", "message": item["msg"]}
            for item in error.errors()
        ]
        raise DomainError(
            "invalid_config", "Some settings are not valid.", status=400, problems=problems
        ) from None
