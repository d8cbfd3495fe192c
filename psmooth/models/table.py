"""Lists the models that psmooth knows by name: where the weights come from, and what a visitor should know of them.

It knows nothing about how a model is fetched, built or asked.

Pins, file lists and sha256 are those of the public repositories; a row without a pin follows ``main``, and the commit
that it led to is recorded with the loaded model.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class ModelSpec:
    """One row of the model table.

    Attributes:
        weights: ``bundled:name``, ``hf-hub:org/name[@revision]``, ``local-dir:folder``, or the ``https:`` address of a
            zip.
        task_ids: the shipped tasks that it suits; ``modalities`` are words as tasks have them.
        family: the format of its files, one of ``FORMATS`` of `psmooth.models.formats`; empty: found from the files.
        non_commercial: its licence, or that of its training data, forbids commercial use.
        gated: its owners give access on request; ``access`` says what to do.
        input_size: side of a crop in pixels; ``text_length``: tokens the text tower reads, marks included. 0: known
            once it is loaded.
        files: the files it needs beside its weights; ``weight_files``: the first of these that there is.
        sha256: (file, sha256) where they are on record.
        tokenizer: source of ``vocab.txt`` where the weights come without one.
        quick_gelu: overrides the configuration of weights that descend from OpenAI's.
        megabytes: what has to be fetched, about.
    """

    id: str
    name: str
    weights: str
    about: str
    licence: str
    task_ids: tuple[str, ...]
    family: str = ""
    non_commercial: bool = False
    gated: bool = False
    access: str = ""
    modalities: tuple[str, ...] = ()
    input_size: int = 0
    text_length: int = 0
    files: tuple[str, ...] = ()
    weight_files: tuple[str, ...] = ()
    sha256: tuple[tuple[str, str], ...] = ()
    tokenizer: str = ""
    quick_gelu: bool | None = None
    megabytes: int = 0


_HISTOLOGY = ("lung_colon_histology", "oral_histology", "kather_colon", "pannuke", "sicapv2", "skin_cancer")
_CHEST = ("chest_xray", "covid", "rsna18")
_SCANNERS = ("brain_mri", "breast_ultrasound")
_POCKET_TASKS = (
    "blood_cells",
    "chest_xray",
    "lung_colon_histology",
    "oral_histology",
    "brain_mri",
    "breast_ultrasound",
    "dermoscopy",
)

_ALL_MODALITIES = ("blood smear", "chest X-ray", "H&E histology", "brain MRI", "breast ultrasound", "dermoscopy")
_RADIOLOGY_MODALITIES = ("chest X-ray", "brain MRI", "breast ultrasound")

BERT_FILES = ("vocab.txt", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
OPEN_CLIP_FILES = ("open_clip_config.json", "config.json")
OPEN_CLIP_WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
HF_FILES = ("config.json", "preprocessor_config.json")
HF_WEIGHTS = ("model.safetensors", "pytorch_model.bin")

_BIOMED_BERT = "hf-hub:microsoft/BiomedNLP-BiomedBERT-base-uncased-abstract@d673b8835373c6fa116d6d8006b33d48734e305d"
_CLINICAL_BERT = "hf-hub:emilyalsentzer/Bio_ClinicalBERT@d5892b39a4adaed74b92212a44081509db72f87b"


def _gate(repo: str) -> str:
    return f"Accept the terms at https://huggingface.co/{repo} and set HF_TOKEN to a token of that account."


_ROWS = (
    ModelSpec(
        id="pocket-noisy",
        name="pocket, trained with noise",
        weights="bundled:pocket-noisy",
        about="The pocket model retrained with Gaussian noise: what robustness costs when weights may change.",
        licence="Apache-2.0",
        task_ids=_POCKET_TASKS,
        family="bundled",
        modalities=_ALL_MODALITIES,
        input_size=128,
        text_length=48,
        files=("open_clip_config.json", "text.safetensors"),
        weight_files=("pocket-noisy.safetensors",),
    ),
    ModelSpec(
        id="pocket",
        name="pocket",
        weights="bundled:pocket",
        about="A small Med-VLM of seven modalities that has seen no more noise than a scanner makes.",
        licence="Apache-2.0",
        task_ids=_POCKET_TASKS,
        family="bundled",
        modalities=_ALL_MODALITIES,
        input_size=128,
        text_length=48,
        files=("open_clip_config.json", "text.safetensors"),
        weight_files=("pocket.safetensors",),
    ),
    ModelSpec(
        id="plip",
        name="PLIP",
        weights="hf-hub:vinid/plip@67ade53ddd32195868f422585f72698ef5d15094",
        about="CLIP for pathology, trained on pictures and words that pathologists shared in public.",
        licence="none stated; its code is MIT",
        task_ids=_HISTOLOGY,
        family="hf_clip",
        modalities=("H&E histology",),
        input_size=224,
        text_length=77,
        files=HF_FILES,
        weight_files=("pytorch_model.bin",),
        sha256=(("pytorch_model.bin", "98a7f8d2a1f4a8fc8f6dedb3a16ff7efbe02a7ef67c93904c80bca9767c69630"),),
        megabytes=605,
    ),
    ModelSpec(
        id="quiltnet-b-32",
        name="QuiltNet-B-32",
        weights="hf-hub:wisdomik/QuiltNet-B-32@8ce77289ce35a90b2f1db1137dfa4bc2df175e33",
        about="CLIP for pathology, trained on a million frames of teaching videos with what was said.",
        licence="MIT",
        task_ids=_HISTOLOGY,
        family="open_clip",
        modalities=("H&E histology",),
        input_size=224,
        text_length=77,
        files=OPEN_CLIP_FILES,
        weight_files=OPEN_CLIP_WEIGHTS,
        quick_gelu=True,
        megabytes=605,
    ),
    ModelSpec(
        id="medclip",
        name="MedCLIP",
        weights="https://storage.googleapis.com/pytrial/medclip-vit-pretrained.zip",
        about="Swin and Bio_ClinicalBERT for chest X-rays, trained on MIMIC-CXR and CheXpert.",
        licence="BSD code; none stated for the weights",
        task_ids=_CHEST,
        family="medclip",
        modalities=("chest X-ray",),
        input_size=224,
        text_length=25,
        weight_files=("pytorch_model.bin",),
        sha256=(
            ("medclip-vit-pretrained.zip", "414b3ac515431c06018400ab2d83ee7307e314020cd4f6babbfdea4a58515725"),
            ("pytorch_model.bin", "07bf9f917ccce482ea30ec84e533a30c3ad395c424d3624f6b72edf8484f8126"),
        ),
        tokenizer=_CLINICAL_BERT,
        megabytes=547,
    ),
    ModelSpec(
        id="quiltnet-b-16",
        name="QuiltNet-B-16",
        weights="hf-hub:wisdomik/QuiltNet-B-16@a5a588b6cec62d610bfc25f64dfe1df30fa6af98",
        about="QuiltNet with smaller patches: four times the work, finer detail.",
        licence="MIT",
        task_ids=_HISTOLOGY,
        family="open_clip",
        modalities=("H&E histology",),
        input_size=224,
        text_length=77,
        files=OPEN_CLIP_FILES,
        weight_files=OPEN_CLIP_WEIGHTS,
        quick_gelu=True,
        megabytes=599,
    ),
    ModelSpec(
        id="quiltnet-b-16-pmb",
        name="QuiltNet-B-16-PMB",
        weights="hf-hub:wisdomik/QuiltNet-B-16-PMB@deb13a5596f2ff72a501fa121b26b3a4ed81705d",
        about="QuiltNet whose words are read by PubMedBERT.",
        licence="MIT",
        task_ids=_HISTOLOGY,
        family="open_clip",
        modalities=("H&E histology",),
        input_size=224,
        text_length=256,
        files=("open_clip_config.json", *BERT_FILES),
        weight_files=OPEN_CLIP_WEIGHTS,
        sha256=(("open_clip_pytorch_model.bin", "642a4702d0fc9fd0ab0388d0340cb19ff8d234fd79155679d88f78e4ac0880e1"),),
        tokenizer=_BIOMED_BERT,
        megabytes=784,
    ),
    ModelSpec(
        id="biomedclip",
        name="BiomedCLIP",
        weights=(
            "hf-hub:microsoft/BiomedCLIP-PubMedBERT_256-vit_base_patch16_224@9f341de24bfb00180f1b847274256e9b65a3a32e"
        ),
        about="CLIP for all of biomedicine, trained on fifteen million figures of PubMed Central.",
        licence="MIT",
        task_ids=("blood_cells", *_CHEST, *_HISTOLOGY, *_SCANNERS, "dermoscopy"),
        family="open_clip",
        modalities=_ALL_MODALITIES,
        input_size=224,
        text_length=256,
        files=("open_clip_config.json", *BERT_FILES),
        weight_files=OPEN_CLIP_WEIGHTS,
        sha256=(("open_clip_pytorch_model.bin", "52cc993c5c5ff962bd0c60931874bc001e7e9b41666a385530f4a036294576be"),),
        megabytes=784,
    ),
    ModelSpec(
        id="pubmedclip",
        name="PubMedCLIP",
        weights="hf-hub:flaviagiammarino/pubmed-clip-vit-base-patch32@26c0c67f6da303ad2a38909130bd35744ea93517",
        about="CLIP for radiology, trained on the figures of ROCO: X-ray, CT, MRI, ultrasound.",
        licence="MIT",
        task_ids=(*_CHEST, *_SCANNERS),
        family="hf_clip",
        modalities=_RADIOLOGY_MODALITIES,
        input_size=224,
        text_length=77,
        files=HF_FILES,
        weight_files=("pytorch_model.bin",),
        sha256=(("pytorch_model.bin", "4daa7650d2b47e55c37b5ca7dcabe826fd82407c26028a574bcc422f35a94aa4"),),
        megabytes=605,
    ),
    ModelSpec(
        id="whyxrayclip",
        name="WhyXrayCLIP",
        weights="hf-hub:yyupenn/whyxrayclip",
        about="A large CLIP for chest X-rays, made to name what a diagnosis rests on.",
        licence="MIT",
        task_ids=_CHEST,
        family="open_clip",
        modalities=("chest X-ray",),
        input_size=224,
        text_length=77,
        files=OPEN_CLIP_FILES,
        weight_files=OPEN_CLIP_WEIGHTS,
        megabytes=1_710,
    ),
    ModelSpec(
        id="whylesionclip",
        name="WhyLesionCLIP",
        weights="hf-hub:yyupenn/whylesionclip",
        about="A large CLIP for skin lesions, made to name what a diagnosis rests on.",
        licence="MIT",
        task_ids=("dermoscopy",),
        family="open_clip",
        modalities=("dermoscopy",),
        input_size=224,
        text_length=77,
        files=OPEN_CLIP_FILES,
        weight_files=OPEN_CLIP_WEIGHTS,
        megabytes=1_710,
    ),
    ModelSpec(
        id="monet",
        name="MONET",
        weights="hf-hub:chanwkim/monet@1d1efd0b8d61bde82cde22d2e93c28d73441f29e",
        about="A large CLIP that names the concepts in pictures of skin.",
        licence="CC-BY-NC-SA-4.0",
        task_ids=("dermoscopy",),
        family="hf_clip",
        non_commercial=True,
        modalities=("dermoscopy",),
        input_size=224,
        text_length=77,
        files=HF_FILES,
        weight_files=("model.safetensors",),
        megabytes=1_710,
    ),
    ModelSpec(
        id="unimed-clip",
        name="UniMed-CLIP",
        weights="hf-hub:UzairK/unimed-clip-vit-b16@84a67cb0331b511b630136e4878beaa5a3fdc657",
        about="CLIP for six modalities, trained on public data sets alone.",
        licence="CC-BY-NC-4.0",
        task_ids=(*_CHEST, *_HISTOLOGY, *_SCANNERS),
        family="unimed",
        non_commercial=True,
        modalities=("chest X-ray", "H&E histology", "brain MRI", "breast ultrasound"),
        input_size=224,
        text_length=256,
        weight_files=("unimed-clip-vit-b16.pt",),
        tokenizer=_BIOMED_BERT,
        quick_gelu=True,
        megabytes=784,
    ),
    ModelSpec(
        id="dermlip",
        name="DermLIP",
        weights="hf-hub:redlessone/DermLIP_ViT-B-16",
        about="CLIP for dermatology, trained on a million pictures of skin with their descriptions.",
        licence="CC-BY-NC-4.0",
        task_ids=("dermoscopy",),
        family="open_clip",
        non_commercial=True,
        modalities=("dermoscopy",),
        input_size=224,
        text_length=77,
        files=OPEN_CLIP_FILES,
        weight_files=OPEN_CLIP_WEIGHTS,
        megabytes=599,
    ),
    ModelSpec(
        id="medsiglip",
        name="MedSigLIP",
        weights="hf-hub:google/medsiglip-448@9cea28a1a1195f665105faa6e8544c112fd960a4",
        about="SigLIP for medicine at 448 pixels; large, so a graphics card is wanted.",
        licence="Health AI Developer Foundations terms",
        task_ids=(*_CHEST, *_HISTOLOGY, "dermoscopy"),
        family="siglip",
        gated=True,
        access=_gate("google/medsiglip-448"),
        modalities=("chest X-ray", "H&E histology", "dermoscopy"),
        input_size=448,
        text_length=64,
        files=(*HF_FILES, "spiece.model"),
        weight_files=("model.safetensors",),
        megabytes=3_513,
    ),
    ModelSpec(
        id="conch",
        name="CONCH",
        weights="hf-hub:MahmoodLab/CONCH@f9ca9f877171a28ade80228fb195ac5d79003357",
        about="CoCa for pathology; listed for completeness.",
        licence="CC-BY-NC-ND-4.0",
        task_ids=_HISTOLOGY,
        family="conch",
        non_commercial=True,
        gated=True,
        access=(
            "psmooth does not load CONCH: its attentional poolers run in its own package, github.com/mahmoodlab/CONCH, "
            "alone. Ask for the weights with an institutional address at https://huggingface.co/MahmoodLab/CONCH, or "
            "choose PLIP or QuiltNet here."
        ),
        modalities=("H&E histology",),
        input_size=448,
        text_length=128,
        weight_files=("pytorch_model.bin",),
        sha256=(("pytorch_model.bin", "40a9644b9ba0e83a74576e0a5e5f7313599fa9c9cdaf3c20f8a3e271b0e9ae7c"),),
        megabytes=802,
    ),
)

MODELS: dict[str, ModelSpec] = {spec.id: spec for spec in _ROWS}
