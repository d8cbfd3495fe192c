"""Prints the table of README's section "What prompts and denoisers buy" from the records in this folder.

It knows nothing about models: ``python docs/evaluation/tables.py``. Each folder holds one run of ``psmooth evaluate``;
those that end in ``-noisy`` are the retrained model's.
"""

import json
from pathlib import Path
from statistics import mean

from psmooth.evaluate import RADII, summarise, whole_records

HERE = Path(__file__).resolve().parent
Rows = dict[tuple[str, str], list[dict[str, list[float]]]]


def collect(folders: list[Path]) -> Rows:
    """Certified accuracies by (method, denoiser), one entry a task."""
    found: Rows = {}
    for folder in folders:
        for row in summarise(whole_records(folder / "records.jsonl")):
            found.setdefault((row["method"], row["denoiser"]), []).append(row["certified"])
    return found


def lines(rows: Rows, kind: str) -> list[str]:
    """Markdown rows: the mean over tasks at every radius."""
    return [
        f"| {method} | {denoiser} | {kind} | "
        + " | ".join(f"{mean(task[f'{radius:g}'][0] for task in tasks):.2f}" for radius in RADII)
        + " |"
        for (method, denoiser), tasks in rows.items()
    ]


def main() -> None:
    """Print the table, unconditional methods first."""
    folders = sorted(folder for folder in HERE.iterdir() if (folder / "records.jsonl").is_file())
    own = collect([folder for folder in folders if not folder.name.endswith("-noisy")])
    retrained = collect([folder for folder in folders if folder.name.endswith("-noisy")])
    frozen = {key: rows for key, rows in own.items() if key[0] in ("zero_shot", "combined")}
    plain = {key: rows for key, rows in own.items() if key not in frozen}
    print("| method | denoiser | guarantee | " + " | ".join(f"r = {radius:g}" for radius in RADII) + " |")
    print("|---|---|---|" + "---|" * len(RADII))
    table = [*lines(plain, "unconditional"), *lines(retrained, "unconditional, retrained")]
    print("\n".join([*table, *lines(frozen, "**frozen prompt**")]))
    scans = {folder.name: len({row["scan"] for row in whole_records(folder / "records.jsonl")}) for folder in folders}
    print(f"\nScans: {json.dumps(scans)}")


if __name__ == "__main__":
    main()
