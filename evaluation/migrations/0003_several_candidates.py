"""A run may compare several candidates, with several samples each: new columns beside the old ones."""

import django.db.models.deletion
from django.db import migrations, models

MODEL = {"on_delete": django.db.models.deletion.PROTECT, "related_name": "+", "to": "training.modelversion"}


class Migration(migrations.Migration):
    dependencies = [("evaluation", "0002_campaign_life"), ("training", "0003_external_models")]

    operations = [
        migrations.CreateModel(
            name="RunCandidate",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("position", models.PositiveSmallIntegerField(default=0)),
                (
                    "model",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="compared_in",
                        to="training.modelversion",
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="run_candidates",
                        to="evaluation.generationrun",
                    ),
                ),
            ],
            options={"ordering": ["position"]},
        ),
        migrations.AddConstraint(
            model_name="runcandidate",
            constraint=models.UniqueConstraint(fields=("run", "model"), name="run_candidate_once"),
        ),
        migrations.AddConstraint(
            model_name="runcandidate",
            constraint=models.UniqueConstraint(fields=("run", "position"), name="run_candidate_position"),
        ),
        migrations.AddField(
            model_name="generationrun",
            name="engine",
            field=models.CharField(
                default="local", help_text="local, or the name of a configured endpoint.", max_length=60
            ),
        ),
        migrations.AddField("campaign", "candidate", models.ForeignKey(null=True, **MODEL)),
        migrations.RemoveConstraint("response", "response_once"),
        migrations.AddField("response", "model", models.ForeignKey(null=True, **MODEL)),
        migrations.AddField(
            "response",
            "sample",
            models.PositiveSmallIntegerField(default=0, help_text="0 for the first response to a prompt."),
        ),
        migrations.RenameField("response", "latency_ms", "batch_latency_ms"),
        migrations.AlterField(
            "response",
            "batch_latency_ms",
            models.FloatField(
                help_text="From the start of its batch to its own end, among others: throughput, not what a user waits.",
                null=True,
            ),
        ),
        migrations.AlterField("response", "input_tokens", models.PositiveIntegerField(null=True)),
        migrations.AlterField("response", "output_tokens", models.PositiveIntegerField(null=True)),
        migrations.AlterField("response", "batch_size", models.PositiveIntegerField(null=True)),
        migrations.AlterField(
            "response",
            "finish_reason",
            models.CharField(
                choices=[
                    ("stop", "Ended by itself"),
                    ("length", "Cut at the limit"),
                    ("filter", "Cut by the engine's content filter"),
                    ("unknown", "Not recorded"),
                ],
                default="unknown",
                max_length=10,
            ),
        ),
        migrations.RemoveConstraint("pair", "pair_once"),
        migrations.AddField("pair", "candidate_model", models.ForeignKey(null=True, **MODEL)),
        migrations.AddField("pair", "sample", models.PositiveSmallIntegerField(default=0)),
        migrations.AlterField(
            "pair",
            "baseline",
            models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="+", to="evaluation.response"
            ),
        ),
        migrations.CreateModel(
            name="Timing",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("repetition", models.PositiveSmallIntegerField(default=0)),
                (
                    "place",
                    models.PositiveIntegerField(
                        default=0, help_text="Place in the order in which all were measured."
                    ),
                ),
                ("input_tokens", models.PositiveIntegerField(null=True)),
                ("output_tokens", models.PositiveIntegerField(null=True)),
                (
                    "first_token_ms",
                    models.FloatField(help_text="From the request to the first token.", null=True),
                ),
                ("total_ms", models.FloatField(help_text="From the request to the end of the response.")),
                ("model", models.ForeignKey(**MODEL)),
                (
                    "prompt",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="evaluation.prompt"
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="timings",
                        to="evaluation.generationrun",
                    ),
                ),
            ],
            options={"ordering": ["place", "id"]},
        ),
        migrations.AddConstraint(
            model_name="timing",
            constraint=models.UniqueConstraint(
                fields=("run", "prompt", "model", "repetition"), name="timing_once"
            ),
        ),
        migrations.CreateModel(
            name="Failure",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("sample", models.PositiveSmallIntegerField(default=0)),
                ("code", models.CharField(max_length=60)),
                ("message", models.TextField()),
                ("at", models.DateTimeField(auto_now=True)),
                ("model", models.ForeignKey(**MODEL)),
                (
                    "prompt",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="evaluation.prompt"
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="failures",
                        to="evaluation.generationrun",
                    ),
                ),
            ],
            options={"ordering": ["id"]},
        ),
        migrations.AddConstraint(
            model_name="failure",
            constraint=models.UniqueConstraint(
                fields=("run", "prompt", "model", "sample"), name="failure_once"
            ),
        ),
    ]
