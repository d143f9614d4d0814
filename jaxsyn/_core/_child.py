"""Processes of Python that import the package of this one."""

import os
import sys
from pathlib import Path


def child(*arguments: str) -> tuple[list[str], dict[str, str]]:
    """Command and environment of a process of Python that imports this package, whatever its working directory holds.

    A checkout holds the sources of the package that was installed from it, but not its native kernels, and Python looks
    for modules in the working directory first.

    Args:
        arguments: What follows the interpreter, such as "-m", "module".
    Example:
        >>> import subprocess
        >>> command, environment = child("-c", "import jaxsyn; print(jaxsyn.__name__)")
        >>> subprocess.run(command, env=environment, capture_output=True, text=True).stdout
        'jaxsyn\\n'
    """
    paths = [str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])]
    return [sys.executable, "-P", *arguments], {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
