"""The packets of a search as a file or stream: pcap with nanoseconds (one link type) or pcapng."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

from cstor.search.plan import SearchPlan, names_of
from cstor.search.run import Search
from cstor.search.scan import Matcher, scan
from cstor.store.layout import StoreError
from wire.filters.packets import PacketFilter
from wire.packets.layout import LINK_ETHERNET
from wire.packets.pcap import pcap_header, pcap_records
from wire.packets.pcapng import interface_block, pcapng_packets, section_header

FORMATS = {"pcap": "application/vnd.tcpdump.pcap", "pcapng": "application/x-pcapng"}


class MixedLinkTypes(StoreError):
    """An answer that a pcap file cannot hold."""


def format_of(path: Path) -> str:
    """The format that a file's name asks for."""
    return "pcapng" if path.suffix.lower() in (".pcapng", ".ntar") else "pcap"


def refuse_mixed(plan: SearchPlan, chosen: PacketFilter) -> None:
    """MixedLinkTypes if packets of several link types match: known before the first byte of a pcap is sent."""
    if len(plan.link_types) < 2:
        return
    found = []
    for link_type in plan.link_types:
        matcher = Matcher(chosen, plan.start_ns, plan.end_ns)
        segments = (segment for segment in plan.segments if segment.link_type == link_type)
        if any(mask.any() for segment in segments for _, mask in scan(segment, matcher)):
            found.append(link_type)
    if len(found) > 1:
        raise MixedLinkTypes(
            f"the packets found have {len(found)} link types ({names_of(found)}) and a pcap file holds one: "
            "ask for pcapng (-w FILE.pcapng, format=pcapng)"
        )


def encoded(search: Search, form: str) -> Generator[bytes]:
    """The bytes of a capture file, as the search goes on; the first piece is the file's head."""
    return _pcapng(search) if form == "pcapng" else _pcap(search)


def _pcap(search: Search) -> Generator[bytes]:
    link_type = None
    for batch in search:
        if link_type is None:
            link_type = batch.link_type
            yield pcap_header(link_type)
        if batch.link_type != link_type:
            raise MixedLinkTypes(f"packets of another link type appeared: {names_of((link_type, batch.link_type))}")
        yield bytes(pcap_records(batch))
    if link_type is None:
        yield pcap_header(search.plan.link_types[0] if search.plan.link_types else LINK_ETHERNET)


def _pcapng(search: Search) -> Generator[bytes]:
    yield section_header()
    interfaces: dict[int, int] = {}
    for batch in search:
        if batch.link_type not in interfaces:
            interfaces[batch.link_type] = len(interfaces)
            yield interface_block(batch.link_type)
        yield bytes(pcapng_packets(batch, interfaces[batch.link_type]))
    if not interfaces:
        yield interface_block(search.plan.link_types[0] if search.plan.link_types else LINK_ETHERNET)
