"""Which positions of a row are scored against the vocabulary, and that it makes no difference to the loss."""

import pytest
import trl.trainer.utils as used

from tests.worker.ml.test_invariants import trained_with


def test_only_trained_positions_are_scored_and_the_loss_is_the_same(files, tmp_path, monkeypatch):
    scored: dict[str, list[int]] = {"trained": [], "all": []}
    score = used._ChunkedLogProbFunction

    def run_one_step(kind):
        class Spy:
            @staticmethod
            def apply(hidden, *rest):
                scored[kind].append(len(hidden))
                return score.apply(hidden, *rest)

        monkeypatch.setattr(used, "_ChunkedLogProbFunction", Spy)
        steps, events = trained_with(files, tmp_path / kind, epochs=0.25, evaluate_every=1)
        return steps[0]["loss"], [event["loss"] for event in events if event["event"] == "evaluation"]

    loss, evaluations = run_one_step("trained")
    # The control: as TRL does it on a processor.
    monkeypatch.setattr(used, "_use_triton", lambda _device: False)
    same_loss, same_evaluations = run_one_step("all")
    assert loss == same_loss and evaluations[0] == same_evaluations[0]
    # After the step: the gradients were the same too.
    assert evaluations[1] == pytest.approx(same_evaluations[1], rel=1e-6)
    assert len(scored["all"]) == len(scored["trained"]) == 5
    assert all(few < many / 2 for few, many in zip(scored["trained"], scored["all"], strict=True))
