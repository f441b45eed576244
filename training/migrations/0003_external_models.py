from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("training", "0002_samples_retries_merges")]

    operations = [
        migrations.AlterField(
            model_name="modelversion",
            name="kind",
            field=models.CharField(
                choices=[
                    ("base", "Base model"),
                    ("adapter", "Adapter"),
                    ("merged", "Merged model"),
                    ("external", "External system"),
                ],
                max_length=10,
            ),
        ),
        migrations.AlterField(
            model_name="modelversion",
            name="path",
            field=models.CharField(
                blank=True, help_text="Folder with safetensors, as the workers see it.", max_length=1000
            ),
        ),
        migrations.AlterField(
            model_name="modelversion",
            name="weights_hash",
            field=models.CharField(blank=True, max_length=64),
        ),
        migrations.RemoveConstraint(model_name="modelversion", name="model_lineage"),
        migrations.AddConstraint(
            model_name="modelversion",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("base__isnull", True), ("kind", "base"), ("run__isnull", True), ("source__isnull", True)
                    ),
                    models.Q(("base__isnull", False), ("kind", "adapter"), ("source__isnull", True)),
                    models.Q(
                        ("base__isnull", False), ("kind", "merged"), ("run__isnull", True), ("source__isnull", False)
                    ),
                    models.Q(
                        ("base__isnull", True), ("kind", "external"), ("run__isnull", True), ("source__isnull", True)
                    ),
                    _connector="OR",
                ),
                name="model_lineage",
            ),
        ),
    ]
