from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

# What was computed in parts is now computed end to end: the same rows in each step. Steps of one length are no longer
# offered; such a run can still be looked at and launched again, and then mixes lengths.
RENAMED = {"parted": "padding_free", "grouped": "padded"}


def rename_batchings(apps: Apps, _editor: BaseDatabaseSchemaEditor) -> None:
    run_model = apps.get_model("training", "TrainingRun")
    for run in run_model.objects.filter(config__batching__in=list(RENAMED)).iterator():
        run.config["batching"] = RENAMED[run.config["batching"]]
        run.save(update_fields=["config"])


class Migration(migrations.Migration):
    dependencies = [("training", "0008_imports")]

    operations = [migrations.RunPython(rename_batchings, migrations.RunPython.noop)]
