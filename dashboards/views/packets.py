"""Down to the packets: a page that asks how many there are, node by node, and a call that streams them as one pcap."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.request import Request
from rest_framework.views import APIView

from dashboards.packets.fetch import Busy, Download, NothingToSend, count, download
from dashboards.packets.merge import MergeError
from dashboards.packets.request import PacketRequest, PacketRequestError
from dashboards.queries.timerange import span_text
from monitors.access import packets_required
from monitors.models import Node, Scope

audit = logging.getLogger("cclear.audit")
PCAP = "application/vnd.tcpdump.pcap"


@packets_required
def packets(request: HttpRequest) -> HttpResponse:
    """The form; with a filter or a range in the URL it asks the nodes at once."""
    chosen = request.GET.getlist("node")
    ctx = {
        "section": "packets",
        "nodes": Node.objects.filter(enabled=True).order_by("name"),
        "chosen": chosen,
        "params": request.GET,
        "filter": request.GET.get("filter", ""),
        "from": request.GET.get("from", "now-15m"),
        "to": request.GET.get("to", "now"),
        "asked": bool(request.GET),
        "query": request.GET.urlencode(),
    }
    return render(request, "dashboards/packets.html", ctx)


@packets_required
def packets_count(request: HttpRequest) -> HttpResponse:
    """The counts, as a fragment of the page. The range is pinned, so that the download is what was counted."""
    try:
        wanted = PacketRequest.from_params(request.GET, timezone.now())
    except PacketRequestError as error:
        return render(request, "dashboards/partials/packets_count.html", {"error": error})
    counts = count(wanted)
    pinned = request.GET.copy()
    pinned["from"], pinned["to"] = str(wanted.start), str(wanted.end)
    ctx = {
        "counts": counts,
        "total": sum(found.packets or 0 for found in counts),
        "failed": [found for found in counts if found.error],
        "span": span_text(wanted.start, wanted.end),
        "download": f"/api/v1/packets?{pinned.urlencode()}",
        "wanted": wanted,
    }
    return render(request, "dashboards/partials/packets_count.html", ctx)


class TooManyDownloads(APIException):
    status_code = 429
    default_code = "busy"


class NoPackets(APIException):
    status_code = 404
    default_code = "no_packets"


class PacketsView(APIView):
    """Packets of all nodes as one time-ordered nanosecond pcap.

    Nodes that gave no answer are named in `X-Missing-Nodes`. An answer that breaks off ends without its last chunk.
    """

    scope = Scope.PACKETS
    level = "download_packets"

    @extend_schema(
        parameters=[
            OpenApiParameter("filter", str, description="pcap-filter syntax, plus `vni N`"),
            OpenApiParameter("from", str, description="`now-15m`, RFC 3339 or epoch seconds"),
            OpenApiParameter("to", str),
            OpenApiParameter("node", str, many=True, description="names or numbers; all enabled nodes without it"),
            OpenApiParameter("max_packets", int, description="of each node"),
            OpenApiParameter("max_bytes", int, description="of each node"),
        ],
        responses={(200, PCAP): OpenApiTypes.BINARY},
    )
    def get(self, request: Request) -> HttpResponseBase:
        try:
            wanted = PacketRequest.from_params(request.query_params, timezone.now())
            found = download(wanted)
        except PacketRequestError as error:
            raise ValidationError({error.field: str(error)}) from None
        except Busy as error:
            raise TooManyDownloads(str(error)) from None
        except NothingToSend as error:
            raise NoPackets(str(error)) from None
        except MergeError as error:
            raise ValidationError({"node": str(error)}) from None
        nodes = ", ".join(node.name for node in wanted.nodes)
        audit.info(
            "%s downloads packets of %s: %r from %d to %d", request.user, nodes, wanted.filter, wanted.start, wanted.end
        )
        return _response(wanted, found)


def _response(wanted: PacketRequest, found: Download) -> StreamingHttpResponse:
    start = datetime.fromtimestamp(wanted.start, UTC)
    part = "-partial" if found.missing else ""
    response = StreamingHttpResponse(found.chunks, content_type=PCAP)
    response["Content-Disposition"] = f'attachment; filename="cclear-{start:%Y%m%dT%H%M%SZ}{part}.pcap"'
    if found.planned is not None:
        response["X-Planned-Packets"] = str(found.planned)
    for header, notes in (
        ("X-Missing-Nodes", found.missing),
        ("X-Kept-From", found.kept_from),
        ("X-Limit", found.limits),
    ):
        if notes:
            told = "; ".join(f"{name}: {note}" for name, note in notes.items())
            response[header] = told.encode("ascii", "replace").decode()
    return response
