"""Makes DICOM files of every kind, each as small as it can be. It knows nothing about psmooth."""

import io
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
