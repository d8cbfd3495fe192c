"""Checks that phantoms are fixed by their arguments and show what their parameters say."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from psmooth.errors import TaskError
from psmooth.interface.gallery import PHANTOMS as EXAMPLES
from psmooth.interface.gallery import Example
from psmooth.models import MedVLM, load_model
from psmooth.phantoms import PHANTOMS, Phantom, draw_phantom
from psmooth.phantoms.draw import phantom_parameters
from psmooth.scans import crop_scan
from psmooth.tasks import TASKS

CLASSES = [(kind.task, class_id) for kind in PHANTOMS.values() for class_id in kind.class_ids]
GRAINY = ("basophil", "eosinophil", "neutrophil")


@pytest.fixture(scope="module", params=["pocket", "pocket-noisy"])
def pocket(request: pytest.FixtureRequest) -> MedVLM:
    return load_model(request.param, "cpu")


@pytest.mark.parametrize(("task", "class_id"), CLASSES)
def test_every_class_is_drawn_the_same_twice_and_otherwise_from_another_seed(task: str, class_id: str) -> None:
    one, again, other = (draw_phantom(task, class_id, seed) for seed in (11, 11, 12))
    assert one.pixels.shape == (160, 160, 3)
    assert one.pixels.dtype == np.uint8
    assert one.pixels.tobytes() == again.pixels.tobytes()
    assert one.parameters == again.parameters
    assert one.pixels.tobytes() != other.pixels.tobytes()
    assert all(mask.shape == (160, 160) and mask.dtype == bool for mask in one.masks.values())


@pytest.mark.parametrize(("task", "class_id"), CLASSES)
def test_the_recorded_parameters_draw_the_phantom_again(task: str, class_id: str) -> None:
    phantom = draw_phantom(task, class_id, 5)
    assert phantom.parameters.keys() == phantom_parameters(task, class_id).keys()
    assert draw_phantom(task, class_id, 5, **phantom.parameters).pixels.tobytes() == phantom.pixels.tobytes()


def test_giving_one_parameter_leaves_the_others() -> None:
    drawn = draw_phantom("blood_cells", "neutrophil", 3).parameters
    given = draw_phantom("blood_cells", "neutrophil", 3, lobes=5).parameters
    assert given == drawn | {"lobes": 5}


@pytest.mark.parametrize("class_id", GRAINY)
@pytest.mark.parametrize("lobes", [2, 3])
def test_a_nucleus_has_as_many_lobes_as_asked(class_id: str, lobes: int) -> None:
    for seed in range(4):
        assert _lobes_counted(class_id, seed, lobes) == lobes


@pytest.mark.parametrize("lobes", [4, 5])
def test_a_neutrophil_may_have_more_lobes(lobes: int) -> None:
    assert [_lobes_counted("neutrophil", seed, lobes) for seed in range(4)] == [lobes] * 4


def test_the_nucleus_is_the_dark_part_of_the_cell() -> None:
    for class_id in ("neutrophil", "lymphocyte", "monocyte", "erythroblast", "eosinophil"):
        phantom = draw_phantom("blood_cells", class_id, 8)
        green = phantom.pixels[..., 1].astype(float)
        nucleus, cell = phantom.masks["nucleus"], phantom.masks["cell"]
        assert green[nucleus].mean() + 40 < green[cell & ~_widened(nucleus)].mean()


def test_red_granules_make_an_eosinophil_redder_than_a_neutrophil() -> None:
    assert _redness("eosinophil") > _redness("neutrophil") + 15


@pytest.mark.parametrize("side", ["right", "left"])
def test_consolidation_brightens_the_side_that_is_named(side: str) -> None:
    for seed in range(4):
        given = {"opacity_side": side, "marker": "none"}
        faint, dense = (_lung_means(seed, opacity_strength=strength, **given) for strength in (0.5, 1.0))
        gains = {name: dense[name] - faint[name] for name in dense}
        other = {"right": "left", "left": "right"}[side]
        assert gains[side] > 2 > abs(gains[other])


def test_consolidation_lies_in_one_lung_and_a_normal_film_has_none() -> None:
    masks = draw_phantom("chest_xray", "bacterial_pneumonia", 4, opacity_side="right").masks
    assert masks["opacity"].any()
    assert not (masks["opacity"] & ~masks["right_lung"]).any()
    assert not draw_phantom("chest_xray", "normal", 4).masks["opacity"].any()


def test_films_are_grey() -> None:
    pixels = draw_phantom("chest_xray", "normal", 0).pixels
    assert (pixels[..., 0] == pixels[..., 1]).all()
    assert (pixels[..., 0] == pixels[..., 2]).all()


def test_nuclei_take_the_blue_dye() -> None:
    for class_id in PHANTOMS["lung_colon_histology"].class_ids:
        phantom = draw_phantom("lung_colon_histology", class_id, 2)
        nuclei = phantom.masks["nuclei"]
        assert phantom.pixels[nuclei].mean() + 20 < phantom.pixels[~nuclei].mean()


@pytest.mark.parametrize("class_id", PHANTOMS["oral_histology"].class_ids)
def test_nuclei_of_the_mouth_take_the_blue_dye(class_id: str) -> None:
    phantom = draw_phantom("oral_histology", class_id, 2)
    nuclei = phantom.masks["nuclei"]
    assert phantom.pixels[nuclei].mean() + 20 < phantom.pixels[~nuclei].mean()


def test_the_lining_of_the_mouth_has_a_surface_and_a_carcinoma_has_lost_it() -> None:
    for seed in range(4):
        lining, nests = (draw_phantom("oral_histology", name, seed) for name in PHANTOMS["oral_histology"].class_ids)
        empty = np.zeros(lining.masks["slide"].shape, np.int32)
        ndimage.label(lining.masks["slide"], output=empty)
        assert np.bincount(empty.ravel())[1:].max() > 600, "bare slide beyond the surface"
        assert lining.masks["nuclei"].mean() < nests.masks["nuclei"].mean()


def test_a_tumour_is_where_its_mask_says_and_a_healthy_head_has_none() -> None:
    assert not draw_phantom("brain_mri", "no_tumour", 3).masks["tumour"].any()
    for seed in range(4):
        for class_id in ("meningioma", "pituitary_tumour"):
            phantom = draw_phantom("brain_mri", class_id, seed)
            tumour = phantom.masks["tumour"]
            around = np.asarray(ndimage.binary_dilation(tumour, iterations=8)) & ~_widened(tumour)
            assert phantom.pixels[tumour].mean() > 1.5 * phantom.pixels[around].mean()


def test_a_glioma_is_dark_within_a_brighter_ring() -> None:
    for seed in range(4):
        phantom = draw_phantom("brain_mri", "glioma", seed, necrosis=0.8)
        tumour = phantom.masks["tumour"]
        core = _narrowed(tumour, 8)
        ring = tumour & ~_narrowed(tumour, 3)
        assert phantom.pixels[core].mean() + 10 < phantom.pixels[ring].mean()


def test_the_side_of_a_tumour_is_the_one_that_is_named() -> None:
    for side, half in (("right", slice(0, 80)), ("left", slice(80, 160))):
        tumour = draw_phantom("brain_mri", "meningioma", 2, side=side, tilt=0.0).masks["tumour"]
        assert tumour[:, half].sum() > 0.9 * tumour.sum()


def test_a_benign_lesion_lies_and_a_malignant_one_stands_over_a_shadow() -> None:
    for seed in range(4):
        benign, malignant = (draw_phantom("breast_ultrasound", name, seed) for name in ("benign", "malignant"))
        assert _height_over_width(benign.masks["lesion"]) < 1 < _height_over_width(malignant.masks["lesion"])
        behind = malignant.masks["lesion"].any(axis=0)
        deepest = malignant.pixels[-30:].mean(axis=(0, 2))
        assert deepest[behind].mean() + 10 < deepest[~behind].mean()
    assert not draw_phantom("breast_ultrasound", "normal", 1).masks["lesion"].any()


def test_a_melanoma_is_larger_and_of_more_colours_than_a_nevus() -> None:
    for seed in range(4):
        melanoma, nevus = (
            draw_phantom("dermoscopy", name, seed, hairs=0, vignette="none") for name in ("melanoma", "nevus")
        )
        assert melanoma.masks["lesion"].sum() > nevus.masks["lesion"].sum()
        assert _spread(melanoma) > _spread(nevus)


@pytest.mark.parametrize("item", EXAMPLES.items, ids=lambda item: item.class_id)
def test_the_pocket_model_names_every_example_rightly_but_the_one_that_shows_an_error(
    pocket: MedVLM, item: Example
) -> None:
    task, crop = TASKS[item.task], crop_scan(item.open(), pocket.crop_rule)
    pixels = torch.from_numpy(crop.pixels)[None].float() / 255
    likeness = pocket.embed_images(pixels) @ pocket.embed_prompts(task.templates, task.class_names).T
    is_right = task.class_ids[int(likeness.argmax())] == item.class_id
    assert is_right == (item.class_id != "immature_granulocyte")


def test_what_is_not_known_is_refused_with_what_is() -> None:
    with pytest.raises(TaskError, match="blood_cells, chest_xray"):
        draw_phantom("knee_xray", "normal", 0)
    with pytest.raises(TaskError, match="normal, bacterial_pneumonia, viral_pneumonia"):
        draw_phantom("chest_xray", "tuberculosis", 0)
    with pytest.raises(TaskError, match=r"'fingers'.*lobes"):
        draw_phantom("blood_cells", "neutrophil", 0, fingers=3)
    with pytest.raises(TaskError, match="whole number from 2 to 5"):
        draw_phantom("blood_cells", "neutrophil", 0, lobes=9)
    with pytest.raises(TaskError, match="one of right, left"):
        draw_phantom("chest_xray", "bacterial_pneumonia", 0, opacity_side="both")
    with pytest.raises(TaskError, match="seed"):
        draw_phantom("chest_xray", "normal", 1.5)  # pyright: ignore[reportArgumentType]


def _lobes_counted(class_id: str, seed: int, lobes: int) -> int:
    patches = np.zeros((160, 160), np.int32)
    ndimage.label(draw_phantom("blood_cells", class_id, seed, lobes=lobes).masks["lobes"], output=patches)
    return int((np.bincount(patches.ravel())[1:] >= 4).sum())


def _narrowed(mask: np.ndarray, by: int) -> np.ndarray:
    return np.asarray(ndimage.binary_erosion(mask, iterations=by))


def _widened(mask: np.ndarray) -> np.ndarray:
    return np.asarray(ndimage.binary_dilation(mask, iterations=2))


def _redness(class_id: str) -> float:
    phantom = draw_phantom("blood_cells", class_id, 1, slide="cream")
    body = phantom.masks["cell"] & ~_widened(phantom.masks["nucleus"])
    red, green, _ = phantom.pixels[body].mean(axis=0)
    return float(red - green)


def _lung_means(seed: int, **given: object) -> dict[str, float]:
    phantom = draw_phantom("chest_xray", "bacterial_pneumonia", seed, **given)
    return {side: float(phantom.pixels[phantom.masks[f"{side}_lung"], 0].mean()) for side in ("right", "left")}


def _height_over_width(mask: np.ndarray) -> float:
    rows, cols = np.nonzero(mask)
    return float(rows.std() / cols.std())


def _spread(phantom: Phantom) -> float:
    """How far the colours of a lesion lie from their mean."""
    return float(phantom.pixels[phantom.masks["lesion"]].std(axis=0).mean())
