"""A comparison is the job that answers prompts with several models; what it found are its figures."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("evaluation", "0014_narrower_indexes"),
    ]

    operations = [
        migrations.RenameModel("Comparison", "ComparisonFigures"),
        migrations.RenameModel("GenerationRun", "Comparison"),
        migrations.RenameField("PromptSet", "comparisons", "field_rules"),
        migrations.AlterField(
            "Comparison",
            "prompt_set",
            models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="comparisons", to="evaluation.promptset"
            ),
        ),
        migrations.AlterField(
            "ComparisonFigures",
            "run",
            models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="figures", to="evaluation.comparison"
            ),
        ),
        migrations.AlterField(
            "FieldChange",
            "comparison",
            models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="changes",
                to="evaluation.comparisonfigures",
            ),
        ),
    ]
