"""docs/conformance.md out of the comparisons: `python -m tests.conformance.page` writes it, a test holds it true."""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from lab.scenario import discover
from tests.captures import CAPTURES
from tests.conformance import lab_part, tcptrace_part, tshark_part
from tests.conformance.compare import Difference, Tally

PAGE = Path(__file__).resolve().parents[2] / "docs" / "conformance.md"
SHOWN = 12  # differences of one rule and metric in one capture that are listed

HEAD = """\
# Conformance

Made by `make conformance`, not by hand: our numbers of {captures} captures beside those of tshark {tshark} and tcptrace
{tcptrace}, and of the lab's scenarios beside the truth that the lab wrote down. `tests/conformance` makes the page and
holds it true: a difference without a reason fails the tests. `python -m tests.conformance FILE...` compares any other
capture with the installed tshark, stream by stream; with `--frames`, frame by frame.

"Non-zero" is the number of directions in which we or the other tool count something. "Different" are those in which the
two counts are not the same; each is listed below with the rule of ours behind it.
"""


def page(captures: Path) -> str:
    """The whole page."""
    names = sorted(path.name.removesuffix(".tshark.json") for path in captures.glob("oracle/*.tshark.json"))
    versions = {tool: _version(captures, names[0], tool) for tool in ("tshark", "tcptrace")}
    parts = [HEAD.format(captures=len(names), **versions)]
    parts += _tshark(tshark_part.TsharkPart(captures, names))
    parts += _tcptrace(tcptrace_part.TcptracePart(captures, names))
    parts += _lab()
    return "\n".join(parts)


def _version(captures: Path, name: str, tool: str) -> str:
    text = (captures / "oracle" / f"{name}.{tool}.json").read_text()
    return text.partition('"version": "')[2].partition('"')[0]


def _tshark(part: tshark_part.TsharkPart) -> Iterator[str]:
    yield f"""\
## tshark: streams and directions

{part.streams} of {part.listed} TCP streams are listed in the oracles: the 200 largest of each capture. (A test compares
the others with tshark itself, where it is installed.) Packets, bytes and classes are compared in each direction; SYN,
SYN-ACK and the handshake per stream, a round trip being equal within 1 us. `retransmissions` holds the fast and
spurious ones, as tshark's field does. The rules are those of [tcp-rules.md](tcp-rules.md).
"""
    yield _table(part.tallies)
    off = [one for tally in part.totals.values() for one in tally.differences]
    explained = {(one.capture, one.metric) for one in part.differences if one.reason}
    yield f"""\
All streams of a capture together, also those that are not listed one by one: {len(part.totals)} sums in each of the
captures, {sum(tally.compared for tally in part.totals.values())} in all, of which {len(off)} differ\
{" (for the reasons below)" if off and all((one.capture, one.metric) in explained for one in off) else ""}.
"""
    yield from _reasons(part.differences, {name: text for name, (text, _) in tshark_part.RULES.items()})


def _tcptrace(part: tcptrace_part.TcptracePart) -> Iterator[str]:
    yield f"""\
## tcptrace: pairs of endpoints and directions

tcptrace splits streams into connections by rules of its own, so both sides are summed over {part.pairs} pairs of
endpoints. It cannot read, or sees no TCP in, {len(part.unreadable)} captures:
{", ".join(f"`{name}`" for name in part.unreadable)}.

What is defined alike (round trips within the 0.1 ms that tcptrace prints):
"""
    yield _table(part.same)
    yield from _reasons(part.differences, {name: text for name, (text, _) in tcptrace_part.RULES.items()})
    yield "What has the same name and another definition; differences are expected, and here is why:\n"
    yield _table(part.other)
    yield "\n".join(f"- **{name}**: {why}" for name, (_, why) in tcptrace_part.OTHER.items()) + "\n"
    yield (
        "Not compared: triple duplicate ACKs, `missed_data` and `truncated_packets`, which tcptrace works out from\n"
        "what was captured of a segment, not from its length.\n"
    )


def _lab() -> Iterator[str]:
    yield f"""\
## The lab's ground truth

{lab_part.SECONDS} seconds of each scenario (`python -m lab pcap --scenario NAME --seed {lab_part.SEED}`), ingested, and
asked back with `cstor series`: packets and IP bytes of each mirrored interface, and each service at its primary and at
its copy. Counts must be the same; a timing is equal if as many samples were taken and p50, p90, p95 and p99 are within
1 %.
"""
    for name in sorted(discover().keys()):
        with tempfile.TemporaryDirectory() as folder:
            scenario = lab_part.Scenario(name, Path(folder))
        yield (
            f"### {name}\n\n{scenario.description[0].upper()}{scenario.description[1:]}. {scenario.packets} packets, "
            f"{scenario.services} services and copies.\n"
        )
        yield _table(scenario.tallies, "compared")
        yield from _reasons(scenario.differences, lab_part.RULES)


def _table(tallies: dict[str, Tally], compared: str = "directions") -> str:
    rows = [f"| metric | {compared} | non-zero | equal | different |", "|---|---|---|---|---|"]
    for name, tally in tallies.items():
        counts = (tally.compared, tally.nonzero, tally.equal, len(tally.differences))
        rows.append(f"| {name if ' ' in name else f'`{name}`'} | " + " | ".join(map(str, counts)) + " |")
    return "\n".join(rows) + "\n"


def _reasons(differences: Iterable[Difference], rules: dict[str, str]) -> Iterator[str]:
    """Each rule with what it explains; what nothing explains comes first, as a defect."""
    by_rule: dict[str, list[Difference]] = {}
    for one in differences:
        by_rule.setdefault(one.reason, []).append(one)
    for name in ("", *rules):
        if name in by_rule:
            title = f"**{name}** ({len(by_rule[name])})" if name else f"**DEFECTS** ({len(by_rule[name])})"
            yield f"{title}: {rules.get(name, 'not explained, to be mended.')}\n"
            yield _listed(by_rule[name]) + "\n"


def _listed(differences: list[Difference]) -> str:
    many = Counter((one.capture, one.metric) for one in differences)
    lines, shown = [], Counter[tuple[str, str]]()
    for one in differences:
        key = (one.capture, one.metric)
        shown[key] += 1
        if many[key] > SHOWN:
            if shown[key] == 1:
                lines.append(f"- `{one.capture}`: {one.metric}, {many[key]} times")
        else:
            where = f"stream {one.stream}, {one.direction}" if one.direction.endswith(("a", "b", "both")) else ""
            numbers = f"{_number(one.ours)} against {_number(one.theirs)}"
            lines.append(f"- `{one.capture}`: {one.metric}, {where or one.direction}: {numbers}")
    return "\n".join(lines)


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.3f}".rstrip("0").rstrip(".")


def main() -> int:
    if CAPTURES is None:
        print("the captures are not here: set CCLEAR_CAPTURES to the folder that holds them", file=sys.stderr)
        return 1
    text = page(CAPTURES)
    PAGE.write_text(text)
    print(
        f"{PAGE}: written; {'there are DEFECTS in it' if '**DEFECTS**' in text else 'every difference has its reason'}"
    )
    return int("**DEFECTS**" in text)


if __name__ == "__main__":
    sys.exit(main())
