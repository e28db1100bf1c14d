"""A dashboard with its range as a file."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.decorators.http import require_GET

from dashboards.models import Dashboard
from dashboards.queries.bar import Bar
from dashboards.queries.timerange import RangeError
from dashboards.reports.document import make_document
from dashboards.reports.formats.format import FORMATS
from dashboards.views.pages import ZONE_COOKIE
from monitors.access import viewer_required


@require_GET
@viewer_required
def export(request: HttpRequest, slug: str) -> HttpResponse:
    dashboard = get_object_or_404(Dashboard.objects.prefetch_related("panels"), slug=slug)
    wanted = FORMATS.get(request.GET.get("format", ""))
    if wanted is None:
        return HttpResponseBadRequest(
            f"Choose a format: {', '.join(FORMATS)}", content_type="text/plain; charset=utf-8"
        )
    bar = Bar.from_params(request.GET, dashboard, request.COOKIES.get(ZONE_COOKIE, "UTC"))
    try:
        document = make_document(dashboard, bar, timezone.now(), fine=wanted.fine)
    except RangeError as error:
        return HttpResponseBadRequest(str(error), content_type="text/plain; charset=utf-8")
    response = HttpResponse(wanted.render(document), content_type=wanted.content_type)
    response["Content-Disposition"] = f'attachment; filename="{document.file_stem}.{wanted.extension}"'
    return response
