"""Automatic measures of a response's text: proxies that count words and cues, never a substitute for a reader."""

from evaluation.scoring.measures.text import TextMeasures, measure

__all__ = ["TextMeasures", "measure"]
