"""Fill the new columns from the one candidate that every run had until now."""

from django.db import migrations
from django.db.models import OuterRef, Subquery


def name_the_candidates(apps, schema_editor):
    Run, RunCandidate, Response, Pair, Campaign = (
        apps.get_model("evaluation", name)
        for name in ("GenerationRun", "RunCandidate", "Response", "Pair", "Campaign")
    )
    RunCandidate.objects.bulk_create(
        RunCandidate(run_id=run, model_id=model) for run, model in Run.objects.values_list("pk", "candidate_id")
    )
    runs = Run.objects.filter(pk=OuterRef("run_id"))
    baseline, candidate = Subquery(runs.values("baseline_id")[:1]), Subquery(runs.values("candidate_id")[:1])
    Response.objects.filter(role="baseline").update(model_id=baseline)
    Response.objects.filter(role="candidate").update(model_id=candidate)
    Pair.objects.update(candidate_model_id=candidate)
    Campaign.objects.update(candidate_id=candidate)


class Migration(migrations.Migration):
    dependencies = [("evaluation", "0003_several_candidates")]

    operations = [migrations.RunPython(name_the_candidates, migrations.RunPython.noop)]
