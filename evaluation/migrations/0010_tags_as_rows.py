from django.db import migrations


def tags_as_rows(apps, schema_editor):
    prompts, rows = (apps.get_model('evaluation', name) for name in ('Prompt', 'PromptTag'))
    waiting = []
    for pk, prompt_set, tags in prompts.objects.values_list('pk', 'prompt_set_id', 'tags').iterator(chunk_size=2000):
        own = {name[:200]: value[:60] for name, value in tags.items()}
        waiting += [rows(prompt_set_id=prompt_set, prompt_id=pk, name=n, value=v) for n, v in own.items()]
        if len(waiting) > 5000:
            rows.objects.bulk_create(waiting, batch_size=1000)
            waiting = []
    rows.objects.bulk_create(waiting, batch_size=1000)


class Migration(migrations.Migration):

    dependencies = [
        ('evaluation', '0009_prompt_tag_rows'),
    ]

    operations = [
        migrations.RunPython(tags_as_rows, migrations.RunPython.noop),
    ]
