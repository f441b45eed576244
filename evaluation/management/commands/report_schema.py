"""`manage.py report_schema`: the JSON Schema of the report, as in docs/report.schema.json."""

import json
from typing import Any

from django.core.management.base import BaseCommand

from evaluation.stats.schema import report_schema


class Command(BaseCommand):
    help = "Print the JSON Schema of the report that `analyze --json` and the report endpoint answer with."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(json.dumps(report_schema(), ensure_ascii=False, indent=1))
