"""How many votes a run needs that ends as it is settled: ``python docs/votes.py`` writes the tables of speed.md.

It knows nothing about scans and models: votes are drawn with the shares that the shipped evaluation has counted for
`pocket` behind its learned denoiser, hand-written prompts and the label-free probe, σ = .25 and .5, seven tasks.

Bounds that may be read at every look are held against each other: the beta mixture that psmooth uses; a betting
martingale with predictable bets (Waudby-Smith & Ramdas 2024, arXiv 2010.09686, section 4, one-sided); and
Clopper-Pearson at looks in geometric progression, the failure probability shared evenly among them. A single
Clopper-Pearson look at a number of votes known beforehand is the floor: no bound that may be read twice needs less.
"""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from psmooth.bounds import FloatArray, anytime_lower, certified_radius, clopper_pearson_lower

HERE = Path(__file__).resolve().parent
SCANS, ANNOUNCED, EVERY, ALPHA = 300, 10_000, 100, 0.001
LOOKS = np.arange(EVERY, ANNOUNCED + 1, EVERY)
TOLERANCES = (0.05, 0.1, 0.2, 0.3)

Votes = NDArray[np.bool_]  # (scans, announced): is a vote one for a certificate
Bound = Callable[[Votes, float], FloatArray]  # (scans, looks) lower bounds on the share, at a failure probability


def counts_at_looks(votes: Votes) -> FloatArray:
    """(scans, looks) votes for a certificate, as far as each look sees."""
    return votes.cumsum(1)[:, LOOKS - 1].astype(np.float64)


def mixture(votes: Votes, alpha: float) -> FloatArray:
    """psmooth's own."""
    return anytime_lower(counts_at_looks(votes), LOOKS, alpha)


def single(votes: Votes, alpha: float) -> FloatArray:
    """Each look as if it were the only one: no bound that may be read twice, but what none of them can beat."""
    return clopper_pearson_lower(counts_at_looks(votes), LOOKS, alpha)


def geometric(ratio: float, first: int = 300) -> Bound:
    """Clopper-Pearson at looks in geometric progression up to the announced end."""
    steps = first * ratio ** np.arange(np.ceil(np.log(ANNOUNCED / first) / np.log(ratio)))
    chosen = np.unique([*(np.ceil(steps / EVERY) * EVERY), ANNOUNCED]).astype(int)

    def bound(votes: Votes, alpha: float) -> FloatArray:
        at = np.isin(LOOKS, chosen)
        return np.where(at, clopper_pearson_lower(counts_at_looks(votes), LOOKS, alpha / len(chosen)), 0.0)

    return bound


def betting(votes: Votes, alpha: float) -> FloatArray:
    """The largest share at which the bettor against it has won 1 / alpha."""
    return np.stack([_bets(one.astype(np.float64), alpha) for one in votes])


def _bets(votes: FloatArray, alpha: float) -> FloatArray:
    """One scan; shares are tried on a grid that is fine near 1, so the bound is at most a step too low."""
    shares = 1 - np.geomspace(1 - 0.3, 3e-4, 500)
    cast = np.arange(1, len(votes) + 1)
    means = (0.5 + votes.cumsum()) / (cast + 1)
    spread = (0.25 + ((votes - means) ** 2).cumsum()) / (cast + 1)
    before = np.concatenate([[0.25], spread[:-1]])
    bets = np.sqrt(2 * np.log(1 / alpha) / (before * cast * np.log(cast + 1)))
    won = np.zeros((len(LOOKS), len(shares)))
    for place, share in enumerate(shares):
        gains = np.log1p(np.minimum(bets, 0.75 / share) * (votes - share))
        won[:, place] = gains.cumsum()[LOOKS - 1]
    best = np.maximum.accumulate(won, 0) >= np.log(1 / alpha)
    return np.where(best, shares, 0.0).max(1)


BOUNDS: dict[str, tuple[Bound, float]] = {
    "beta mixture, a tenth of α (psmooth)": (mixture, ALPHA / 10),
    "beta mixture, all of α": (mixture, ALPHA),
    "betting, all of α": (betting, ALPHA),
    "Clopper-Pearson at looks × 1.25, all of α": (geometric(1.25), ALPHA),
    "Clopper-Pearson at looks × 2, all of α": (geometric(2.0), ALPHA),
    "one Clopper-Pearson look, its moment known": (single, ALPHA),
}


def drawn_votes() -> tuple[Votes, Votes]:
    """Votes for the leader, and votes that are not its best rival's."""
    rng = np.random.default_rng(0)
    files = [file for file in sorted(HERE.glob("evaluation/*/records.jsonl")) if "noisy" not in file.parent.name]
    records = [json.loads(line) for file in files for line in file.read_text("utf-8").splitlines()]
    asked = [one for one in records if one["denoiser"] == "learned" and one["noise_level"] in (0.25, 0.5)]
    asked = [one for one in asked if one["method"] in ("template", "label_free_probe")]
    leaders, others = np.empty((2, SCANS, ANNOUNCED), np.bool_)
    for row, place in enumerate(rng.choice(len(asked), SCANS, replace=False)):
        counts = np.array(sorted(asked[place]["counts"].values())[::-1], np.float64)
        votes = rng.choice(len(counts), ANNOUNCED, p=counts / counts.sum())
        leaders[row], others[row] = votes == 0, votes != 1
    return leaders, others


def radii(bound: Bound, leaders: Votes, others: Votes, alpha: float) -> FloatArray:
    """(scans, looks) radii in σ, the best so far; half of alpha for each of the two bounds."""
    upper = 1 - bound(others, alpha / 2)
    return np.maximum.accumulate(certified_radius(bound(leaders, alpha / 2), 1.0, upper), 1)


def promised(leaders: Votes, others: Votes) -> FloatArray:
    """(scans, looks) what the announced end would certify if votes went on to fall as they did."""
    ahead = np.ceil(counts_at_looks(leaders) * ANNOUNCED / LOOKS)
    behind = np.ceil(counts_at_looks(others) * ANNOUNCED / LOOKS)
    lower, upper = (clopper_pearson_lower(one, ANNOUNCED, 0.9 * ALPHA / 2) for one in (ahead, behind))
    return certified_radius(lower, 1.0, 1 - upper)


def row(name: str, found: FloatArray, end: FloatArray) -> str:
    """Median votes by tolerance, and in brackets the mean."""
    cells = []
    for tolerance in TOLERANCES:
        settled = (found > 0) & (found >= (1 - tolerance) * end)
        votes = np.where(settled.any(1), LOOKS[settled.argmax(1)], ANNOUNCED)
        cells.append(f"{np.median(votes):,.0f} ({votes.mean():,.0f})")
    return f"| {name} | {' | '.join(cells)} |"


def table() -> str:
    """The table in Markdown."""
    leaders, others = drawn_votes()
    end = promised(leaders, others)
    head = ["votes until the radius is within … of what 10,000 would give", *(f"{one:.0%}" for one in TOLERANCES)]
    rows = [row(name, radii(bound, leaders, others, alpha), end) for name, (bound, alpha) in BOUNDS.items()]
    return "\n".join([f"| {' | '.join(head)} |", "|" + " --- |" * len(head), *rows])


def main() -> None:
    """Between the marks of speed.md."""
    file = HERE / "speed.md"
    before, rest = file.read_text("utf-8").split("<!-- votes -->\n")
    after = rest.split("<!-- /votes -->")[1]
    file.write_text(f"{before}<!-- votes -->\n{table()}\n<!-- /votes -->{after}", "utf-8")


if __name__ == "__main__":
    main()
