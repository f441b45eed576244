from django.db import migrations, models
from django.db.models import OuterRef, Subquery


def copy_kinds(apps, schema_editor):
    item = apps.get_model("evaluation", "ReviewItem").objects.filter(pk=OuterRef("item"))
    assignments = apps.get_model("evaluation", "Assignment").objects
    assignments.exclude(item__kind="real").update(kind=Subquery(item.values("kind")[:1]))


class Migration(migrations.Migration):
    dependencies = [("evaluation", "0011_without_missing")]

    operations = [
        migrations.AddField(
            model_name="assignment",
            name="kind",
            field=models.CharField(
                choices=[
                    ("real", "Real pair"),
                    ("degraded", "One side broken"),
                    ("repeat", "Swapped repeat"),
                    ("identical", "Identical sides"),
                    ("check", "Instruction check"),
                ],
                default="real",
                help_text="Its item's.",
                max_length=10,
            ),
        ),
        migrations.RunPython(copy_kinds, migrations.RunPython.noop),
        migrations.AlterField(
            model_name="assignment",
            name="reviewer",
            field=models.ForeignKey(
                db_index=False,
                on_delete=models.CASCADE,
                related_name="assignments",
                to="evaluation.reviewer",
            ),
        ),
        migrations.AddIndex(
            model_name="assignment",
            index=models.Index(
                fields=["reviewer", "status", "kind", "candidate_left"], name="assignment_behind"
            ),
        ),
    ]
