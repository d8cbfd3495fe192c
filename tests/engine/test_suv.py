"""Standardized uptake values are weight by the dose that is left, computed here by hand: a half-life is one hour.

80 kg and 400 MBq, of which half is left after an hour: 80,000 g / 200,000,000 Bq, so that 10,000 Bq/ml are 4 g/ml.
"""

from typing import Any

import numpy as np
import pytest

from psmooth.scans import Scan
from psmooth.scans.dicom import read_dicom
from psmooth.scans.windows import SUV_WINDOW
from tests.dicoms import dicom, file_of, item

HOUR = 3_600.0
VALUES = np.arange(32 * 32, dtype=np.uint16).reshape(32, 32)
DRUG: dict[str, Any] = {
    "RadionuclideTotalDose": "400000000", "RadionuclideHalfLife": "3600", "RadiopharmaceuticalStartTime": "100000"
}  # fmt: skip
TAGS: dict[str, Any] = {
    "Modality": "PT", "Units": "BQML", "RescaleSlope": "10", "RescaleIntercept": "0", "PatientWeight": "80",
    "CorrectedImage": ["NORM", "ATTN", "DECAY"], "DecayCorrection": "START", "SeriesDate": "20240131",
    "SeriesTime": "110000", "AcquisitionDate": "20240131", "AcquisitionTime": "110500.25",
}  # fmt: skip


def pet(drug: dict[str, Any] | None = None, **tags: Any) -> Scan:
    """A PET of 10 Bq/ml a level, of which some tags are others; those that are None are missing."""
    told = {name: value for name, value in (DRUG | (drug or {})).items() if value is not None}
    every = {**TAGS, "RadiopharmaceuticalInformationSequence": [item(**told)], **tags}
    return read_dicom(file_of(dicom(VALUES, **{name: value for name, value in every.items() if value is not None})))


def uptake(scan: Scan) -> float:
    """What 10,000 Bq/ml, which is level 1,000, have become."""
    assert scan.unit == "g/ml"
    assert VALUES[31, 8] == 1_000
    return float(scan.values[31, 8])


def test_half_of_the_dose_is_left_after_a_half_life() -> None:
    scan = pet()
    assert uptake(scan) == pytest.approx(4)
    assert scan.window == SUV_WINDOW.window
    assert (SUV_WINDOW.window.center, SUV_WINDOW.window.width) == (5, 10)


@pytest.mark.parametrize(
    ("drug", "tags", "expected"),
    [
        ({"RadiopharmaceuticalStartTime": "233000"}, {"SeriesTime": "003000"}, 4),  # injected before midnight
        ({"RadiopharmaceuticalStartTime": "09"}, {}, 8),  # two hours, to the hour alone
        ({"RadiopharmaceuticalStartDateTime": "20240131080000"}, {}, 16),  # three hours; the date goes before the time
        ({"RadiopharmaceuticalStartDateTime": "20240130110000.0+0100"}, {"TimezoneOffsetFromUTC": "+0100"}, 2 * 2**24),
        ({}, {"DecayCorrection": "ADMIN", "SeriesTime": None}, 2),  # as if all of it were left
    ],
)
def test_the_dose_that_is_left(drug: dict[str, Any], tags: dict[str, Any], expected: float) -> None:
    assert uptake(pet(drug, **tags)) == pytest.approx(expected)


def test_a_series_whose_time_was_written_later_is_counted_back_from_its_frame() -> None:
    """The frame began at 11:10 and took 20 minutes; at its reference time activity is what it was on average."""
    seconds = np.linspace(0, 1_200, 1_000_001)
    average = -np.log2(np.mean(2 ** (-seconds / HOUR))) * HOUR
    told: dict[str, Any] = {"SeriesTime": "180000", "AcquisitionTime": "111000", "ActualFrameDuration": "1200000"}
    scan = pet(**told, FrameReferenceTime=f"{(600 + average) * 1_000:.4f}")
    assert uptake(scan) == pytest.approx(4, rel=1e-6)


def test_counts_by_the_makers_own_factors() -> None:
    def with_private(**factors: str) -> Scan:
        tags = {**TAGS, "Units": "CNTS", "RadiopharmaceuticalInformationSequence": [item(**DRUG)]}
        dataset = dicom(VALUES, **tags)
        block = dataset.private_block(0x7053, "Philips PET Private Group", create=True)
        for element, factor in factors.items():
            block.add_new(int(element[1:], 16), "DS", factor)
        return read_dicom(file_of(dataset))

    assert uptake(with_private(x00="0.0004")) == pytest.approx(4)
    assert uptake(with_private(x00="0", x09="2")) == pytest.approx(8)  # two Bq/ml a count
    assert with_private().unit == "counts"


def test_values_that_are_uptakes_already() -> None:
    assert uptake(pet(Units="GML", PatientWeight=None, RescaleSlope="0.001")) == pytest.approx(1)
    assert pet(Units="GML", SUVType="LBM").unit == ""


NEEDED = (
    "PatientWeight", "CorrectedImage", "DecayCorrection", "SeriesDate", "SeriesTime", "AcquisitionDate",
    "AcquisitionTime", "RadiopharmaceuticalInformationSequence",
)  # fmt: skip
LATER = {"SeriesTime": "180000"}
MISSING: list[tuple[dict[str, Any], dict[str, Any]]] = [
    *(({}, {name: None}) for name in NEEDED), *(({name: None}, {}) for name in DRUG),
    ({}, {"PatientWeight": "0"}), ({}, {"CorrectedImage": ["ATTN"]}), ({}, {"DecayCorrection": "NONE"}),
    ({"RadionuclideTotalDose": "0"}, {}), ({"RadionuclideHalfLife": "0"}, {}),
    ({"RadiopharmaceuticalStartDateTime": "20240201110000"}, {}),  # after the scan
    ({"RadiopharmaceuticalStartDateTime": "20240131100000+0200"}, {}),  # of another zone, perhaps
    ({}, LATER), ({}, {**LATER, "FrameReferenceTime": "1", "ActualFrameDuration": "0"}),
]  # fmt: skip


@pytest.mark.parametrize(("drug", "tags"), MISSING)
def test_where_a_tag_is_missing_the_unit_stays(drug: dict[str, Any], tags: dict[str, Any]) -> None:
    scan = pet(drug, **tags)
    assert scan.unit == "Bq/ml"
    assert np.array_equal(scan.values, VALUES.astype(int) * 10)


def test_neither_weight_nor_dose_leave_it() -> None:
    scan = pet({"RadionuclideTotalDose": "412345678"}, PatientWeight="81.7253")
    told = repr({name: value for name, value in vars(scan).items() if name != "values"})
    assert scan.unit == "g/ml"
    assert not any(secret in told for secret in ("412345678", "81.7253", "81.72", "2024", "1100"))


def test_another_modality_has_no_uptake() -> None:
    assert pet(Modality="NM").unit == "Bq/ml"
