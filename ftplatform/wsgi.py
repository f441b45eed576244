"""The WSGI entry point of the web server."""

import os
from importlib import import_module

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ftplatform.settings")

application = get_wsgi_application()
# Import all views before the server is ready, so that the first request does not wait a second for them.
import_module("ftplatform.urls")
