"""Add a capture: drop files, watch them being read, land on their dashboard at the capture's time."""

from __future__ import annotations

import shutil
from pathlib import Path
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import User
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.text import get_valid_filename
from django.views.decorators.http import require_POST

from monitors.access import operator_required, viewer_required
from monitors.models import Capture, CaptureState, Pull


@operator_required
def new_capture(request: HttpRequest) -> HttpResponse:
    """The page with the drop zone; a POST stores the files and answers where their progress is shown."""
    if request.method != "POST":
        ctx = {
            "section": "captures",
            "max_bytes": settings.CAPTURE_MAX_BYTES,
            "captures": Capture.objects.select_related("monitor")[:20],
        }
        return render(request, "monitors/capture_new.html", ctx)
    files = request.FILES.getlist("files")
    stopped = request.META.get("cclear.upload_stopped")
    if stopped or not files:
        return JsonResponse(
            {"error": stopped or "No file came with the request; choose at least one capture."}, status=400
        )
    assert isinstance(request.user, User)  # the decorator lets nobody else in
    capture = store_upload(files, request.user)
    return JsonResponse({"url": capture.get_absolute_url()}, status=201)


def store_upload(files: list[UploadedFile], user: User) -> Capture:
    """Move the files, already on disk, into the capture's folder; the row appears only with its files in place."""
    more = f" and {len(files) - 1} more" if len(files) > 1 else ""
    with transaction.atomic():
        capture = Capture.objects.create(
            name=f"{files[0].name}{more}"[:120], created_by=user, size_bytes=sum(file.size or 0 for file in files)
        )
        folder = capture.folder / "files"
        folder.mkdir(parents=True, mode=0o700)
        for number, file in enumerate(files):
            target = folder / f"{number:03d}-{get_valid_filename(Path(file.name or 'capture').name)[-100:]}"
            _keep(file, target)
    return capture


def _keep(file: UploadedFile, target: Path) -> None:
    path = getattr(file, "temporary_file_path", None)
    if path is not None:
        shutil.move(path(), target)
        return
    with target.open("wb") as out:
        for chunk in file.chunks():
            out.write(chunk)


@viewer_required
def capture(request: HttpRequest, pk: int) -> HttpResponse:
    """Progress of one capture; once its first samples are there, on to its dashboard."""
    found = get_object_or_404(Capture.objects.select_related("monitor", "node"), pk=pk)
    target = dashboard_url(found)
    polled = bool(request.headers.get("HX-Request"))
    if target and not found.error and not request.GET.get("stay"):
        return HttpResponse(status=204, headers={"HX-Redirect": target}) if polled else redirect(target)
    template = "monitors/partials/capture_state.html" if polled else "monitors/capture.html"
    return render(
        request,
        template,
        {"section": "captures", "capture": found, "target": target, "pull": _pull(found), "states": CaptureState},
    )


def dashboard_url(capture: Capture) -> str | None:
    """The monitor's dashboard over all that was pulled, or None while nothing was."""
    pull = _pull(capture)
    if capture.state != CaptureState.READY or pull is None or not pull.covered:
        return None
    start, end = pull.covered[0][0], pull.covered[-1][1]
    return "/d/monitor/?" + urlencode({"monitor": capture.monitor_id, "from": start, "to": end})


def _pull(capture: Capture) -> Pull | None:
    """State of the capture's one pull; None until it is published."""
    if capture.monitor is None or capture.node is None:
        return None
    return Pull.objects.filter(monitor=capture.monitor, node=capture.node).first()


@operator_required
@require_POST
def delete_capture(request: HttpRequest, pk: int) -> HttpResponse:
    """Remove capture, monitor and node; the keeper stops its process and deletes the folder."""
    found = get_object_or_404(Capture.objects.select_related("monitor", "node"), pk=pk)
    with transaction.atomic():
        found.delete()
        for made in (found.monitor, found.node):
            if made is not None:
                made.delete()
    messages.success(request, f"The capture “{found.name}” and its monitor are gone.")
    return redirect("new-capture")
