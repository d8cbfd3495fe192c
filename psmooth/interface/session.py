"""What one tab has on the server: a scan, banks, its language, what its views show, and which run is the wanted one.

It knows nothing about Gradio, or how a run is made.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from psmooth.certificate import Abstention, Certificate
from psmooth.interface.requests import Bundle, ChosenScan, RunRequest, TrainingRequest
from psmooth.interface.steps import MOST_BANKS, AttackStep, RunStep
from psmooth.prompts import PromptBank
from psmooth.scans import Scan
from psmooth.smoothing import Comparison
from psmooth.views import records as views_records
from psmooth.views.locale import IN_WORDS, Locale, using_locale

Shown = TypeVar("Shown")

MOST_LISTS = 100  # scans whose runs one tab remembers


@dataclass(eq=False)
class Session:
    """What one tab has on the server: its scan, and which of its runs is the wanted one.

    Runs are numbered. A run that finds a later one wanted ends itself, so a second click needs no more than a number.
    """

    chosen: ChosenScan | None = None
    bundle: Bundle | None = None  # of which one series is, or is to be, chosen
    left: ChosenScan | None = None  # whose other frames can be chosen, where the last one could not be read
    request: RunRequest | TrainingRequest | None = None
    wanted: int = 0
    begun: int = 0
    stopping: bool = False
    banks: tuple[PromptBank, ...] = ()
    view: str = "certify"
    box: tuple[int, int, int, int] | None = None
    asking: bool = False  # what the scan shows; no run starts by itself meanwhile
    locale: Locale = IN_WORDS
    shown: dict[str, partial[Mapping[str, Any]]] = field(default_factory=dict)
    lists: dict[str, list[Certificate | Abstention]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.set_scan(self.chosen)

    @property
    def scan(self) -> Scan | None:
        """The scan that was chosen."""
        return self.chosen.scan if self.chosen else None

    def is_usual(self, center: float | None, width: float | None) -> bool:
        """Whether that is the window which the scan offers first; it is another one for another frame."""
        usual = self.scan.window if self.scan else None
        return usual is None or (usual.center, usual.width) == (center, width)

    @property
    def results(self) -> list[Certificate | Abstention]:
        """What the runs on this scan have come to, those before it was left included."""
        return self.lists[self.chosen.identity] if self.chosen else []

    def translated(self, words: Callable[..., Shown], *values: Any) -> Shown:
        """What a function of the views says, in the visitor's language."""
        with using_locale(self.locale):
            return words(*values)

    def show(self, view: str, words: Callable[..., Mapping[str, Any]], *values: Any) -> Mapping[str, Any]:
        """The same, kept as what a view shows now: if the visitor changes the language, it is said again."""
        self.shown[view] = partial(words, *values)  # without this session: what holds itself outlives its last holder
        return self.translated(self._shown, view, self.shown[view])

    def shows(self, view: str, words: Callable[..., Mapping[str, Any]]) -> bool:
        """Whether that is what a view shows now."""
        return view in self.shown and self.shown[view].func is words

    def resaid(self, view: str) -> Mapping[str, Any] | None:
        """What a view shows, said again as language and list of runs are now; None where it shows nothing."""
        return self.translated(self._shown, view, self.shown[view]) if view in self.shown else None

    def _shown(self, view: str, words: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
        """What *Certify* shows of a run goes with a list of all runs on this scan, once there are several."""
        said = words()
        listed = view == "certify" and len(self.results) > 1 and said["state"] not in ("idle", "failed")
        return {**said, "runs": views_records.runs(self.results)} if listed else said

    def set_scan(self, chosen: ChosenScan | None, bundle: Bundle | None = None, left: ChosenScan | None = None) -> None:
        """Another scan, or none, or none yet of a bundle; the box of the one before goes, and whatever else holds that.

        The list of its runs stays under its identity.
        """
        if self.chosen is not chosen:
            for view in ("certify", "compare", "attack"):
                self.shown.pop(view, None)
            if not isinstance(self.request, TrainingRequest):
                self.request = None
        self.chosen, self.bundle, self.box = chosen, chosen.bundle if chosen else bundle, None
        self.left = None if chosen else left
        if chosen is not None:
            self.lists[chosen.identity] = self.lists.pop(chosen.identity, [])
            while len(self.lists) > MOST_LISTS:
                del self.lists[next(iter(self.lists))]

    def has(self, chosen: ChosenScan) -> bool:
        """Whether the visitor's scan is still that one."""
        return self.chosen is not None and self.chosen.identity == chosen.identity

    def add_banks(self, banks: Iterable[PromptBank]) -> None:
        """Banks join the menu, the latest last; beyond `MOST_BANKS` the oldest leave it."""
        latest = {bank.sha256: bank for bank in banks}
        self.banks = (*(bank for bank in self.banks if bank.sha256 not in latest), *latest.values())[-MOST_BANKS:]

    @property
    def weight(self) -> int:
        """Bytes of what the visitor brought."""
        held = self.chosen or self.left or self.bundle
        return held.weight if held else 0

    @property
    def address(self) -> str:
        """Where that came from."""
        held = self.chosen or self.left or self.bundle
        return held.address if held else ""

    def forget(self) -> None:
        """No scan, and no list of any; what a run on one of them still comes to is listed nowhere."""
        self.set_scan(None)
        self.lists.clear()
        self.request_run(None)
        self.shown.clear()

    def add_result(self, ended: RunStep | AttackStep | Comparison, chosen: ChosenScan) -> None:
        """List what runs on a scan have come to, ended by themselves or not; one that has counted no vote is none."""
        if chosen.identity in self.lists:
            outcomes = ended.outcomes() if isinstance(ended, Comparison) else (ended.outcome(),)
            self.lists[chosen.identity] += [one for one in outcomes if one and one.votes.total]

    def request_run(self, request: RunRequest | TrainingRequest | None, view: str = "certify") -> None:
        """Ask for a run that a view shows; without a request, end the one that is on."""
        self.request, self.stopping, self.view = request, False, view
        self.wanted += 1
        if request is None:
            self.begun = self.wanted

    def begin(self, view: str = "certify") -> int | None:
        """The number of the wanted run, once; None if it has begun, is another view's, or nothing is wanted."""
        if self.request is None or self.begun == self.wanted or self.view != view:
            return None
        self.begun = self.wanted
        return self.wanted
