"""A report as one document of finished text, built once from the frozen result. Every output renders it."""

from evaluation.report.document.build import build
from evaluation.report.document.model import Origin, PairTexts, ReportDocument

__all__ = ["Origin", "PairTexts", "ReportDocument", "build"]
