"""Checks that phantoms are fixed by their arguments and show what their parameters say."""

import numpy as np
import pytest
from scipy import ndimage

from psmooth.errors import TaskError
from psmooth.phantoms import PHANTOMS, draw_phantom
from psmooth.phantoms.draw import phantom_parameters

CLASSES = [(kind.task, class_id) for kind in PHANTOMS.values() for class_id in kind.class_ids]
GRAINY = ("basophil", "eosinophil", "neutrophil")


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
