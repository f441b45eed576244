"""Every hyper-parameter is bounded and explained, and combinations that cannot work are refused with the reason."""

import pytest

from ftplatform.errors import DomainError
from training.config import TrainingConfig
from training.runs import configs


def problems(**values):
    with pytest.raises(DomainError) as caught:
        configs.check(TrainingConfig, values)
    return caught.value.problems


def test_every_field_has_one_sentence_of_help():
    for name, info in TrainingConfig.model_fields.items():
        assert info.description and info.description.endswith("."), name


@pytest.mark.parametrize(
    "value", ["all-linear", "attention", "q_proj", "q_proj,v_proj", "layers.0.q_proj, v_proj"]
)
def test_targets_are_a_preset_or_module_names(value):
    assert TrainingConfig(targets=value).targets == ", ".join(value.replace(" ", "").split(","))


@pytest.mark.parametrize(
    "value", ["", " ", "q_proj,", "$(touch x)", "../q", ".*", "attention, q_proj", "q" * 501]
)
def test_other_targets_are_refused(value):
    (problem,) = problems(targets=value)
    assert problem["field"] == "targets"


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"method": "qlora", "initialisation": "pissa"}, "4-bit"),
        ({"method": "lora", "dora": True, "initialisation": "pissa"}, "DoRA"),
    ],
)
def test_a_combination_that_cannot_work_says_why(values, word):
    (problem,) = problems(**values)
    assert problem["field"] == "initialisation" and word in problem["message"]


def test_pissa_goes_with_lora_at_16_bit():
    assert TrainingConfig(method="lora", initialisation="pissa", rslora=True).initialisation == "pissa"


def test_rows_of_a_step_add_up_over_batches_and_devices():
    assert TrainingConfig(batch_size=4, gradient_accumulation=3, devices=2).rows_per_step == 24
