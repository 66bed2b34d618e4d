"""Imports of sites that run on an older backend."""

from videoflix.importers.service.site_import import SiteImport, import_site

__all__ = ["SiteImport", "import_site"]
