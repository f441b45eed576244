"""Measures of a text: figures that can be counted by hand, and a search that is saved only where it finds nothing."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.scoring.measures import measure
from evaluation.scoring.measures.tone import _EMPATHY, _POLITENESS, EMPATHY, POLITENESS, SIGNS, tone

# Every way in which a cue can be written, one after the other; a cue of the lexicon without a line here fails below.
WRITTEN = {
    "gratitude": "thank you|thanks|grateful|appreciated",
    "apology": "Sorry|apologies|apologise|apologized|excuse me|forgive|regret",
    "please": "Please|kindly",
    "greeting": "Hello|hi|dear|good evening|welcome",
    "deference": "great question|good point|of course|gladly|my pleasure",
    "indirect request": "could you|would you mind|if you like|may we",
    "hedge": "perhaps|maybe|might|possibly|it seems|i believe",
    "shared identity": "we’ll|our|together|let's",
    "emotional reaction": "very sorry to hear|glad that|this must be so frustrating",
    "interpretation": "I can completely understand|we see|understandably|you're right to|you must feel",
    "exploration": "can you tell|how do you feel|what happened|what would help|what can i do|is there anything else",
}
VOCABULARY = sorted({word for line in WRITTEN.values() for word in line.replace("|", " ").split()})


@pytest.mark.parametrize("kind", SIGNS)
def test_every_way_of_a_cue_is_found(kind):
    lexicon = POLITENESS if kind in POLITENESS else EMPATHY
    ways = WRITTEN[kind].split("|")
    assert len(ways) >= len(lexicon[kind])
    for way in ways:
        assert kind in [*tone(way)[0], *tone(way)[1]], way


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from([*VOCABULARY, "the", "order", "help", "_", "-", ".", "’"])).map(" ".join))
def test_the_quick_look_never_hides_what_a_search_finds(text):
    searched = [
        [kind for kind, cues in lexicon.items() if cues.search(text.lower())]
        for lexicon in (_POLITENESS, _EMPATHY)
    ]
    assert list(tone(text)) == searched


def test_a_text_in_numbers():
    found = measure("We are sorry to hear that. Please tell us what happened!")
    assert (found.words, found.politeness, found.empathy) == (11, 3, 2)
    # Eleven words, two sentences, fourteen syllables.
    assert found.reading_ease == pytest.approx(206.835 - 1.015 * 11 / 2 - 84.6 * 14 / 11, abs=0.01)
    assert measure("").reading_ease is None
