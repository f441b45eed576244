"""A comparison is the job that answers prompts with several models; what it found are its figures.

Constraints and indexes that name a renamed column are made again around it: Django's RenameField leaves them behind.
"""

import django.db.models.deletion
from django.db import migrations, models

CONSTRAINTS = {
    "ComparisonCandidate": [
        models.UniqueConstraint(fields=("comparison", "model"), name="run_candidate_once"),
        models.UniqueConstraint(fields=("comparison", "position"), name="run_candidate_position"),
    ],
    "ComparisonFigures": [
        models.UniqueConstraint(fields=("comparison", "candidate"), name="comparison_once"),
    ],
    "Response": [
        models.UniqueConstraint(fields=("comparison", "prompt", "model", "sample"), name="response_once"),
    ],
    "Timing": [
        models.UniqueConstraint(fields=("comparison", "prompt", "model", "repetition"), name="timing_once"),
    ],
    "Failure": [
        models.UniqueConstraint(fields=("comparison", "prompt", "model", "sample"), name="failure_once"),
    ],
    "Pair": [
        models.UniqueConstraint(
            fields=("comparison", "prompt", "candidate_model", "sample"), name="pair_once"
        ),
    ],
}
INDEXES = {
    "Pair": [
        models.Index(fields=["comparison", "candidate_model", "sample", "id"], name="pair_list"),
        models.Index(fields=["comparison", "candidate_model", "score_change", "id"], name="pair_change"),
    ],
    "FieldChange": [
        models.Index(fields=["figures", "field", "change", "pair"], name="field_change_list"),
    ],
}


def foreign_key(to, related_name):
    return models.ForeignKey(
        on_delete=django.db.models.deletion.CASCADE, related_name=related_name, to=f"evaluation.{to}"
    )


class Migration(migrations.Migration):

    dependencies = [
        ("evaluation", "0014_narrower_indexes"),
    ]

    operations = [
        migrations.RenameModel("Comparison", "ComparisonFigures"),
        migrations.RenameModel("GenerationRun", "Comparison"),
        migrations.RenameModel("RunCandidate", "ComparisonCandidate"),
        *(
            migrations.RemoveConstraint(model, each.name)
            for model, constraints in CONSTRAINTS.items()
            for each in constraints
        ),
        *(migrations.RemoveIndex(model, each.name) for model, indexes in INDEXES.items() for each in indexes),
        *(migrations.RenameField(model, "run", "comparison") for model in [*CONSTRAINTS, "Campaign"]),
        migrations.RenameField("FieldChange", "comparison", "figures"),
        migrations.RenameField("Pair", "baseline", "baseline_response"),
        migrations.RenameField("Pair", "candidate", "candidate_response"),
        migrations.RenameField("PromptSet", "comparisons", "field_rules"),
        *(
            migrations.AddConstraint(model, each)
            for model, constraints in CONSTRAINTS.items()
            for each in constraints
        ),
        *(migrations.AddIndex(model, each) for model, indexes in INDEXES.items() for each in indexes),
        migrations.AlterField(
            "Comparison",
            "prompt_set",
            models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="comparisons", to="evaluation.promptset"
            ),
        ),
        migrations.AlterField(
            "ComparisonCandidate", "comparison", foreign_key("comparison", "comparison_candidates")
        ),
        migrations.AlterField("ComparisonFigures", "comparison", foreign_key("comparison", "figures")),
        migrations.AlterField(
            "ComparisonFigures", "figures", models.JSONField(help_text="See evaluation.scoring.summary.")
        ),
        migrations.AlterField(
            "PromptSet",
            "field_rules",
            models.JSONField(
                default=dict,
                help_text="Field path → how it is compared, see evaluation.scoring.matching.declared.",
            ),
        ),
        *(
            migrations.AlterField("Response", name, models.JSONField(help_text=text, null=True))
            for name, text in (
                ("match", "How it matches, field by field; see evaluation.scoring.scorer."),
                ("measures", "Its text in numbers, see evaluation.scoring.scorer."),
            )
        ),
        migrations.AlterField(
            "Campaign",
            "crowd",
            models.JSONField(
                default=dict, help_text="A crowd platform, see evaluation.review.platforms; {} for none."
            ),
        ),
    ]
