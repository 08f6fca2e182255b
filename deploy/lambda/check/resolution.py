"""The translated template with its functions worked out for one set of parameters, as CloudFormation would.

What exists only after a deployment is written as the reference to it: `<EventQueue>`, `<EventQueue.Arn>`.
"""

import re
from typing import Any

from document import REGION, Document

_PSEUDO = {
    "AWS::Region": REGION,
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::StackName": "analytics",
}


class _Nothing:
    """`AWS::NoValue`: the property is not there."""


_NOTHING = _Nothing()


def resolve(translated: Document) -> Document:
    """The resources and outputs that are made, each with plain values."""
    return _Resolver(translated).document()


class _Resolver:
    def __init__(self, translated: Document) -> None:
        self._translated = translated
        self._conditions = translated.get("Conditions", {})
        self._values = {name: self._parameter(spec) for name, spec in translated.get("Parameters", {}).items()}

    def document(self) -> Document:
        return {part: self._made(self._translated.get(part, {})) for part in ("Resources", "Outputs")}

    def holds(self, name: str) -> bool:
        return bool(self._value(self._conditions[name]))

    @staticmethod
    def _parameter(spec: Document) -> Any:
        value = spec.get("Default", "")
        return value.split(",") if spec["Type"] == "CommaDelimitedList" else value

    def _made(self, entries: Document) -> Document:
        made = {}
        for name, entry in entries.items():
            if "Condition" not in entry or self.holds(entry["Condition"]):
                made[name] = self._value({key: value for key, value in entry.items() if key != "Condition"})
        return made

    def _value(self, node: Any) -> Any:
        if isinstance(node, list):
            return [value for value in map(self._value, node) if value is not _NOTHING]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            [(name, argument)] = node.items()
            work_out = self._FUNCTIONS.get(name)
            if work_out and not (name == "Condition" and isinstance(argument, dict)):
                return work_out(self, argument)
        resolved = {key: self._value(value) for key, value in node.items()}
        return {key: value for key, value in resolved.items() if value is not _NOTHING}

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return _NOTHING
        return self._values.get(name, _PSEUDO.get(name, f"<{name}>"))

    def _get_att(self, path: Any) -> str:
        return f"<{path if isinstance(path, str) else '.'.join(path)}>"

    def _sub(self, argument: Any) -> str:
        text, own = (argument, {}) if isinstance(argument, str) else (argument[0], self._value(argument[1]))

        def fill(match: re.Match[str]) -> str:
            name = match[1]
            if name in own:
                return str(own[name])
            return self._get_att(name) if "." in name else str(self._ref(name))

        return re.sub(r"\$\{([^!}][^}]*)\}", fill, text)

    def _if(self, argument: list[Any]) -> Any:
        condition, then, otherwise = argument
        return self._value(then if self.holds(condition) else otherwise)

    def _join(self, argument: list[Any]) -> str:
        return argument[0].join(str(value) for value in self._value(argument[1]))

    def _split(self, argument: list[Any]) -> list[str]:
        return self._value(argument[1]).split(argument[0])

    def _select(self, argument: list[Any]) -> Any:
        return self._value(argument[1])[int(argument[0])]

    def _equals(self, argument: list[Any]) -> bool:
        left, right = self._value(argument)
        return str(left) == str(right)

    _FUNCTIONS = {
        "Ref": _ref,
        "Fn::GetAtt": _get_att,
        "Fn::Sub": _sub,
        "Fn::If": _if,
        "Fn::Join": _join,
        "Fn::Split": _split,
        "Fn::Select": _select,
        "Fn::Equals": _equals,
        "Fn::Not": lambda self, argument: not self._value(argument[0]),
        "Fn::And": lambda self, argument: all(self._value(argument)),
        "Fn::Or": lambda self, argument: any(self._value(argument)),
        "Condition": holds,
    }
