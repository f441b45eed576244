"""An artefact is whole or absent, and proves that it was not changed."""

from pathlib import Path

import pytest

from training.artefacts import ArtefactError, publish, verify


def fill(folder: Path) -> dict[str, int]:
    (folder / "weights").write_bytes(b"1234")
    (folder / "nested").mkdir()
    (folder / "nested" / "more").write_text("text")
    return {"steps": 4}


def test_what_was_published_verifies(tmp_path: Path):
    publish(tmp_path / "deep" / "it", fill)
    assert verify(tmp_path / "deep" / "it") == {"steps": 4}
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "deep" / "it").rglob("*")} == {0o755, 0o644}


def test_a_failed_write_leaves_nothing(tmp_path: Path):
    def fail(folder: Path) -> dict[str, int]:
        fill(folder)
        raise OSError("disk gone")

    with pytest.raises(OSError, match="disk gone"):
        publish(tmp_path / "it", fail)
    assert list(tmp_path.iterdir()) == []


def test_an_artefact_is_never_overwritten(tmp_path: Path):
    publish(tmp_path / "it", fill)
    with pytest.raises(ArtefactError) as caught:
        publish(tmp_path / "it", fill)
    assert caught.value.code == "artefact_exists"


@pytest.mark.parametrize(
    "tamper",
    [
        lambda folder: (folder / "weights").write_bytes(b"1235"),
        lambda folder: (folder / "weights").write_bytes(b"12345"),
        lambda folder: (folder / "weights").unlink(),
        lambda folder: (folder / "extra").write_text("x"),
    ],
)
def test_any_change_is_found(tmp_path: Path, tamper):
    publish(tmp_path / "it", fill)
    tamper(tmp_path / "it")
    with pytest.raises(ArtefactError) as caught:
        verify(tmp_path / "it")
    assert caught.value.code == "artefact_changed"


def test_missing_and_unfinished_artefacts_have_their_own_codes(tmp_path: Path):
    with pytest.raises(ArtefactError) as caught:
        verify(tmp_path / "absent")
    assert caught.value.code == "artefact_missing"
    fill(tmp_path)
    with pytest.raises(ArtefactError) as caught:
        verify(tmp_path)
    assert caught.value.code == "artefact_incomplete"
