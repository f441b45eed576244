"""Generation runs: what may be compared, what a worker stores, what becomes a pair."""

import pytest

from evaluation import rubrics
from evaluation.models import Pair, Response
from evaluation.services import campaigns, generation, responses
from ftplatform.errors import DomainError
from ftplatform.jobs import services as jobs
from tests import factories
from training.config import DecodingConfig

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    return factories.user("admin")


def launch(owner, *candidates, **options):
    return generation.launch(
        user=owner,
        name="run",
        prompt_set=factories.prompt_set(owner, 2),
        candidates=list(candidates),
        decoding=DecodingConfig(),
        **options,
    )


def claimed(run):
    claim = jobs.claim_next(queue=run.queue, worker="test")
    assert claim is not None and claim.job_id == run.pk
    return claim


def refusal(owner, *candidates, **options):
    with pytest.raises(DomainError) as caught:
        launch(owner, *candidates, **options)
    return caught.value


def test_several_candidates_share_the_baselines_responses(owner):
    run = factories.generation_run(owner, prompts=3, candidates=2, samples=2)
    assert run.responses.count() == 3 * 3 * 2
    assert run.pairs.count() == 3 * 2 * 2
    for model in run.candidates:
        pairs = Pair.objects.filter(run=run, candidate_model=model).select_related("baseline", "candidate")
        assert {(pair.prompt_id, pair.sample) for pair in pairs} == {
            (prompt.pk, sample) for prompt in run.prompt_set.prompts.all() for sample in (0, 1)
        }
        for pair in pairs:
            assert (pair.baseline.model_id, pair.candidate.model_id) == (run.baseline_id, model.pk)
            assert pair.baseline.sample == pair.candidate.sample == pair.sample


def test_the_candidates_base_is_the_baseline_unless_told(owner):
    candidate = factories.adapter(owner)
    earlier = factories.adapter(owner, base=candidate.base)
    assert launch(owner, candidate).baseline == candidate.base
    assert launch(owner, candidate, baseline=earlier).baseline == earlier


def test_an_adapter_of_another_base_is_refused_by_name(owner):
    candidate, stranger = factories.adapter(owner), factories.adapter(owner)
    error = refusal(owner, candidate, stranger)
    assert error.code == "adapter_other_base"
    for name in (stranger.name, str(stranger.base), str(candidate.base)):
        assert name in error.detail


def test_templates_that_differ_are_refused_with_both_hashes(owner):
    base = factories.base_model(owner)
    one, other = (
        factories.adapter(
            owner,
            base=base,
            run=factories.training_run(owner, base_model=base, facts={"template_hash": mark * 64}),
        )
        for mark in "ab"
    )
    error = refusal(owner, one, other)
    assert error.code == "template_mismatch"
    assert "a" * 64 in error.detail and "b" * 64 in error.detail


def test_what_makes_no_comparison_is_refused(owner):
    candidate = factories.adapter(owner)
    many = [factories.adapter(owner, base=candidate.base) for _ in range(9)]
    external = factories.external_model(owner)
    assert refusal(owner).code == "no_candidate"
    assert refusal(owner, *many).code == "too_many_candidates"
    assert refusal(owner, candidate.base).code == "no_baseline"
    assert refusal(owner, candidate, candidate).code == "same_model"
    assert refusal(owner, candidate, baseline=candidate).code == "same_model"
    assert refusal(owner, external, baseline=candidate.base).code == "not_local"


def test_what_remains_is_every_response_not_yet_there(owner):
    run = factories.generation_run(owner, prompts=2, finished=False)
    claim = claimed(run)
    first, second = run.prompt_set.prompts.all()
    responses.record_responses(claim, [factories.response(run, first, run.candidate)])
    assert [(item["prompt_id"], item["wanted"]) for item in responses.remaining(run)[0]] == [
        (first.pk, [(str(run.baseline_id), 0)]),
        (second.pk, [(str(run.baseline_id), 0), (str(run.candidate.pk), 0)]),
    ]


def test_the_first_response_stays(owner):
    run = factories.generation_run(owner, prompts=1, finished=False)
    claim, prompt = claimed(run), run.prompt_set.prompts.get()
    for text in ("first", "second"):
        responses.record_responses(claim, [factories.response(run, prompt, run.candidate, text=text)])
    assert Response.objects.get().text == "first"


def test_an_answer_to_a_prompt_of_another_set_is_refused_by_name(owner):
    run = factories.generation_run(owner, prompts=1, finished=False)
    claim, stranger = claimed(run), factories.prompt_set(owner, 1).prompts.get()
    good = factories.response(run, run.prompt_set.prompts.get(), run.baseline)
    with pytest.raises(DomainError) as caught:
        responses.record_responses(claim, [good, factories.response(run, stranger, run.baseline)])
    assert caught.value.code == "unknown_prompt" and str(stranger.pk) in caught.value.detail
    assert not Response.objects.exists()


def test_no_pairs_before_every_model_has_answered(owner):
    run = factories.generation_run(owner, prompts=1, finished=False, candidates=2)
    claim, prompt = claimed(run), run.prompt_set.prompts.get()
    for model in run.model_versions[:-1]:
        responses.record_responses(claim, [factories.response(run, prompt, model)])
    with pytest.raises(DomainError) as caught:
        responses.complete(claim, {})
    assert caught.value.code == "incomplete" and not Pair.objects.exists()


# --- campaigns choose one candidate ------------------------------------------------------------------------


def test_a_campaign_reviews_one_candidate_of_several(owner):
    run = factories.generation_run(owner, prompts=3, candidates=2, samples=2)
    rubric = rubrics.builtin("customer_support")
    options = {"user": owner, "title": "Replies", "run": run, "overlap": 1, "rubric_text": rubric}
    with pytest.raises(DomainError) as caught:
        campaigns.create(**options)
    assert caught.value.code == "choose_candidate" and run.candidates[1].name in caught.value.detail
    campaign = campaigns.create(**options, candidate=run.candidates[1])
    campaigns.open_campaign(campaign=campaign, user=owner)
    items = campaign.items.select_related("pair")
    assert {(item.pair.candidate_model_id, item.pair.sample) for item in items} == {(run.candidates[1].pk, 0)}
    assert len({item.pair.prompt_id for item in items}) == 3


def test_a_campaign_refuses_a_candidate_that_the_run_does_not_have(owner):
    with pytest.raises(DomainError) as caught:
        campaigns.create(
            user=owner,
            title="Replies",
            run=factories.generation_run(owner),
            candidate=factories.adapter(owner),
            rubric_text=rubrics.builtin("customer_support"),
            overlap=1,
        )
    assert caught.value.code == "foreign_candidate"
