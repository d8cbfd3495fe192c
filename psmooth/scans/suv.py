"""Says by what a PET's activity is multiplied to be a standardized uptake value by body weight, in g/ml.

It knows nothing about pixels. It reads a patient's weight and dose, and nothing but their quotient leaves it.

The rule is the vendor-neutral pseudo-code of the Quantitative Imaging Biomarkers Alliance: weight by the dose that is
left at the time to which the scanner has corrected for decay. Where a tag that it needs is missing or cannot be read,
there is no factor, and values stay in their own unit.
"""

import math
import re
from datetime import datetime, timedelta
from typing import Any, Final

from pydicom import Dataset

TAGS: Final[list[Any]] = [
    "PatientWeight", "RadiopharmaceuticalInformationSequence", "CorrectedImage", "DecayCorrection", "SeriesDate",
    "SeriesTime", "AcquisitionDate", "AcquisitionTime", "FrameReferenceTime", "ActualFrameDuration", "SUVType",
    "TimezoneOffsetFromUTC", 0x70530010, 0x70531000, 0x70531009,
]  # fmt: skip
_PHILIPS: Final = "Philips PET Private Group"


def suv_factor(dataset: Dataset) -> float | None:
    """Grams a millilitre for each unit of the rescaled values of a PET; None where the file does not say enough."""
    try:
        factor = _factor(dataset)
    except Exception:  # a tag that cannot be read is one that is missing
        return None
    return factor if factor is not None and math.isfinite(factor) and factor > 0 else None


def _factor(dataset: Dataset) -> float | None:
    match _word(dataset, "Units"):
        case "GML":
            return 1.0 if _word(dataset, "SUVType") in ("", "BW") else None
        case "BQML" if _is_corrected(dataset):
            return _by_weight(dataset)
        case "CNTS" if _is_corrected(dataset) and str(dataset[0x70530010].value).strip() == _PHILIPS:
            told = float(dataset[0x70531000].value) if 0x70531000 in dataset else 0.0
            return told or float(dataset[0x70531009].value) * _by_weight(dataset)  # counts to Bq/ml to g/ml
    return None


def _word(dataset: Dataset, name: str) -> str:
    return str(dataset.get(name) or "").strip().upper()


def _is_corrected(dataset: Dataset) -> bool:
    """For attenuation and decay."""
    told = dataset.get("CorrectedImage") or ()
    return {"ATTN", "DECAY"} <= ({told} if isinstance(told, str) else {str(one).strip() for one in told})


def _by_weight(dataset: Dataset) -> float:
    """1,000 × weight in kg, by the dose in Bq that is left at the time to which decay was corrected."""
    drug = dataset.RadiopharmaceuticalInformationSequence[0]
    weight, dose = float(dataset.PatientWeight), float(drug.RadionuclideTotalDose)
    if weight <= 0 or dose <= 0:
        raise ValueError
    if _word(dataset, "DecayCorrection") == "ADMIN":  # to the time of the injection
        return 1_000 * weight / dose
    if _word(dataset, "DecayCorrection") != "START":
        raise ValueError
    half_life = float(drug.RadionuclideHalfLife)
    return 1_000 * weight / (dose * 2 ** (-_seconds_since_injection(dataset, drug, half_life) / half_life))


def _seconds_since_injection(dataset: Dataset, drug: Dataset, half_life: float) -> float:
    start = _scan_start(dataset, half_life)
    if "RadiopharmaceuticalStartDateTime" in drug:
        told = str(drug.RadiopharmaceuticalStartDateTime).strip()
        injected = _moment(told[:8], _local(told[8:], dataset))
        if injected > start:
            raise ValueError
        return (start - injected).total_seconds()
    injected = _moment(f"{start:%Y%m%d}", drug.RadiopharmaceuticalStartTime)
    return (start - injected).total_seconds() % 86_400  # the time of day alone: it may have been before midnight


def _local(time: str, dataset: Dataset) -> str:
    """A time without its zone, which has to be that of the file's other times."""
    plain = re.split(r"[+-]", time)[0]
    zone = time[len(plain) :]
    if zone and zone != str(dataset.get("TimezoneOffsetFromUTC") or "").strip():
        raise ValueError
    return plain


def _scan_start(dataset: Dataset, half_life: float) -> datetime:
    """When the scan began: the series' time, unless a later program has put its own there.

    Then it is counted back from the frame's acquisition, by the moment at which its average count rate was measured.
    """
    series = _moment(dataset.SeriesDate, dataset.SeriesTime)
    acquired = _moment(dataset.AcquisitionDate, dataset.AcquisitionTime)
    if series <= acquired:
        return series
    offset, duration = float(dataset.FrameReferenceTime) / 1_000, float(dataset.ActualFrameDuration) / 1_000
    if offset <= 0 or duration <= 0:
        raise ValueError
    decay = math.log(2) / half_life * duration
    average = duration / decay * math.log(decay / -math.expm1(-decay))
    return acquired + timedelta(seconds=average - offset)


def _moment(day: object, time: object) -> datetime:
    """A date YYYYMMDD and a time HH[MM[SS[.F…]]]."""
    whole, _, part = str(time).strip().partition(".")
    return datetime.strptime(f"{str(day).strip()}{whole:0<6}.{part or 0}", "%Y%m%d%H%M%S.%f")
