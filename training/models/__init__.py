"""Datasets, training runs and model versions."""

from training.models.datasets import Dataset, DatasetImport, Measurement, SavedMapping, Upload
from training.models.registry import MergeRun, ModelJob, ModelVersion, StageChange
from training.models.runs import SampleGeneration, StepMetric, TrainingRun

__all__ = [
    "Dataset",
    "DatasetImport",
    "Measurement",
    "MergeRun",
    "ModelJob",
    "ModelVersion",
    "SampleGeneration",
    "SavedMapping",
    "StageChange",
    "StepMetric",
    "TrainingRun",
    "Upload",
]
