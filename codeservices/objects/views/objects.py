"""One object in the console: look at it, download, upload, delete. Its bytes are never shown, only saved."""

from __future__ import annotations

import mimetypes

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from codeservices import sizes
from codeservices.errors import Conflict, ServiceError
from codeservices.http import ConsoleRequest, confirmed, download
from codeservices.iam.authorize import is_allowed
from codeservices.iam.views.shared import tell
from codeservices.objects import access, services
from codeservices.objects.forms import UploadForm
from codeservices.objects.models import StoredObject
from codeservices.objects.names import MAX_KEY_BYTES
from codeservices.objects.views import shared


@require_GET
def stored_object(request: ConsoleRequest, name: str) -> HttpResponse:
    """What is known of an object."""
    found = access.object_for(request.principal, "s3:GetObject", name, request.GET.get("key", ""))
    folder = shared.folder_of(found.key)
    context = {
        "bucket": found.bucket,
        "object": found,
        "name": shared.name_of(found.key),
        "crumbs": shared.crumbs(folder),
        "part_count": found.pieces.count(),
        "may_tag": is_allowed(request.principal, "s3:GetObjectTagging", found.arn),
        "may_delete": is_allowed(request.principal, "s3:DeleteObject", found.arn),
    }
    return render(request, "objects/object.html", context)


@require_GET
def object_download(request: ConsoleRequest, name: str) -> HttpResponseBase:
    """An object's bytes, as a file to be saved."""
    found, file = services.open_object(request.principal, name, request.GET.get("key", ""))
    return download(file, shared.name_of(found.key).rstrip(shared.DELIMITER), size_bytes=found.size_bytes)


@require_POST
def object_delete(request: ConsoleRequest, name: str) -> HttpResponse:
    """Delete an object, whose last part was typed."""
    key = request.POST.get("key", "")
    access.bucket_of_key(request.principal, "s3:DeleteObject", name, key)
    confirmed(request, shared.name_of(key))
    services.delete_object(request.principal, name, key)
    messages.success(request, f"{shared.name_of(key)} is deleted.")
    return redirect(shared.folder_url(name, shared.folder_of(key)))


@require_http_methods(["GET", "POST"])
def object_upload(request: ConsoleRequest, name: str) -> HttpResponse:
    """The form that uploads one file."""
    prefix = request.POST.get("folder", request.GET.get("prefix", ""))[:MAX_KEY_BYTES]
    form = UploadForm(request.POST or None, request.FILES or None, initial={"folder": prefix})
    is_sent = request.method == "POST" and form.is_valid()
    # Whoever may upload nothing there is told so, whatever is in the form.
    found = access.bucket_of_key(request.principal, "s3:PutObject", name, form.key() if is_sent else f"{prefix}*")
    if is_sent:
        try:
            made = _uploaded(request, found.name, form)
        except ServiceError as error:
            tell(form, error)
        else:
            messages.success(request, f"{shared.name_of(made.key)} is stored: {sizes.words(made.size_bytes)}.")
            return redirect(shared.object_url(found.name, made.key))
    context = {"bucket": found, "form": form, "prefix": prefix, "max_bytes": settings.MAX_REQUEST_BYTES}
    return render(request, "objects/object_upload.html", context, status=400 if form.errors else 200)


def _uploaded(request: ConsoleRequest, bucket_name: str, form: UploadForm) -> StoredObject:
    key = form.key()

    def check(old: StoredObject | None) -> None:
        if old is not None and not form.cleaned_data["replaces"]:
            raise Conflict(
                f"There is an object called {key} already.", hint="Choose another name, or tick that it be replaced."
            )

    content_type = mimetypes.guess_type(key)[0] or ""
    file = form.cleaned_data["file"]
    return services.put_object(
        request.principal, bucket_name, key, file.file, content_type=content_type, condition=check
    )
