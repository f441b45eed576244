"""Cues of politeness and empathy in English text: our own small lexicon, with categories from the literature.

Politeness: those of the twenty strategies of Danescu-Niculescu-Mizil et al. (2013), A computational approach
to politeness with application to social factors, ACL, that a customer reply can show. Empathy: the three
mechanisms of Sharma et al. (2020), A computational approach to understanding empathy expressed in text-based
mental health support, EMNLP (EPITOME): emotional reaction, interpretation, exploration.
"""

import re

POLITENESS: dict[str, tuple[str, ...]] = {
    "gratitude": (r"thank(?:s| you)?", r"grateful", r"appreciate[sd]?"),
    "apology": (r"sorry", r"apolog(?:y|ies|i[sz]e[sd]?)", r"excuse (?:me|us)", r"forgive", r"regret"),
    "please": (r"please", r"kindly"),
    "greeting": (r"hello", r"hi", r"dear", r"good (?:morning|afternoon|evening|day)", r"welcome"),
    "deference": (
        r"great question",
        r"good (?:question|point)",
        r"of course",
        r"gladly",
        r"(?:my|our) pleasure",
    ),
    "indirect request": (
        r"(?:could|would) you",
        r"would you mind",
        r"if you (?:could|would|like)",
        r"may (?:i|we)",
    ),
    "hedge": (r"perhaps", r"maybe", r"might", r"possibly", r"it (?:seems|appears)", r"i (?:think|believe)"),
    "shared identity": (r"we(?:['’](?:ll|re|ve|d))?", r"our", r"together", r"let['’]s"),
}
EMPATHY: dict[str, tuple[str, ...]] = {
    "emotional reaction": (
        r"(?:so |very |truly |really |deeply )?sorry (?:to hear|that|about|for)",
        r"(?:glad|happy|relieved|sad|delighted) (?:to hear|that|you)",
        r"(?:that|this|it) (?:sounds|must|is) (?:so |very |really |truly |be |have been )*"
        r"(?:hard|difficult|frustrating|upsetting|stressful|disappointing|annoying|worrying|inconvenient)",
    ),
    "interpretation": (
        r"i(?: can| completely| fully| truly)*(?: see| imagine| understand| appreciate)",
        r"we(?: can| completely| fully| truly)*(?: see| imagine| understand| appreciate)",
        r"(?:understandabl[ey]|you(?:['’]re| are) right to)",
        r"you(?: must)? (?:feel|felt|have been)",
    ),
    "exploration": (
        r"(?:could|can|would) you (?:tell|share|explain|describe|let)",
        r"how (?:are|do) you feel",
        r"what (?:happened|would help|can (?:i|we) do)",
        r"is there anything(?: else)?",
    ),
}
# Every text that shows a kind contains at least one of its words here, so other texts need no search.
SIGNS: dict[str, frozenset[str]] = {
    kind: frozenset(words.split())
    for kind, words in {
        "gratitude": "thank thanks grateful appreciate appreciated appreciates",
        "apology": "sorry apology apologies apologise apologised apologises apologize apologized apologizes excuse "
        "forgive regret",
        "please": "please kindly",
        "greeting": "hello hi dear good welcome",
        "deference": "question point course gladly pleasure",
        "indirect request": "could would like may",
        "hedge": "perhaps maybe might possibly seems appears think believe",
        "shared identity": "we our together let",
        "emotional reaction": "sorry glad happy relieved sad delighted hard difficult frustrating upsetting stressful "
        "disappointing annoying worrying inconvenient",
        "interpretation": "see imagine understand appreciate understandable understandably right feel felt been",
        "exploration": "tell share explain describe let feel happened help do anything",
    }.items()
}
_WORD = re.compile(r"\w+")


def _compiled(lexicon: dict[str, tuple[str, ...]]) -> dict[str, re.Pattern[str]]:
    return {name: re.compile(rf"\b(?:{'|'.join(cues)})\b") for name, cues in lexicon.items()}


_POLITENESS = _compiled(POLITENESS)
_EMPATHY = _compiled(EMPATHY)


def tone(text: str) -> tuple[list[str], list[str]]:
    """The politeness strategies and the empathy mechanisms that the text shows."""
    # Searching lower-case text takes about half the time of a case-insensitive search.
    lower = text.lower()
    words = set(_WORD.findall(lower))
    politeness, empathy = (
        [kind for kind, cues in lexicon.items() if not SIGNS[kind].isdisjoint(words) and cues.search(lower)]
        for lexicon in (_POLITENESS, _EMPATHY)
    )
    return politeness, empathy
