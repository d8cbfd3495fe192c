"""A visitor who presses what a page shows, by the names of its controls alone: whatever happens behind them.

It knows Gradio's configuration and its queue, and nothing about psmooth: no function, no parameter and no component of
its code is named here, so that all of them may be renamed.
"""

from typing import Any

from tests.visitor import Visitor, last_of

Values = dict[int, Any]


class Clicker:
    """A page as a browser has it: what its components hold, and what follows when one of them is used."""

    def __init__(self, url: str, language: str = "en") -> None:
        self.visitor = Visitor(url)
        self.visitor.web.headers["accept-language"] = language
        self.config = self.visitor.config
        self.values: Values = {one["id"]: one["props"].get("value") for one in self.config["components"]}

    def __enter__(self) -> "Clicker":
        return self

    def __exit__(self, *_: object) -> None:
        self.visitor.web.close()

    def control(self, name: str) -> int:
        """A component by its element or by its label."""
        found = [one["id"] for one in self.config["components"] if name in _names(one)]
        assert found, f"there is no control named {name!r}"
        return found[0]

    def set(self, **values: Any) -> None:
        """Controls by label, with underscores for spaces, as a hand would set them."""
        for name, value in values.items():
            self.values[self.control(name.replace("_", " "))] = value

    def open(self) -> None:
        """What follows when a browser has loaded the page."""
        for dependency in self.config["dependencies"]:
            if any(event == "load" for _, event in dependency["targets"]):
                self._run(dependency, None)

    def use(self, control: int, event: str, data: Any = None) -> None:
        """An event of a component, and all that follows upon its success."""
        asked = [
            one
            for one in self.config["dependencies"]
            if [control, event] in [list(target) for target in one["targets"]]
        ]
        assert asked, f"nothing follows upon {event}"
        for dependency in asked:
            self._run(dependency, data)

    def _run(self, dependency: dict[str, Any], data: Any) -> None:
        if not dependency["backend_fn"]:
            return
        given = [self.values.get(part) for part in dependency["inputs"]]
        body = {"fn_index": dependency["id"], "session_hash": self.visitor.session, "event_data": data, "data": given}
        if dependency["queue"]:
            self.visitor.web.post("/queue/join", json=body).raise_for_status()
            ended = last_of(self.visitor.listen())
            assert ended["success"], ended
            answer = ended["output"]
        else:
            answer = self.visitor.web.post("/run/predict", json=body).raise_for_status().json()
        self._take(dependency["outputs"], answer["data"])
        for following in self.config["dependencies"]:
            if following["trigger_after"] == dependency["id"] and not following["trigger_only_on_failure"]:
                self._run(following, None)

    def _take(self, outputs: list[int], answer: list[Any]) -> None:
        for part, value in zip(outputs, answer, strict=True):
            if isinstance(value, dict) and value.get("__type__") == "update":
                if "value" not in value:
                    continue
                value = value["value"]
            self.values[part] = value


def _names(component: dict[str, Any]) -> set[str]:
    props = component["props"]
    return {str(props[name]) for name in ("elem_id", "label", "value") if isinstance(props.get(name), str)}
