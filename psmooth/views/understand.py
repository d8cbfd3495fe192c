"""The words of the view Understand: its headings, its labels, and the sentences that its script fills with numbers.

It knows nothing about Gradio, torch, or how anything is computed or drawn.
"""

import html
import json
from typing import Final

# What the script says: the names in braces are replaced by numbers with their units.
_SAID: Final[dict[str, str]] = {
    "votes_pouring": "Votes come in. The bound is read once: when all {n} are counted.",
    "votes_certified": (
        "{k} of {n} votes are for the answer. With confidence {confidence}, its true share is at least {lower}. "
        "The bell curve turns that share into z = {z}; {z} × {sigma} (the noise level σ) is the radius: "
        "the answer holds within {radius}."
    ),
    "votes_none": (
        "{k} of {n} votes are for the answer. With confidence {confidence}, its true share is at least {lower}: "
        "that is not more than one half, so there is no radius."
    ),
    "votes_count": "{n} votes",
    "votes_truth": "true share {p}",
    "votes_bound": "at least {lower}",
    "votes_no_bound": "at least {lower}: no radius",
    "votes_radius": "R = {radius}",
    "votes_none_yet": "none",
    "votes_axis_share": "share of votes p",
    "votes_axis_count": "votes drawn",
    "votes_axis_z": "z = Φ⁻¹(p)",
    "votes_axis_radius": "radius R",
    "votes_half": "no radius here",
    "votes_times": "× σ = {sigma}",
    "votes_for": "for",
    "votes_against": "against",
    "plane_certified": (
        "{share} of all noisy copies say {name}. So the vote says {name} everywhere inside the circle of radius "
        "{radius}; the smoothed boundary is {distance} away. The plain classifier says {plain} here."
    ),
    "plane_far": (
        "{share} of all noisy copies say {name}. So the vote says {name} everywhere inside the circle of radius "
        "{radius}; the smoothed boundary is not in the picture. The plain classifier says {plain} here."
    ),
    "plane_a": "A",
    "plane_b": "B",
    "plane_region_a": "says A",
    "plane_region_b": "says B",
    "looks_every": "every {batch} votes",
    "looks_once": "once, at {n}",
    "looks_share": "{count} of {runs}",
    "looks_exactly": "in the long run {share}",
    "looks_promise": "promised: at most {promise} of {runs}",
    "looks_run": "Run {run} of {runs}",
    "looks_seed": "seed {seed}",
    "looks_said": (
        "Of {runs} runs, {naive} were once told something false by the ordinary bound and {anytime} by the bound made "
        "for looking. Promised were at most {promise}."
    ),
    "looks_axis": "votes drawn",
    "looks_wrong": "false here",
    "tuned_reach": "R = {radius}",
    "tuned_holds": "The altered scan is {distance} away, inside the radius, and gets {name}: as certified.",
    "tuned_outside": (
        "The altered scan is {distance} away, outside the radius, and gets {name}. Nothing was promised there."
    ),
    "tuned_broken": (
        "The altered scan is {distance} away, inside the radius, and gets {name}: the answer has changed all the same."
    ),
    "tuned_steps": "{steps} of size {rate}",
    "tuned_place": "x = {x}",
    "tuned_truth": "true distance to another answer: {distance}",
    "tuned_a": "A",
    "tuned_b": "B",
}

