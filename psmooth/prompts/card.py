"""Writes the card of a repository of prompt banks.

It knows nothing about the Hub.
"""

from collections.abc import Sequence

from psmooth.prompts.bank import PromptBank


def card(repo: str, banks: Sequence[PromptBank]) -> str:
    """The model card of a repository of banks: what each was learned for and how, and the figures in its facts."""
    licences = {bank.facts.licence for bank in banks}
    licence = "apache-2.0" if licences == {"Apache-2.0"} else "other"
    head = ["library_name: psmooth", f"license: {licence}", "tags:", "- randomized-smoothing", "- prompt-learning"]
    what = [
        f"# {repo.split('/')[-1]}",
        f"Prompt banks for psmooth, {len(banks)} in all, learned for frozen models, whose weights are not in here. "
        "They certify nothing by themselves and are not for clinical use.",
        "Where a bank tells its pool, it lists the sha256 of each crop it was learned or chosen on: a hash shows "
        "nothing of a scan, but lets whoever has the same crop recognise it.",
        f"    psmooth banks pull {repo}",
    ]
    columns = ("bank", "method", "model", "task", "denoiser", "noise levels", "labels a class", "licence")
    rows = [_card_row(bank) for bank in banks]
    scores = [(bank.name, name, f"{value:g}") for bank in banks for name, value in bank.facts.scores.items()]
    tables = [_table(columns, rows)]
    if scores:
        figures = (
            "Figures on the split that a bank was chosen on; certified accuracy takes its labels, also where a bank "
        )
        tables += [f"{figures}was learned without any:", _table(("bank", "figure", "value"), scores)]
    return "\n\n".join(["\n".join(["---", *head, "---"]), *what, *tables]) + "\n"


def _card_row(bank: PromptBank) -> tuple[str, ...]:
    facts = bank.facts
    levels = ", ".join(f"{level:g}" for level in facts.noise_levels)
    shots = "none" if facts.shots is None else str(facts.shots)
    model = f"{facts.model} @ {facts.model_revision[:12]}"
    task = f"{facts.task}: {'; '.join(facts.class_names)}"
    return bank.name, facts.method, model, task, facts.denoiser, levels, shots, facts.licence


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(
        "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in row) + " |" for row in lines
    )
