"""Prints the tables of Django's own applications, as docs/switching-from-auto-migrate.md has it."""

from __future__ import annotations

import django  # type: ignore[import-not-found]
from django.apps import apps  # type: ignore[import-not-found]
from django.conf import settings  # type: ignore[import-not-found]

APPLICATIONS = ("contenttypes", "auth", "admin", "sessions", "sites", "flatpages", "redirects")

settings.configure(
    INSTALLED_APPS=[f"django.contrib.{name}" for name in APPLICATIONS],
    DATABASES={"default": {"ENGINE": "django.db.backends.postgresql"}},
    SITE_ID=1,
)
django.setup()
from django.db import connection  # type: ignore[import-not-found]  # noqa: E402

with connection.schema_editor(collect_sql=True, atomic=False) as editor:
    for model in apps.get_models():
        editor.create_model(model)
print("\n".join(editor.collected_sql))