UNDERSTAND_WORDS: Final[dict[str, str]] = {
    "understand_said": html.escape(json.dumps(_SAID, ensure_ascii=False)),
    "understand_contents": "On this page",
    # 1 · votes to radius
    "understand_votes_short": "Votes to radius",
    "understand_votes_title": "From votes to a radius",
    "understand_votes_lead": (
        "Noisy copies of one crop vote. Their share gives a lower bound that holds with the confidence chosen; the "
        "bell curve turns the bound into a number of standard deviations; times the noise, that is the radius."
    ),
    "understand_votes_alt": (
        "Four linked pictures: votes as they come, their running share, the inverse of the bell curve, and the ruler "
        "of the radius. The sentence beside it tells their numbers."
    ),
    "understand_votes_unit": "certified radius R",
    "understand_votes_units": "L2 distance; crop values from 0 to 1",
    "understand_votes_p": "True share of votes p",
    "understand_votes_n": "Votes drawn n",
    "understand_votes_alpha": "Chance of a false bound α",
    "understand_votes_sigma": "Noise level σ",
    "understand_votes_again": "Draw new votes",
    # 2 · the plane
    "understand_plane_short": "A boundary, smoothed",
    "understand_plane_title": "A boundary, smoothed",
    "understand_plane_lead": (
        "A made-up classifier cuts this plane into A and B along a ragged line. Let noisy copies vote, and the line "
        "turns smooth. Drag the point: inside its circle the smoothed answer does not change."
    ),
    "understand_plane_alt": (
        "A plane cut by a ragged boundary, the smoothed boundary over it, a point with its noisy copies, and its "
        "certified circle. The sentence beside it tells the numbers."
    ),
    "understand_plane_unit": "certified radius R",
    "understand_plane_units": "1 is the height of the picture",
    "understand_plane_sigma": "Noise level σ",
    "understand_plane_knob": "The point: drag it, or move it with the arrow keys",
    "understand_plane_key_plain": "plain boundary",
    "understand_plane_key_smooth": "smoothed boundary",
    "understand_plane_key_for": "copy that says A",
    "understand_plane_key_against": "copy that says B",
    "understand_plane_key_ball": "certified",
    # 3 · looking
    "understand_looks_short": "Looking while votes come in",
    "understand_looks_title": "Why an ordinary bound may not be re-read",
    "understand_looks_lead": (
        "In all these runs the truth is a coin toss: exactly half of the votes name the class. A bound above one half "
        "is false. Read the ordinary bound again and again, and it is false far more often than it promised."
    ),
    "understand_looks_alt": (
        "A hundred runs side by side: the ordinary bound and the bound made for looking, against the truth. "
        "The counts stand beside it."
    ),
    "understand_looks_large_alt": "The chosen run, larger: its share of votes, both bounds, and the truth.",
    "understand_looks_naive": "Ordinary bound, re-read",
    "understand_looks_anytime": "Bound made for looking",
    "understand_looks_counts": "Runs that were told something false",
    "understand_looks_batch": "Look at the bound",
    "understand_looks_alpha": "Promised chance of a false bound α",
    "understand_looks_chosen": "Run shown large",
    "understand_looks_again": "Run again",
    "understand_looks_key_naive": "ordinary (Clopper–Pearson)",
    "understand_looks_key_anytime": "made for looking (anytime)",
    "understand_looks_key_truth": "the truth: one half",
    "understand_looks_key_share": "share so far",
    "understand_looks_key_cross": "ordinary bound first false",
    "understand_looks_key_dot": "bound made for looking false",
    # 4 · a prompt for one scan
    "understand_tuned_short": "A prompt tuned to one scan",
    "understand_tuned_title": "Why a prompt tuned to one scan promises less",
    "understand_tuned_lead": (
        "A scan is one number x here; right of the line the answer is A, left of it B. Tuning moves the line away from "
        "the scan it sees. Drag the altered scan into the claimed radius and watch the third answer."
    ),
    "understand_tuned_alt": "A line cut in two answers, with the scan, the altered scan and the certified radius.",
    "understand_tuned_unit": "claimed radius, prompt frozen",
    "understand_tuned_hand": "Prompt written by hand",
    "understand_tuned_frozen": "Prompt tuned on the scan, then frozen",
    "understand_tuned_again": "Prompt tuned again on what arrives",
    "understand_tuned_hand_kind": "Unconditional",
    "understand_tuned_frozen_kind": "With this prompt frozen",
    "understand_tuned_again_kind": "Not certified",
    "understand_tuned_altered": "Altered scan",
    "understand_tuned_scan": "Scan",
    "understand_tuned_steps": "Tuning steps",
    "understand_tuned_key_scan": "the scan",
    "understand_tuned_key_altered": "the altered scan",
    "understand_tuned_key_broken": "altered, and the promise broken",
    "understand_tuned_key_claim": "claimed radius",
    "understand_tuned_key_border": "where the answer changes",
}
