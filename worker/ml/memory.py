"""Memory use of this process."""

import resource
from pathlib import Path


def memory_in_use() -> int:
    """Bytes: the peak GPU allocation so far, or on a CPU the resident memory of this process now."""
    import torch

    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:  # not Linux
        return peak_memory()
    return pages * resource.getpagesize()


def peak_memory() -> int:
    """Bytes: the peak GPU allocation, or on a CPU the peak resident memory of this process."""
    import torch

    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
