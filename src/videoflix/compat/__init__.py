"""Front ends of older backends work unmodified: one file a dialect, each on or off by DIALECTS.

Dialects translate and nothing else: services decide, and what they refuse is refused here too.
Nothing but app.py knows of this folder.
"""
