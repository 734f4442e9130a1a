"""Keeps what Python compiles out of archives, for the processes that follow.

Ansible sends each module as an archive of sources, and Python keeps no bytecode of an archive: half of a module's time
on a host is spent compiling the same files again. Tests run thousands of modules. What is compiled is the same code;
only the file name in a traceback is that of the first archive.

A file of Debian's own directory of modules, next to a ``.pth`` that imports it: the system's Python alone reads that,
and no virtual environment does.
"""
# ruff: noqa: PTH101, PTH103, PTH105, PTH123 # this runs in each Python that starts, and pathlib takes it milliseconds

import hashlib
import marshal
import os
import zipimport
from types import CodeType

# In memory, and root's: code that root runs comes from nobody else.
KEPT = "/run/testbed-bytecode"

compile_source = zipimport._compile_source  # type: ignore[attr-defined] # it has no public name


def compile_once(pathname: str, source: bytes) -> CodeType:
    """Take a source's bytecode from where it is kept, or compile it and keep that."""
    path = f"{KEPT}/{hashlib.sha256(source).hexdigest()}"
    try:
        with open(path, "rb") as file:
            kept: CodeType = marshal.load(file)  # noqa: S302 # root's, see KEPT
            return kept
    # Not there yet, or not for this account.
    except OSError:
        code: CodeType = compile_source(pathname, source)
        # A container may have nowhere to write to.
        if os.geteuid() == 0 and os.access("/run", os.W_OK):
            keep(path, marshal.dumps(code))
        return code


def keep(path: str, content: bytes) -> None:
    """Write a file that is whole, or not there, whenever it is looked at: a path, and bytes."""
    os.makedirs(KEPT, mode=0o755, exist_ok=True)
    with open(f"{path}.{os.getpid()}", "wb") as file:
        file.write(content)
    os.chmod(file.name, 0o644)
    os.replace(file.name, path)


zipimport._compile_source = compile_once  # type: ignore[attr-defined]
