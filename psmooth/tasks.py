"""What a model is asked: the class names, the sentences they stand in, and the modality they belong to.

It knows nothing about models, scans or votes.
"""

import re
from dataclasses import dataclass

from psmooth.errors import TaskError

_LONGEST_NAME = 80
_MOST_CLASSES = 50
_LONGEST_TEMPLATE = 300
_MOST_TEMPLATES = 100
_LONGEST_LIST = 20_000  # characters of all class names, with the blanks between them


@dataclass(frozen=True)
class Task:
    """A closed question to a Med-VLM: which of these classes does the scan show?

    ``class_ids`` are machine-readable and stand in records; ``class_names`` are the words of the prompts and of the
    page, in the same order. Each template holds ``{}`` where a class name goes; a class vector is the normalised mean
    over the templates.
    """

    id: str
    name: str
    modality: str
    class_ids: tuple[str, ...]
    class_names: tuple[str, ...]
    templates: tuple[str, ...]

    def __post_init__(self) -> None:
        _check_classes(self.class_names)
        if len(self.class_ids) != len(self.class_names):
            raise TaskError("Every class needs an id and a name; give as many of the one as of the other.")
        for text in (self.id, self.name, self.modality, *self.class_ids):
            _check_text(text)
        if not 1 <= len(self.templates) <= _MOST_TEMPLATES:
            raise TaskError("A task has 1 to {most} templates; give so many.", most=_MOST_TEMPLATES)
        for template in self.templates:
            _check_template(template)

    def class_name(self, class_id: str) -> str:
        """The words of a class id."""
        return self.class_names[self.class_ids.index(class_id)]


def own_task(class_names: list[str] | str, template: str = "an image of {}.") -> Task:
    """A task from a visitor's own class names: a list, or one string with semicolons or new lines between them.

    Raises:
        TaskError: fewer than two names, a repeated, empty or overlong one, an overlong template or one without ``{}``,
            or something that is no text.
    """
    if not isinstance(class_names, str | list | tuple):
        raise TaskError("Class names are a text or a list of texts; give them as such.")
    for text in [class_names] if isinstance(class_names, str) else class_names:
        _check_text(text)
    if sum(map(len, class_names)) > _LONGEST_LIST:
        raise TaskError(
            "The class names have more than {longest:,} characters together; shorten them.", longest=_LONGEST_LIST
        )
    listed = re.split(r"[;；\n]", class_names.strip(";； \t\r\n")) if isinstance(class_names, str) else class_names
    names = tuple(" ".join(name.split()) for name in listed)
    if len(names) > 1 and not all(names):
        raise TaskError("One class name is empty; write every name between its separators, or take one separator out.")
    _check_classes(names)
    _check_template(template)
    return Task("own", "my own class names", "any", _ids_of(names), names, (template,))


def find_task(task: "str | Task") -> Task:
    """The task of that id; a ``Task`` is given back as it is.

    Raises:
        TaskError: no task has that id.
    """
    if isinstance(task, Task):
        return task
    if not isinstance(task, str) or task not in TASKS:
        raise TaskError("There is no task '{task}'. Known tasks: {tasks}.", task=_shown(task), tasks=", ".join(TASKS))
    return TASKS[task]


def _check_classes(names: tuple[str, ...]) -> None:
    if len(names) < 2:
        raise TaskError("A task needs at least two class names; separate them with semicolons or new lines.")
    if len(names) > _MOST_CLASSES:
        raise TaskError(
            "A task can have at most {most} class names; {count} were given.", most=_MOST_CLASSES, count=len(names)
        )
    for name in names:
        _check_text(name)
    if len({name.casefold() for name in names}) < len(names):
        raise TaskError("Two class names are the same; every class needs a name of its own.")
    for name in names:
        if not name or len(name) > _LONGEST_NAME:
            raise TaskError(
                "A class name must have 1 to {longest} characters; shorten or fill in '{name}'.",
                longest=_LONGEST_NAME,
                name=name[:20],
            )


def _check_template(template: str) -> None:
    _check_text(template)
    if len(template) > _LONGEST_TEMPLATE:
        raise TaskError(
            "A template can have at most {longest} characters; this one has {count:,}. Shorten it.",
            longest=_LONGEST_TEMPLATE,
            count=len(template),
        )
    if template.count("{}") != 1 or "{" in template.replace("{}", "") or "}" in template.replace("{}", ""):
        raise TaskError("A template must hold {} exactly once, where the class name goes, as in 'an image of {}.'")


def _check_text(text: object) -> None:
    """Text that UTF-8 can hold; half a character, which JSON lets through, no tokenizer or file takes."""
    if not isinstance(text, str):
        raise TaskError("'{given}' is no text; class names and templates are. Write them as text.", given=_shown(text))
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise TaskError("'{given}' holds half a character, which cannot be written. Type it anew.", given=_shown(text))


def _shown(value: object) -> str:
    """A value as a short piece of a sentence that can be written anywhere."""
    return str(value)[:40].encode(errors="replace").decode()


