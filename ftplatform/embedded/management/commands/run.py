"""`manage.py run`: the whole site on this machine, without demo data."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from ftplatform import embedded, env
from ftplatform.accounts import services as accounts


class Command(BaseCommand):
    help = "Start the web server, the workers and, unless REDIS_URL is set, a Redis server; Ctrl-C stops all."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--port", type=int, default=None, help="default: PORT from the environment, else 8000"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        port = options["port"] or env.integer("PORT", 8000, minimum=1)
        with embedded.services(port=port, say=self._say) as running:
            running.serve(port)
            email, password = accounts.ensure_admin()
            if password:
                self._say(f"Sign in as {email} with the password {password} (shown only this once).")
            self._say(f"Open {running.url} in a browser; Ctrl-C stops everything.")
            running.wait()

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
