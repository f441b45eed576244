"""The entry point of the web server."""

import os
from importlib import import_module

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ftplatform.settings")

application = get_wsgi_application()
# All views now, before the server says that it is there: nobody's first request waits a second for the imports.
import_module("ftplatform.urls")
