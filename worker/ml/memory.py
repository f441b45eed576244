"""How much memory this process uses."""

import resource
from pathlib import Path


def memory_in_use() -> int:
    """Bytes: the most that was allocated on the GPU so far; on a CPU, what this process holds now."""
    import torch

    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:  # not Linux
        return peak_memory()
    return pages * resource.getpagesize()


def peak_memory() -> int:
    """Bytes: the most that was allocated on the GPU, or resident in this process on a CPU."""
    import torch

    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
