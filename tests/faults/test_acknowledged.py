"""No acknowledged rating is lost when processes are killed: compare the clients' answers with the database."""

import json
import subprocess
import sys

import pytest

from tests import services

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_every_rating_that_was_acknowledged_is_stored_though_processes_are_killed(database, record_property):
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.killed_site", database, "4"],
        cwd=services.ROOT,
        capture_output=True,
        text=True,
        timeout=1200,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    record_property("killed", json.dumps(found["kills"]))
    assert found["kills"].count(database) == (database == "postgresql")
    assert len(found["kills"]) == 4 and found["told"] > 20
    assert {rule: count for rule, count in found["broken"].items() if count} == {}
    assert found["stored"] >= found["told"]
    # Negative control: the check reports a rating that was deleted on purpose.
    assert found["control"] == {"R1 an acknowledged rating is not stored": 1}
