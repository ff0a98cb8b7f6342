"""The way into the DICOM format: it opens nothing where its libraries are not installed."""

import pytest

from vetrelay.inspection.ask import Ask
from vetrelay.inspection.formats import dicom
from vetrelay.inspection.kinds import KINDS, Kind
from vetrelay.inspection.words import Unfit, Verdict


def test_without_its_libraries_a_record_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """A person looks at it: there are no samples, and nothing claims to be able to open it."""
    monkeypatch.setattr(dicom, "_LOADED", {})
    monkeypatch.setattr(dicom, "_NEEDED", ("vetrelay_has_no_such_library",))
    dicom.prepare()
    assert () == dicom.samples()
    with pytest.raises(Unfit) as refusal:
        dicom.normalize(bytes(128) + b"DICM", Kind.DICOM, Ask())
    assert KINDS[Kind.DICOM].not_opened is refusal.value.reason
    assert Verdict.HELD is refusal.value.reason.verdict


def test_with_its_libraries_every_sample_is_rebuilt() -> None:
    """What the self-test will see through the jail."""
    pytest.importorskip("pydicom", reason="pydicom is not installed: the extra [dicom] brings it")
    dicom.prepare()
    made = dicom.samples()
    assert 14 <= len(made)
    for sample in made:
        assert Kind.DICOM is dicom.normalize(sample, Kind.DICOM, Ask()).outputs[0].kind