def _ids_of(names: tuple[str, ...]) -> tuple[str, ...]:
    ids = [re.sub(r"\W+", "_", name.casefold()).strip("_") for name in names]
    unique = len(set(ids)) == len(ids) and all(ids)
    return tuple(ids) if unique else tuple(f"class_{number}" for number in range(1, len(names) + 1))


def _task(id: str, name: str, modality: str, classes: dict[str, str], *templates: str) -> Task:
    return Task(id, name, modality, tuple(classes), tuple(classes.values()), templates)


TASKS: dict[str, Task] = {
    task.id: task
    for task in (
        _task(
            "blood_cells",
            "blood cells",
            "blood smear",
            {
                "basophil": "basophil",
                "eosinophil": "eosinophil",
                "erythroblast": "erythroblast",
                "immature_granulocyte": "immature granulocyte",
                "lymphocyte": "lymphocyte",
                "monocyte": "monocyte",
                "neutrophil": "neutrophil",
                "platelet": "platelet",
            },
            "a microscope image of a {} in a blood smear.",
        ),
        _task(
            "chest_xray",
            "chest X-ray",
            "chest X-ray",
            {
                "normal": "normal lungs",
                "bacterial_pneumonia": "bacterial pneumonia",
                "viral_pneumonia": "viral pneumonia",
            },
            "a chest X-ray showing {}.",
        ),
        _task(
            "lung_colon_histology",
            "lung and colon tissue",
            "H&E histology",
            {
                "benign_colonic_tissue": "benign colonic tissue",
                "benign_lung_tissue": "benign lung tissue",
                "colon_adenocarcinoma": "colon adenocarcinoma",
                "lung_adenocarcinoma": "lung adenocarcinoma",
                "lung_squamous_cell_carcinoma": "lung squamous cell carcinoma",
            },
            "an H&E image patch of {}.",
        ),
        _task(
            "oral_histology",
            "oral tissue",
            "H&E histology",
            {
                "normal_oral_epithelium": "normal oral epithelium",
                "oral_squamous_cell_carcinoma": "oral squamous cell carcinoma",
            },
            "an H&E image patch of {}.",
        ),
        _task(
            "brain_mri",
            "brain MRI",
            "brain MRI",
            {
                "glioma": "glioma",
                "meningioma": "meningioma",
                "no_tumour": "no tumour",
                "pituitary_tumour": "pituitary tumour",
            },
            "a brain MRI showing {}.",
        ),
        _task(
            "breast_ultrasound",
            "breast ultrasound",
            "breast ultrasound",
            {"benign": "a benign lesion", "malignant": "a malignant lesion", "normal": "normal tissue"},
            "a breast ultrasound showing {}.",
        ),
        _task(
            "dermoscopy",
            "dermoscopy",
            "dermoscopy",
            {"melanoma": "melanoma", "nevus": "nevus"},
            "a dermoscopy image of a {}.",
        ),
        # The six of the PromptSmooth paper, with the words of its released code.
        _task(
            "kather_colon",
            "KatherColon",
            "H&E histology",
            {
                "adipose": "adipose tissue",
                "background": "background",
                "debris": "debris",
                "lymphocytes": "lymphocytes",
                "mucus": "mucus",
                "smooth_muscle": "smooth muscle",
                "normal_mucosa": "normal colon mucosa",
                "stroma": "cancer-associated stroma",
                "adenocarcinoma": "colorectal adenocarcinoma epithelium",
            },
            "An H&E image patch of {}.",
        ),
        _task(
            "pannuke",
            "PanNuke",
            "H&E histology",
            {"benign": "benign", "malignant": "malignant"},
            "An H&E image of {} tissue.",
        ),
        _task(
            "sicapv2",
            "SICAPv2",
            "H&E histology",
            {
                "benign": "benign glands",
                "atrophic": "atrophic dense glands",
                "cribriform": "cribriform ill-formed fused papillary patterns",
                "isolated": "isolated nest cells without lumen roseting patterns",
            },
            "a histopathology slide showing {}.",
        ),
        _task(
            "skin_cancer",
            "SkinCancer",
            "H&E histology",
            {
                "necrosis": "necrosis",
                "skeletal_muscle": "skeletal muscle",
                "eccrine_sweat_glands": "eccrine sweat glands",
                "vessels": "vessels",
                "elastosis": "elastosis",
                "chondral_tissue": "chondral tissue",
                "hair_follicle": "hair follicle",
                "epidermis": "epidermis",
                "nerves": "nerves",
                "subcutis": "subcutis",
                "dermis": "dermis",
                "sebaceous_glands": "sebaceous glands",
                "squamous_cell_carcinoma": "squamous-cell carcinoma",
                "melanoma_in_situ": "melanoma in-situ",
                "basal_cell_carcinoma": "basal-cell carcinoma",
                "naevus": "naevus",
            },
            "a histopathology slide showing {}.",
        ),
        _task("covid", "COVID", "chest X-ray", {"covid": "covid", "normal": "normal"}, "a chest X-ray showing {}."),
        _task(
            "rsna18",
            "RSNA18",
            "chest X-ray",
            {
                "lung_opacity": "Lung Opacity",
                "no_lung_opacity_not_normal": "No Lung Opacity Not Normal",
                "normal": "Normal",
            },
            "a chest X-ray showing {}.",
        ),
    )
}
