"""Searches responses, before a campaign opens, for words that may reveal a model.

The same rule applies to both sides: the same words are searched in the baseline's and the candidate's text. A pair in
which either text contains one is held back as a whole, until a manager quarantines it (no reviewer sees it) or
accepts it with a reason.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
from django.db import transaction
from django.utils import timezone

from evaluation.models import Campaign, CampaignAction, IdentityHit, Pair
from ftplatform.accounts import audit
from ftplatform.accounts.models import User
from ftplatform.errors import DomainError
from training.intake.checking import Tell, silent

FAMILIES: tuple[str, ...] = (
    "qwen",
    "qwen2",
    "qwen3",
    "llama",
    "mistral",
    "mixtral",
    "ministral",
    "gemma",
    "gemini",
    "gpt",
    "chatgpt",
)
FAMILIES += (
    "claude",
    "deepseek",
    "falcon",
    "phi-3",
    "phi-4",
    "olmo",
    "yi-34b",
    "baichuan",
    "internlm",
    "chatglm",
)
FAMILIES += ("command-r", "smollm", "stablelm", "vicuna", "alpaca", "nemotron", "granite-3", "tongyi")
ORGANISATIONS = (
    "openai",
    "anthropic",
    "alibaba cloud",
    "meta ai",
    "google deepmind",
    "mistral ai",
    "cohere",
    "deepseek-ai",
    "hugging face",
    "microsoft research",
    "technology innovation institute",
)
SELF_DESCRIPTIONS = (
    "as an ai language model",
    "as a large language model",
    "i am a language model",
    "my training data",
)
ERRORS = (
    "traceback (most recent call last)",
    "cuda out of memory",
    "internal server error",
    "connection refused",
    "rate limit exceeded",
    "<|im_start|>",
    "<|im_end|>",
    "<|endoftext|>",
    "<|eot_id|>",
    "[/inst]",
)
_SHORTEST_NAME = 4  # a model called "a" would match almost every pair
_AT_ONCE = 1000
_Row: TypeAlias = tuple[int, str, str]


def run(*, campaign: Campaign, report_progress: Tell = silent) -> int:
    """Scan all pairs that the campaign can draw; returns how many need a decision. Earlier decisions stay."""
    revealing = revealing_words(campaign)
    decided = {*campaign.identity_hits.exclude(decision="open").values_list("pair_id", flat=True)}
    pairs = Pair.objects.filter(
        comparison=campaign.comparison_id, candidate_model=campaign.candidate, sample=0
    )
    rows = pairs.values_list("pk", "baseline_response__text", "candidate_response__text")
    hits: list[IdentityHit] = []
    for pk, *texts in _suspects(
        _with_progress(rows.iterator(chunk_size=_AT_ONCE), pairs.count(), report_progress), revealing
    ):
        words = [word for text in texts for word in _matches(text, revealing)]
        if words and pk not in decided:
            hits.append(IdentityHit(campaign=campaign, pair_id=pk, words=sorted(set(words))))
    with transaction.atomic():
        campaign.identity_hits.filter(decision="open").delete()
        IdentityHit.objects.bulk_create(hits, batch_size=1000, ignore_conflicts=True)
    return len(hits)


def _with_progress(rows: Iterator[_Row], total: int, report_progress: Tell) -> Iterator[_Row]:
    """Yield the same rows, reporting progress after every 1,000."""
    for number, row in enumerate(rows):
        if number % _AT_ONCE == 0:
            report_progress("Searching for words that may reveal a model", number / total)
        yield row


def revealing_words(campaign: Campaign) -> list[str]:
    """Words that may reveal a model: model families, makers, self-descriptions, errors, and names on this site."""
    run = campaign.comparison
    names = {run.name}
    for model in run.model_versions:
        names |= {model.name, *([model.base.name] if model.base else [])}
        if model.run is not None:
            names.add(model.run.name)
    own = sorted(name.strip().casefold() for name in names if len(name.strip()) >= _SHORTEST_NAME)
    return [*FAMILIES, *ORGANISATIONS, *SELF_DESCRIPTIONS, *ERRORS, *own]


def _suspects(rows: Iterator[_Row], revealing: Iterable[str]) -> Iterator[_Row]:
    """The few rows in which either text contains one of the words, alone or inside another word.

    One automaton for all words scans 100,000 pairs in a third of a second. Searching each word separately takes ten
    times as long, and the exact pattern a hundred times as long as that.
    """
    pattern = "|".join(re.escape(word) for word in revealing)
    while chunk := list(islice(rows, _AT_ONCE)):
        texts = pa.array([_folded(text) for _, *both in chunk for text in both], pa.large_string())
        places = pc.indices_nonzero(pc.match_substring_regex(texts, pattern)).to_pylist()
        yield from (chunk[row] for row in sorted({place // 2 for place in places}))


def _folded(text: str) -> str:
    """The text in lower case, so that a plain search finds everything that the case-insensitive pattern finds."""
    return text.casefold().replace("i\u0307", "i").replace("ı", "i")


def _matches(text: str, revealing: Iterable[str]) -> list[str]:
    """The matching words in a text, in lower case."""
    folded = _folded(text)
    within = [word for word in revealing if word in folded]
    return [match.group().casefold() for match in _pattern(within).finditer(text)] if within else []


def _pattern(words: Iterable[str]) -> re.Pattern[str]:
    """A pattern for any of the words as a whole word. A version may follow directly, as in "Qwen2.5"."""
    return re.compile(
        "|".join(_bounded(word) for word in sorted({*words}, key=len, reverse=True)), re.IGNORECASE
    )


def _bounded(word: str) -> str:
    letter = r"[^\W\d_]"
    before = f"(?<!{letter})" if word[0].isalpha() else ""
    after = f"(?!{letter})" if word[-1].isalpha() else ""
    return f"{before}{re.escape(word)}{after}"


def require_decided(*, campaign: Campaign, report_progress: Tell = silent) -> None:
    """Scan, and raise DomainError `identity_words` while pairs await a decision."""
    waiting = run(campaign=campaign, report_progress=report_progress)
    if waiting:
        raise DomainError(
            "identity_words",
            f"{waiting:,} of the pairs contain words that may reveal a model. Quarantine these pairs or accept them "
            "with a reason, then open the campaign.",
            problems=[
                {"field": f"pair {hit.pair_id}", "message": f"Contains {', '.join(hit.words)}."}
                for hit in campaign.identity_hits.filter(decision="open")[:20]
            ],
        )


def quarantined(campaign: Campaign) -> set[int]:
    """Pairs that no reviewer of this campaign may see."""
    return {*campaign.identity_hits.filter(decision="quarantined").values_list("pair_id", flat=True)}


@transaction.atomic
def decide(
    *, campaign: Campaign, user: User, decision: str, reason: str = "", pairs: Iterable[int] | None = None
) -> int:
    """Quarantine or accept the matches of these pairs, or all open matches; returns their number.

    Raises DomainError `campaign_frozen` once the campaign has opened, `invalid_decision`, `reason_missing` for an
    acceptance.
    """
    campaign = Campaign.objects.select_for_update().get(pk=campaign.pk)
    if not campaign.allows(CampaignAction.CHECK_WORDS):
        raise DomainError(
            "campaign_frozen", "The campaign is open or opening; the pairs it shows can no longer change."
        )
    if decision not in (IdentityHit.Decision.QUARANTINED, IdentityHit.Decision.ACCEPTED):
        raise DomainError("invalid_decision", "Quarantine the pairs or accept them.", status=400)
    if decision == IdentityHit.Decision.ACCEPTED and not reason.strip():
        raise DomainError(
            "reason_missing", "Give a reason for accepting these words. It is kept on record.", status=400
        )
    hits = (
        campaign.identity_hits.filter(decision="open")
        if pairs is None
        else campaign.identity_hits.filter(pair__in=pairs)
    )
    changed = [hit.pair_id for hit in hits]
    hits.update(decision=decision, reason=reason.strip(), decided_by=user, decided_at=timezone.now())
    audit.record(
        actor=user,
        action=f"campaign.identity_{decision}",
        target=campaign,
        reason=reason.strip(),
        pairs=changed,
    )
    return len(changed)
