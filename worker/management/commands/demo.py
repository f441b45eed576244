"""`manage.py demo`: the whole loop on a toy model, then the site."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from evaluation.models import Campaign, Report
from ftplatform import embedded, env
from ftplatform.accounts.models import User
from ftplatform.errors import DomainError
from worker.demo import stages
from worker.demo.display import Display


class Command(BaseCommand):
    help = (
        "Dataset → QLoRA → pairs → blind review → report, on the bundled toy model with simulated reviewers."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--no-serve", action="store_true", help="Stop after the report instead of serving."
        )

    def handle(self, *args: Any, no_serve: bool, **options: Any) -> None:
        port = env.integer("PORT", 8000, minimum=1)
        try:
            display = Display(stages=6)
            with embedded.services(port=None if no_serve else port, say=display.say) as running:
                logins, campaign, report = self._loop(display, running.check)
                self._summary(display, report)
                if not no_serve:
                    running.serve(port)
                    self._where_to_click(display, port, logins, campaign)
                    running.wait()
        except (stages.DemoFailed, DomainError) as error:
            raise CommandError(str(error)) from error

    def _loop(self, display: Display, alive: stages.Alive) -> tuple[list[stages.Login], Campaign, Report]:
        logins = stages.accounts()
        admin, manager = (User.objects.get(email=login.email) for login in logins)
        with display.stage("Demo dataset: e-commerce cases with policies") as show:
            data = stages.dataset(admin, show)
        with display.stage("Demo base model: a toy of a few megabytes") as show:
            base = stages.base_model(admin)
            show.result(f"{base.details['parameters']:,} parameters, {base.details['architecture']}")
        with display.stage("QLoRA training") as show:
            adapter = stages.train(admin, data, base, show, alive)
        with display.stage("Paired responses of base and tuned model") as show:
            run = stages.generate(admin, data, adapter, show, alive)
        with display.stage("Blind review by simulated reviewers") as show:
            campaign = stages.campaign(manager, run, show)
        with display.stage("Report"):
            report = stages.report(manager, campaign)
        return logins, campaign, report

    def _summary(self, display: Display, report: Report) -> None:
        display.say("")
        display.say(f"Verdict: {report.result['sentence']}")
        display.say(
            "         Toy models and simulated reviewers: this shows how everything works, nothing else."
        )
        display.say(f"Report:  {stages.folder() / 'report.json'}")
        display.say(f"         {stages.folder() / 'report.md'}")

    def _where_to_click(
        self, display: Display, port: int, logins: list[stages.Login], campaign: Campaign
    ) -> None:
        site = f"http://127.0.0.1:{port}"
        display.say("")
        display.say(f"The site:       {site}")
        for login in logins:
            display.say(f"  {login.role:<12}  {login.email}  password {login.password}")
        display.say(f"The report:     {site}/campaigns/{campaign.pk}/report/")
        display.say(
            f"Rate yourself:  {site}/r/{campaign.invites.earliest('id').code}/  (best in a private window)"
        )
        display.say("Ctrl-C stops everything.")
