"""Monitors as YAML: a list under `monitors`, each with its fields in the order of the form."""

from __future__ import annotations

from typing import Any

import yaml

from monitors.exchange.document import DEFAULTS, Document
from monitors.exchange.entry import Entry, FileError

MOST_DEPTH = 10
HEAD = "# Monitors of cClear. Nodes and groups are named; what is left out stays as it is, or has its default.\n"


def write(documents: list[Document]) -> str:
    """The file. Fields that have their default are written too: a file says the same on any later version."""
    return HEAD + yaml.dump({"monitors": documents}, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=110)


class _Plain(yaml.SafeDumper):
    """Lists that two monitors share are written twice: what is read must not have aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def read(text: str) -> list[Entry]:
    """Every entry with the line it begins in. FileError if there is no list of monitors."""
    try:
        _refuse_depth(text)
        loader = _FASTEST(text)
        try:
            root = loader.get_single_node()
            if root is None:
                raise FileError("the file is empty", 1)
            return [_entry(loader, node) for node in _items(root)]
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        said = getattr(error, "problem", None) or str(error)
        raise FileError(f"this is not YAML: {said}", mark.line + 1 if mark else 1) from None


def _refuse_depth(text: str) -> None:
    """Aliases grow a small file to any size, and depth eats the stack: a list of monitors has neither."""
    depth = 0
    for event in yaml.parse(text, Loader=_FASTEST):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.AliasEvent):
            raise FileError("aliases (*name) are not taken; write each monitor out", _line(event))
        if depth > MOST_DEPTH:
            raise FileError("lists lie in lists too deeply", _line(event))


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


# The one in C where the package has it: a file of a thousand monitors takes 0.1 s instead of 2 s.
_FASTEST: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _items(root: yaml.Node) -> list[yaml.Node]:
    """The list of monitors: the root itself, or what stands under `monitors`."""
    if isinstance(root, yaml.MappingNode):
        names = [key.value for key, _ in root.value]
        if "monitors" not in names:
            if "name" in names:
                return [root]
            raise FileError("there is no list called 'monitors'", root.start_mark.line + 1)
        root = root.value[names.index("monitors")][1]
    if isinstance(root, yaml.SequenceNode):
        return list(root.value)
    raise FileError("'monitors' is not a list; each of its items begins with '- name:'", root.start_mark.line + 1)


def _entry(loader: Any, node: yaml.Node) -> Entry:
    line = node.start_mark.line + 1
    if not isinstance(node, yaml.MappingNode):
        return Entry(line, {}, ("this is no monitor: write '- name: ...' and its fields below",))
    found: Document = {}
    lines: dict[str, int] = {}
    problems = []
    for key, value in node.value:
        name = str(key.value)
        if name in found:
            problems.append(f"line {key.start_mark.line + 1}: '{name}' stands there twice")
        # Numbers and words that YAML would take for something else (a name `no`, a tag `1e3`) stay text where text is.
        plain = isinstance(value, yaml.ScalarNode) and isinstance(DEFAULTS.get(name), str)
        found[name] = value.value if plain and value.tag != "tag:yaml.org,2002:null" else _value(loader, value)
        lines[name] = key.start_mark.line + 1
    return Entry(line, found, tuple(problems), lines)


def _value(loader: Any, node: yaml.Node) -> Any:
    return loader.construct_document(node)
