from django.urls import path

from codeservices.console import views

app_name = "console"

urlpatterns = [
    path("", views.dashboard, name="dashboard"),
    path("search/", views.search, name="search"),
    path("attention/", views.attention, name="attention"),
]
