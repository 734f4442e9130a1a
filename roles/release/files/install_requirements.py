"""Installs the packages that a file pins, with uv: install_requirements.py UV PYTHON FILE POETRY POETRY_EXPORT.

PYTHON is the environment's. FILE is a requirements file, a uv.lock or a poetry.lock; a lock must fit the pyproject.toml
beside it. POETRY and POETRY_EXPORT are the versions of poetry and of its plugin, fetched for a poetry.lock alone.
The project itself is not installed.
"""

import os
import pathlib
import re
import subprocess
import sys

# Which index is asked. A lock names the one that it was made with, and fits its project wherever packages come from.
INDEXES = ("UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL")
EXPORTED = ".requirements.txt"

uv, python, name, poetry, poetry_export = sys.argv[1:]
file = pathlib.Path(name)


def run(*command: str, fails: str, without: tuple[str, ...] = ()) -> None:
    """Run a command beside the file. When it fails, end with what that means."""
    environment = {key: value for key, value in os.environ.items() if key not in without}
    if subprocess.run(command, cwd=file.parent, env=environment, check=False).returncode:
        sys.exit(f"{name} (edusphere_app_requirements): {fails}.")


options = ["--requirements", file.name]
if file.name in ("uv.lock", "poetry.lock"):
    tool = file.stem
    if tool == "uv":
        # Offline: that a lock fits is seen without asking an index.
        check = (uv, "lock", "--check", "--offline", "--python", python)
        export = (uv, "export", "--frozen", "--no-dev", "--no-emit-project", "--no-editable", "--output-file", EXPORTED)
    else:
        tools = ("--from", f"poetry=={poetry}", "--with", f"poetry-plugin-export=={poetry_export}")
        run(uv, "tool", "run", *tools, "poetry", "--version", fails="poetry could not be installed to read it")
        command = (uv, "tool", "run", "--quiet", *tools, "poetry", "--no-interaction")
        check = (*command, "check", "--lock")
        export = (*command, "export", "--only", "main", "--without-urls", "--output", EXPORTED)
    run(*check, without=INDEXES, fails=f"it does not fit its pyproject.toml; run `{tool} lock` and commit both")
    run(*export, "--quiet", fails=f"{tool} can't say what it pins")
    options = ["--requirements", EXPORTED]
    # A commit of a repository has no hash, and is one. A directory of the source's own needs none.
    if not re.search(r"^\S+ @ |^[./]", (file.parent / EXPORTED).read_text(), re.MULTILINE):
        options += ["--require-hashes"]
run(uv, "pip", "install", "--compile-bytecode", "--python", python, *options, fails="its packages can't be installed")
