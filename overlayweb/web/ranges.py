"""The registry of reserved ranges: the list, one more, one less, and the whole as a CSV file."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from overlayweb.domain import subnets
from overlayweb.models import ReservedRange, range_records_of, ranges_of
from overlayweb.services import ranges
from overlayweb.web import access, frame, listing
from overlayweb.web.clusters import get_cluster

MOST_BYTES = 512 * 1024
RECORDS_SHOWN = 20
LINES_SHOWN = 100
"""Of a file so many lines of each kind are shown before it is imported, and so many errors."""
KINDS = (("", "All ranges"), ("all", "For all clusters"), ("here", "Only for this cluster"))
COLUMNS = (
    ("range", "Range", False),
    ("name", "Name", False),
    ("reason", "Reason", False),
    ("owner", "Owner", False),
)


class ReservedRangeForm(forms.Form):
    """A range that no network may take."""

    cidr = forms.CharField(max_length=18, label="Range")
    name = forms.CharField(max_length=63)
    reason = forms.CharField(max_length=255, required=False)
    owner = forms.CharField(max_length=63, required=False)

    def __init__(self, data: Any, *, kept: ReservedRange | None = None) -> None:
        """``kept``: the range that is edited, None for one more."""
        now = {name: getattr(kept, name) for name in self.base_fields} if kept else {}
        super().__init__(data, initial=now)
        self._others = ReservedRange.objects.filter(cluster=kept.cluster if kept else None)
        if kept:
            self._others = self._others.exclude(pk=kept.pk)

    def clean_cidr(self) -> str:
        """An IPv4 subnet without host bits that is not in the registry."""
        try:
            cidr = str(subnets.parse(self.cleaned_data["cidr"]))
        except subnets.NotASubnetError as error:
            meant = f" Did you mean {error.suggestion}?" if error.suggestion else " Write it like 10.20.0.0/16."
            raise ValidationError(f"{error}.{meant}") from error
        if self._others.filter(cidr=cidr).exists():
            raise ValidationError(f"{cidr} is reserved already.")
        return cidr


class RangeFileForm(forms.Form):
    """A CSV file, or its text; ``seal`` confirms what was shown."""

    file = forms.FileField(required=False, label="CSV file")
    text = forms.CharField(
        required=False, strip=False, widget=forms.Textarea, max_length=MOST_BYTES, label="or its text"
    )
    seal = forms.CharField(required=False, strip=False)

    def clean(self) -> None:
        """Whichever of the two is there, as text."""
        upload = self.cleaned_data.get("file")
        if upload:
            self.cleaned_data["text"] = self._decoded(upload.read(MOST_BYTES + 1))
        if not self.errors and not self.cleaned_data.get("text", "").strip():
            raise ValidationError("Choose a CSV file, or paste its text.")

    def _decoded(self, content: bytes) -> str:
        if len(content) > MOST_BYTES:
            raise ValidationError(f"The file is larger than {MOST_BYTES // 1024} KiB.")
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise ValidationError("The file is not UTF-8 text. Save it as CSV in UTF-8.") from error


@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request")
def reserved_ranges(request: HttpRequest, name: str) -> HttpResponse:
    """One page of the ranges that no network may take, with their history, and a form for one more."""
    person, found = access.admin(request), get_cluster(request, name)
    form = ReservedRangeForm(request.POST or None)
    if form.is_valid():
        ranges.reserve(person=person, now=timezone.now(), **form.cleaned_data)
        return redirect("reserved-ranges", found.name)
    asked = listing.wanted(request, kinds=KINDS, orders=ranges.RANGE_ORDERS, usual="range")
    rows = ranges.listed(cluster=found, text=asked.text, kind=asked.kind, order=asked.order)
    page = {"cluster": found, "listing": listing.listing(request, asked, rows, kinds=KINDS, columns=COLUMNS)}
    if listing.is_fragment(request):
        return render(request, "reserved_ranges.html#found", page)
    records = range_records_of(found)
    around = {
        "form": form,
        "file_form": RangeFileForm(),
        "records": records[:RECORDS_SHOWN],
        "records_count": records.count(),
    }
    return render(request, "reserved_ranges.html", {**page, **around})


@require_http_methods(["GET", "HEAD", "POST"])
def reserved_range(request: HttpRequest, name: str, pk: int) -> HttpResponse:
    """The form in which a range is edited."""
    person, found = access.admin(request), get_cluster(request, name)
    kept = get_object_or_404(ranges_of(found), pk=pk)
    form = ReservedRangeForm(request.POST or None, kept=kept)
    if form.is_valid():
        ranges.change(kept=kept, person=person, now=timezone.now(), **form.cleaned_data)
        return redirect("reserved-ranges", found.name)
    return render(request, "reserved_edit.html", {"cluster": found, "form": form, "range": kept})


@require_POST
def reserved_range_release(request: HttpRequest, name: str, pk: int) -> HttpResponse:
    """Take a range off the registry."""
    person, found = access.admin(request), get_cluster(request, name)
    ranges.release(kept=get_object_or_404(ranges_of(found), pk=pk), person=person, now=timezone.now())
    return frame.back(request, reverse("reserved-ranges", args=[found.name]))


@require_POST
def reserved_import(request: HttpRequest, name: str) -> HttpResponse:
    """First what a CSV file would change, with all its errors; once that is confirmed, the change."""
    person, found = access.admin(request), get_cluster(request, name)
    form = RangeFileForm(request.POST, request.FILES)
    page: dict[str, object] = {"cluster": found, "file_form": form, "most": LINES_SHOWN, "shown": f":{LINES_SHOWN}"}
    if not form.is_valid():
        return render(request, "reserved_import.html", page)
    text, seal = form.cleaned_data["text"], form.cleaned_data["seal"]
    if seal:
        try:
            if not ranges.import_file(cluster=found, text=text, seal=seal, person=person, now=timezone.now()).errors:
                return redirect("reserved-ranges", found.name)
        except ranges.MovedOnError as error:
            page["moved"] = str(error)
    reading = ranges.look_at_file(cluster=found, text=text)
    return render(request, "reserved_import.html", {**page, "text": text, "reading": reading})


@require_safe
def reserved_export(request: HttpRequest, name: str) -> HttpResponse:
    """The ranges that hold for the cluster, as a CSV file."""
    access.admin(request)
    found = get_cluster(request, name)
    answer = HttpResponse(ranges.export_file(cluster=found), content_type="text/csv; charset=utf-8")
    answer.headers["Content-Disposition"] = 'attachment; filename="reserved-ranges.csv"'
    return answer
