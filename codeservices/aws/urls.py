"""The URL configuration of API requests, which RequestMiddleware chooses for them."""

from django.urls import path

from codeservices.aws.views import endpoint

urlpatterns = [path("", endpoint, name="aws_endpoint")]
