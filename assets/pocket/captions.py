"""The many wordings in which the pocket model hears of a scan: modality, organ and finding.

It knows nothing about images or networks. Every class of ``psmooth.tasks`` has synonyms here, so that a visitor's own
wording meets something the text tower has seen.
"""

import random

from psmooth.tasks import TASKS

FRAMES: dict[str, tuple[str, ...]] = {
    "blood_cells": (
        "a microscope image of a {} in a blood smear.",
        "a {} in a peripheral blood smear",
        "a stained blood film showing a {}",
        "May-Grünwald Giemsa stain, {}",
        "microscopy of blood: {}.",
        "a photograph of a single {}, a blood cell",
        "haematology, cell type: {}",
        "this blood cell is a {}",
    ),
    "chest_xray": (
        "a chest X-ray showing {}.",
        "chest radiograph, {}",
        "a frontal chest X-ray of a child with {}",
        "an X-ray image of the lungs: {}.",
        "paediatric chest film, finding: {}",
        "a radiograph of the thorax with {}",
        "CXR: {}",
    ),
    "lung_colon_histology": (
        "an H&E image patch of {}.",
        "histology of {}",
        "a histopathology slide showing {}.",
        "{}, haematoxylin and eosin stain",
        "a microscope image of {} stained with H&E",
        "a tissue section: {}",
        "pathology: {}.",
    ),
    "oral_histology": (
        "an H&E image patch of {}.",
        "histology of {}",
        "a histopathology slide showing {}.",
        "{}, haematoxylin and eosin stain",
        "a biopsy of the mouth: {}",
        "oral tissue section, {}",
    ),
    "brain_mri": (
        "a brain MRI showing {}.",
        "magnetic resonance image of the head, {}",
        "an MR scan of a brain with {}",
        "MRI of the brain: {}.",
        "neuroradiology, finding: {}",
        "a T1-weighted brain scan with {}",
    ),
    "breast_ultrasound": (
        "a breast ultrasound showing {}.",
        "ultrasound of the breast, {}",
        "a sonogram of breast tissue with {}",
        "breast sonography: {}.",
        "B-mode image of a breast, finding: {}",
    ),
    "dermoscopy": (
        "a dermoscopy image of a {}.",
        "a dermoscopic photograph of {}",
        "a skin lesion seen through a dermatoscope: {}",
        "dermatology, diagnosis: {}",
        "a close-up of skin with a {}",
    ),
}

SYNONYMS: dict[str, tuple[str, ...]] = {
    "basophil": ("basophilic granulocyte", "basophil granulocyte", "white blood cell with dark blue granules"),
    "eosinophil": ("eosinophilic granulocyte", "eosinophil granulocyte", "white blood cell with red granules"),
    "erythroblast": ("nucleated red blood cell", "normoblast", "immature red blood cell"),
    "immature_granulocyte": ("metamyelocyte, myelocyte or promyelocyte", "myelocyte", "young granulocyte"),
    "lymphocyte": ("lymphoid cell", "small round white blood cell", "lymphocytic cell"),
    "monocyte": ("monocytic cell", "large white blood cell with a kidney-shaped nucleus", "mononuclear cell"),
    "neutrophil": ("neutrophilic granulocyte", "segmented neutrophil", "polymorphonuclear leukocyte"),
    "platelet": ("thrombocyte", "blood platelet", "small cell fragment without nucleus"),
    "chest_xray/normal": ("a normal chest", "no pneumonia", "clear lungs", "healthy lungs", "no finding"),
    "bacterial_pneumonia": ("lobar pneumonia", "focal consolidation", "pneumonia caused by bacteria"),
    "viral_pneumonia": ("interstitial pneumonia", "diffuse interstitial opacities", "pneumonia caused by a virus"),
    "benign_colonic_tissue": ("normal colon mucosa", "healthy colon tissue", "normal colonic glands"),
    "benign_lung_tissue": ("normal lung tissue", "healthy lung parenchyma", "normal alveoli"),
    "colon_adenocarcinoma": ("colorectal adenocarcinoma", "cancer of the colon", "malignant colonic glands"),
    "lung_adenocarcinoma": ("adenocarcinoma of the lung", "glandular lung cancer", "malignant lung glands"),
    "lung_squamous_cell_carcinoma": ("squamous cell carcinoma of the lung", "squamous lung cancer"),
    "normal_oral_epithelium": ("normal epithelium of the oral cavity", "healthy oral mucosa", "benign oral tissue"),
    "oral_squamous_cell_carcinoma": ("squamous cell carcinoma of the mouth", "oral cancer", "OSCC"),
    "glioma": ("a glioma", "a glial tumour", "a diffuse tumour within the brain"),
    "meningioma": ("a meningioma", "a tumour of the meninges", "an extra-axial tumour"),
    "no_tumour": ("no tumor", "a normal brain", "a healthy brain", "no lesion"),
    "pituitary_tumour": ("a pituitary tumour", "a pituitary adenoma", "a tumor of the pituitary gland"),
    "breast_ultrasound/normal": ("no lesion", "healthy tissue", "a normal breast", "no mass"),
    "benign": ("a benign tumour", "a benign mass", "a fibroadenoma", "a smooth well-defined mass"),
    "malignant": ("a malignant tumour", "a malignant mass", "breast cancer", "an irregular spiculated mass"),
    "melanoma": ("malignant melanoma", "melanoma of the skin", "malignant pigmented lesion"),
    "nevus": ("naevus", "benign mole", "melanocytic nevus", "benign pigmented lesion"),
}


def caption(task: str, class_id: str, choose: random.Random) -> str:
    """One wording, drawn at random: half of the time with the class name of the task, else with a synonym."""
    own_name = TASKS[task].class_name(class_id)
    synonyms = SYNONYMS.get(f"{task}/{class_id}") or SYNONYMS[class_id]
    name = own_name if choose.random() < 0.5 else choose.choice(synonyms)
    words = choose.choice(FRAMES[task]).replace("{}", name)
    return words.lower() if choose.random() < 0.2 else words
