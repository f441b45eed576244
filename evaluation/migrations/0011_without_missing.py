from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("evaluation", "0010_tags_as_rows")]

    operations = [
        migrations.AddField(
            model_name="generationrun",
            name="without_missing",
            field=models.BooleanField(
                default=False,
                help_text="Somebody decided to compare only the prompts that every model answered.",
            ),
        ),
    ]
