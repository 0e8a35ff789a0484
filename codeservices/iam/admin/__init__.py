"""Identities, policies, credentials and sign-in in the admin panel, a module a topic.

Whatever is changed goes through the services that console and API call. Secrets and passwords are neither shown nor
set.
"""

from django.contrib import admin
from django.contrib.auth.models import Group as DjangoGroup

from codeservices.iam.admin import credentials, identities, policies, roles, sign_in  # noqa: F401  importing registers them

# Django's own groups carry permissions that nothing here asks for.
admin.site.unregister(DjangoGroup)
