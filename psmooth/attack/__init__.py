"""Attacks: changes of a crop that make the plain model fall, and the search for those that turn a certified vote.

It knows nothing about pages.
"""

from psmooth.attack.attacking import QUICK, THOROUGH, AttackProgress, Effort, attack
from psmooth.attack.folder import attack_folder
from psmooth.attack.grid import Change
from psmooth.attack.line import Point, points_between
from psmooth.attack.pipeline import attack_pipeline
from psmooth.attack.plain import PlainProgress, attack_plain
from psmooth.attack.records import attack_record, save_crop
from psmooth.attack.smoothed import Attempt, SmoothedProgress, attack_smallest, attack_smoothed
from psmooth.attack.summary import write_attack_summary
from psmooth.attack.target import Target, find_target

__all__ = [
    "QUICK",
    "THOROUGH",
    "AttackProgress",
    "Attempt",
    "Change",
    "Effort",
    "PlainProgress",
    "Point",
    "SmoothedProgress",
    "Target",
    "attack",
    "attack_folder",
    "attack_pipeline",
    "attack_plain",
    "attack_record",
    "attack_smallest",
    "attack_smoothed",
    "find_target",
    "points_between",
    "save_crop",
    "write_attack_summary",
]
