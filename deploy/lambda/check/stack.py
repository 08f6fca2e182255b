"""The template under one scenario: as written, translated, and as what is made of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import document
import resolution
from document import Document
from findings import Broken
from scenarios import Scenario

FUNCTIONS = ("Collector", "Api", "Processor", "Maintenance")


@dataclass(frozen=True)
class Stack:
    """A stack that nobody has deployed."""

    scenario: Scenario
    translated: Document
    resources: Document

    @classmethod
    def plan(cls, template: Document, scenario: Scenario) -> "Stack":
        """What `template` makes with the scenario's parameters."""
        translated = document.translate(document.fill_in(template, scenario.parameters))
        return cls(scenario, translated, resolution.resolve(translated)["Resources"])

    def properties(self, name: str) -> Document:
        """The properties of the resource `name`, which has to be there."""
        if name not in self.resources:
            raise Broken(f"the template makes no {name}")
        return self.resources[name].get("Properties", {})

    def of(self, kind: str) -> Iterator[tuple[str, Document]]:
        """The names and properties of all resources of a type."""
        for name, resource in self.resources.items():
            if resource["Type"] == kind:
                yield name, resource.get("Properties", {})

    def parameter(self, name: str) -> Any:
        """A parameter's description: its default, bounds and type."""
        return self.translated["Parameters"][name]

    def variables(self, function: str) -> Document:
        """The environment of the function `function`, named without its ending."""
        return self.properties(f"{function}Function")["Environment"]["Variables"]
