from django.urls import path

from codeservices.objects.views import buckets, objects, uploads

app_name = "objects"

# A key may hold what a path can't: "..", empty parts, a slash at its beginning. It stands in the query or in the form.
urlpatterns = [
    path("buckets/", buckets.bucket_list, name="bucket_list"),
    path("buckets/new", buckets.bucket_create, name="bucket_create"),
    path("buckets/<str:name>/", buckets.bucket, name="bucket"),
    path("buckets/<str:name>/delete", buckets.bucket_delete, name="bucket_delete"),
    path("buckets/<str:name>/object", objects.stored_object, name="object"),
    path("buckets/<str:name>/object/download", objects.object_download, name="object_download"),
    path("buckets/<str:name>/object/delete", objects.object_delete, name="object_delete"),
    path("buckets/<str:name>/upload", objects.object_upload, name="object_upload"),
    path("buckets/<str:name>/uploads/", uploads.upload_list, name="upload_list"),
    path("buckets/<str:name>/uploads/abort", uploads.upload_abort, name="upload_abort"),
]
