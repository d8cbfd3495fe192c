"""Medical vision-language models: from a name to images → vectors and prompts → vectors.

It knows nothing about noise, votes, certificates or the page.
"""

from psmooth.models.load import denoiser_of, find_device, find_spec, folder_of, load_model, on_runtime, repository_of
from psmooth.models.med_vlm import MedVLM
from psmooth.models.runtimes import FAST, HALF, ON_OPENVINO, PRECISIONS, RUNTIMES, TORCH, is_fast_here, runtime_versions
from psmooth.models.table import MODELS, ModelSpec

__all__ = [
    "FAST",
    "HALF",
    "MODELS",
    "ON_OPENVINO",
    "PRECISIONS",
    "RUNTIMES",
    "TORCH",
    "MedVLM",
    "ModelSpec",
    "denoiser_of",
    "find_device",
    "find_spec",
    "folder_of",
    "is_fast_here",
    "load_model",
    "on_runtime",
    "repository_of",
    "runtime_versions",
]
