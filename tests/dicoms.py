"""Makes DICOM files of every kind, each as small as it can be. It knows nothing about psmooth."""

import io
import zipfile
from typing import Any

import numpy as np
from pydicom import Dataset, FileDataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

PLAIN = ExplicitVRLittleEndian


def item(**tags: Any) -> Dataset:
    """One item of a sequence."""
    dataset = Dataset()
    for name, value in tags.items():
        setattr(dataset, name, value)
    if "LUTData" in tags:
        dataset["LUTData"].VR = "OW"
    return dataset


def dicom(values: np.ndarray, /, syntax: str = PLAIN, frames: int | None = None, **tags: Any) -> FileDataset:
    """A data set of these values: ([frames,] rows, columns[, 3]); ``tags`` come over what the values say."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = UID(syntax)
    meta.MediaStorageSOPClassUID = CTImageStorage if tags.get("Modality") == "CT" else SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset = FileDataset("", {}, preamble=bytes(128), file_meta=meta)
    shape = values.shape[1:] if frames else values.shape
    dataset.Rows, dataset.Columns = shape[:2]
    dataset.SamplesPerPixel = 3 if len(shape) == 3 else 1
    dataset.PhotometricInterpretation = "RGB" if len(shape) == 3 else "MONOCHROME2"
    if len(shape) == 3:
        dataset.PlanarConfiguration = 0
    if frames:
        dataset.NumberOfFrames = frames
    bits = 8 * values.dtype.itemsize
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = bits, bits, bits - 1
    dataset.PixelRepresentation = int(values.dtype.kind == "i")
    data = values.tobytes()
    dataset.PixelData = data + bytes(len(data) % 2)
    for name, value in tags.items():
        setattr(dataset, name, value)
    dataset["PixelData"].VR = "OB" if dataset.BitsAllocated <= 8 else "OW"
    return dataset


def file_of(dataset: FileDataset) -> bytes:
    """The bytes of the file."""
    out = io.BytesIO()
    dataset.save_as(out, enforce_file_format=True)
    return out.getvalue()


def series(levels: list[int], /, modality: str = "CT", edge: int = 0, **tags: Any) -> list[bytes]:
    """Files of one series, a slice for each grey level; a tag that is a list has an entry for each slice.

    So many rows at the ``edge`` are dark: a slice of one level alone is certified nowhere.
    """
    shared: dict[str, Any] = {"Modality": modality, "SeriesInstanceUID": generate_uid()}
    own = [{name: value[place] if isinstance(value, list) else value for name, value in tags.items()}
           for place in range(len(levels))]  # fmt: skip
    return [
        file_of(dicom(np.pad(np.full((16 - edge, 20), level, np.uint16), ((edge, 0), (0, 0))), **shared | told))
        for level, told in zip(levels, own, strict=True)
    ]


def packed(files: dict[str, bytes]) -> bytes:
    """A zip of files by their names."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, one in files.items():
            archive.writestr(name, one)
    return content.getvalue()
