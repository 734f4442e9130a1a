"""Fails when there is no module for DJANGO_SETTINGS_MODULE: check_settings.py MODULE DIRECTORY…

Looks for its file in the directories and where this interpreter looks, and imports nothing: what a package does when it
is imported may need the environment that the application has when it runs.
"""

import pathlib
import sys

module, *directories = sys.argv[1:]
for place in [*directories, *sys.path]:
    path = pathlib.Path(place, *module.split("."))
    if path.with_name(f"{path.name}.py").is_file() or path.is_dir():
        break
else:
    sys.exit(f"There is no module {module} in the application, which edusphere_app_settings_module says.")
