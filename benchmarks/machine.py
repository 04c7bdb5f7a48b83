"""What machine this is, in one line."""

import os
import platform
from pathlib import Path

FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "asimd", "bf16")  # what makes products fast


def machine() -> str:
    """Processor, what it can do, cores and system."""
    cpuinfo, fields = Path("/proc/cpuinfo"), dict[str, str]()
    if cpuinfo.exists():
        lines = (line.partition(":") for line in cpuinfo.read_text(encoding="utf-8").splitlines())
        fields = {name.strip(): value.strip() for name, _, value in lines}
    able = {*fields.get("flags", fields.get("Features", "")).split()}
    model = fields.get("model name") or platform.processor() or platform.machine()
    family = f" (family {fields['cpu family']}, model {fields['model']})" if "cpu family" in fields else ""
    flags = " ".join(flag for flag in FLAGS if flag in able) or "none known"
    return f"{model}{family}, {os.cpu_count()} cores, flags {flags}, {platform.system()} {platform.machine()}"
