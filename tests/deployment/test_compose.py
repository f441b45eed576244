"""The compose file promises: the same commands as everywhere, nothing privileged, no secret with a default."""

import re

import pytest
import yaml

from ftplatform.embedded import commands
from tests.deployment import compose
from tests.services import ROOT

SERVICES = compose.services()
WORKERS = ("worker-gpu", "worker-cpu", "worker-endpoint")


def test_the_services_are_the_ones_documented():
    assert set(SERVICES) == {"migrate", "web", *WORKERS, "postgres", "redis"}


def test_the_entry_commands_are_the_embedded_sites():
    assert SERVICES["web"]["command"] == commands.web("0.0.0.0:8000", python="python")
    assert SERVICES["worker-gpu"]["command"] == commands.worker("gpu", python="python")
    assert SERVICES["worker-cpu"]["command"] == commands.worker("cpu", beat=True, python="python")
    assert SERVICES["worker-endpoint"]["command"] == commands.worker("endpoint", python="python")


def test_exactly_one_service_carries_the_beat():
    assert [name for name, service in SERVICES.items() if "--beat" in service.get("command", [])] == [
        "worker-cpu"
    ]


def test_the_images_default_commands_are_the_same():
    dockerfile = (ROOT / "Dockerfile").read_text()
    found = [yaml.safe_load(line) for line in re.findall(r"^CMD (\[.*\])$", dockerfile, re.MULTILINE)]
    assert found == [commands.web("0.0.0.0:8000", python="python"), commands.worker("gpu", python="python")]
    final_stages = re.split(r"^FROM ", dockerfile, flags=re.MULTILINE)[-2:]
    assert all("\nUSER ftplatform\n" in stage for stage in final_stages)
    assert "worker-dependencies" not in final_stages[0], "the web image must not carry PyTorch"


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_hardened(name: str):
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["user"] not in {"root", "0", 0}
    assert "privileged" not in service
    assert name == "migrate" or service["healthcheck"]["test"]


def test_only_the_web_is_published_and_only_on_the_loopback_address():
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert list(published) == ["web"]
    assert all(port.startswith("127.0.0.1:") for port in published["web"])


def test_no_secret_has_a_default():
    asked = compose.variables()
    assert {name for name, kind in asked.items() if kind == "?"} == {
        "SECRET_KEY",
        "POSTGRES_PASSWORD",
        "REDIS_PASSWORD",
        "ALLOWED_HOSTS",
    }
    assert {name for name, kind in asked.items() if kind != "?"} == {"PORT", "GENERATION_ENDPOINTS_FILE"}


def test_everything_waits_for_the_migration():
    for name in ("web", *WORKERS):
        assert SERVICES[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}


def test_the_broker_forgets_nothing():
    command = SERVICES["redis"]["command"]
    assert command[command.index("--appendonly") + 1] == "yes"
    assert command[command.index("--maxmemory-policy") + 1] == "noeviction"
