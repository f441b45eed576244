"""Automatic measures of a response's text. They are proxies that count words and cues and do not replace a reader."""

from evaluation.scoring.measures.text import TextMeasures, measure

__all__ = ["TextMeasures", "measure"]
