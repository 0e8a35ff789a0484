from django.urls import path

from codeservices.secretstore.views import parameters, secrets

app_name = "secretstore"

# Names have slashes in them. The page of one ends in a slash, what is done with it doesn't: so that neither a name nor
# the end of one ("value") is ever taken for the other.
urlpatterns = [
    path("parameters/", parameters.parameter_list, name="parameter_list"),
    path("parameters/new", parameters.parameter_create, name="parameter_create"),
    path("parameters/<path:name>/", parameters.parameter, name="parameter"),
    path("parameters/<path:name>/value", parameters.parameter_value, name="parameter_value"),
    path("parameters/<path:name>/versions", parameters.parameter_version_create, name="parameter_version_create"),
    path("parameters/<path:name>/tags", parameters.parameter_tags, name="parameter_tags"),
    path("parameters/<path:name>/delete", parameters.parameter_delete, name="parameter_delete"),
    path("secrets/", secrets.secret_list, name="secret_list"),
    path("secrets/new", secrets.secret_create, name="secret_create"),
    path("secrets/<path:name>/", secrets.secret, name="secret"),
    path("secrets/<path:name>/value", secrets.secret_value, name="secret_value"),
    path("secrets/<path:name>/versions", secrets.secret_version_create, name="secret_version_create"),
    path("secrets/<path:name>/description", secrets.secret_describe, name="secret_describe"),
    path("secrets/<path:name>/tags", secrets.secret_tags, name="secret_tags"),
    path("secrets/<path:name>/delete", secrets.secret_delete, name="secret_delete"),
    path("secrets/<path:name>/restore", secrets.secret_restore, name="secret_restore"),
]
