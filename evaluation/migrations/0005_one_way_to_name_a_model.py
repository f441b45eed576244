"""Every response, pair and campaign names its model; the columns that said only "candidate" go."""

import django.db.models.deletion
from django.db import migrations, models

MODEL = {"on_delete": django.db.models.deletion.PROTECT, "related_name": "+", "to": "training.modelversion"}


class Migration(migrations.Migration):
    dependencies = [("evaluation", "0004_name_the_candidates")]

    operations = [
        migrations.RemoveField("generationrun", "candidate"),
        migrations.RemoveField("response", "role"),
        migrations.AlterField("response", "model", models.ForeignKey(**MODEL)),
        migrations.AlterField("pair", "candidate_model", models.ForeignKey(**MODEL)),
        migrations.AlterField(
            "campaign",
            "candidate",
            models.ForeignKey(help_text="Which of the run's candidates.", **MODEL),
        ),
        migrations.AddConstraint(
            model_name="response",
            constraint=models.UniqueConstraint(
                fields=("run", "prompt", "model", "sample"), name="response_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="pair",
            constraint=models.UniqueConstraint(
                fields=("run", "prompt", "candidate_model", "sample"), name="pair_once"
            ),
        ),
        migrations.AddIndex(
            model_name="pair",
            index=models.Index(fields=["run", "candidate_model", "sample", "id"], name="pair_list"),
        ),
    ]
