"""Every word that a reviewer may read is there in every language, with the same places to fill in."""

import gettext
import re
from pathlib import Path

import pytest
from django.conf import settings

from evaluation.models import Remark
from tests import factories

ROOT = Path(settings.BASE_DIR)
SHARED = (
    "base",
    "problem",
    "400",
    "403",
    "403_csrf",
    "404",
    "429",
    "partials/page_header",
    "partials/callout",
)
TEMPLATES = [*sorted((ROOT / "templates/evaluation/review/screen").glob("*.html"))]
TEMPLATES += [
    ROOT / "templates" / f"{name}.html" for name in (*SHARED, "partials/post_button", "partials/messages")
]
SERVICES = [
    ROOT / "evaluation/review/services" / f"{name}.py"
    for name in ("invitations", "assignments", "blinding_check")
]
TRANSLATED = re.compile(r'(?:\{% translate |_\()"((?:[^"\\]|\\.)*)"')
BLOCK = re.compile(r"\{% blocktranslate( trimmed)?[^%]*%\}(.*?)\{% endblocktranslate %\}", re.DOTALL)
REFUSAL = re.compile(r'DomainError\(\s*"\w+",\s*"([^"]+)"\s*[,)]')
# Said to managers by a service that also speaks to reviewers.
OTHERS = ("Reviewers can be invited only while a campaign is open or paused.",)


def spoken() -> set[str]:
    found = {*map(str, Remark.Reason.labels), "Review"}
    for template in TEMPLATES:
        text = template.read_text()
        found |= {*TRANSLATED.findall(text)}
        for trimmed, block in BLOCK.findall(text):
            one = block.partition("{% plural %}")[0].replace(" % ", " %% ")
            one = re.sub(r"\{\{ (\w+) \}\}", r"%(\1)s", one)
            found.add(" ".join(one.split()) if trimmed else one)
    for service in SERVICES:
        found |= {*REFUSAL.findall(service.read_text())}
    return found - {*OTHERS}


def catalogue(code: str) -> dict[str, str]:
    with (ROOT / f"locale/{code}/LC_MESSAGES/django.mo").open("rb") as file:
        entries = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]
    return {(key[0] if isinstance(key, tuple) else key): text for key, text in entries.items()}


def missing(words: set[str], known: dict[str, str]) -> set[str]:
    return {word for word in words if not known.get(word)}


@pytest.mark.parametrize("code", [code for code, _ in settings.LANGUAGES if code != settings.LANGUAGE_CODE])
def test_no_string_is_missing_and_every_place_is_kept(code):
    words, known = spoken(), catalogue(code)
    assert len(words) > 180 and missing(words, known) == set()
    places = re.compile(r"\{\w+\}|%\(\w+\)s")
    assert [w for w in words if sorted(places.findall(w)) != sorted(places.findall(known[w]))] == []


def test_a_new_word_would_be_missed():
    assert missing({"A brand-new word"}, catalogue("de")) == {"A brand-new word"}


def test_the_compiled_catalogue_is_that_of_its_source(tmp_path):
    source = ROOT / "locale/de/LC_MESSAGES/django.po"
    pairs = re.findall(r'^msgid "(.+)"\nmsgstr "(.+)"$', source.read_text(), re.MULTILINE)
    known = catalogue("de")
    plain = {key.replace('\\"', '"'): text.replace('\\"', '"') for key, text in pairs}
    assert len(plain) > 180 and {key: known.get(key) for key in plain} == plain


@pytest.mark.django_db
def test_the_browser_chooses_the_campaign_goes_before_and_staff_pages_stay_english(client):
    campaign = factories.campaign(factories.user("manager"))
    address = f"/r/{campaign.invites.get().code}/"
    german = {"Accept-Language": "de-AT,de;q=0.9"}
    assert "Bewertung beginnen" in client.get(address, headers=german).content.decode()
    assert "Start reviewing" in client.get(address, headers={"Accept-Language": "fr"}).content.decode()
    assert 'lang="de"' in client.get("/r/no-such-link/", headers=german).content.decode()
    campaign.language = "de"
    campaign.save()
    assert "Bewertung beginnen" in client.get(address).content.decode()
    assert 'lang="en"' in client.get("/accounts/login/", headers=german).content.decode()
