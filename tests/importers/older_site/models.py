"""The models of the chosen backend; Django asks for this module."""

import os
from importlib import import_module

site = import_module(f"older_site.{os.environ['OLDER_SITE']}")
