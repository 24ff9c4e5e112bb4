"""Cross-compile the Triton kernels for a Hopper GPU and report what they need. Needs no GPU.

python bench/triton_build.py [--json]
"""
# pyright: basic, reportMissingTypeStubs=false

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
import triton
import triton.backends.nvidia
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from azr.learner.loss import triton as engine
from azr.learner.loss import triton_kernels

HOPPER = GPUTarget("cuda", 90, 32)
DTYPES = {torch.bfloat16: "bf16", torch.float32: "fp32"}
INTEGERS = ("T", "H", "V", "num_splits", "first", "width")
SCALARS = ("scale", "inv_temperature", "softcap", "temperature_over_softcap")


def signature_of(function: Any, dtype: str) -> dict[str, str]:
    """Return Triton's type of every argument."""
    types = {"hidden": f"*{dtype}", "weight": f"*{dtype}", "out": f"*{dtype}"}
    types |= {"targets": "*i64", "picked": "*i64"}
    types |= dict.fromkeys(INTEGERS, "i32") | dict.fromkeys(SCALARS, "fp32")
    return {
        name: "constexpr" if name.isupper() and len(name) > 1 else types.get(name, "*fp32")
        for name in function.arg_names
    }


def build(function: Any, dtype: str, constants: dict[str, Any], options: dict[str, int]) -> Any:
    """Compile one kernel for its usual call: pointers and sizes divisible by 16."""
    signature = signature_of(function, dtype)
    aligned = [
        (i,)
        for i, name in enumerate(signature)
        if signature[name].startswith("*") or name in ("H", "V", "width")
    ]
    source = ASTSource(
        fn=function,
        signature=signature,
        constexprs=constants,
        attrs={place: [["tt.divisibility", 16]] for place in aligned},
    )
    return triton.compile(source, target=HOPPER, options=options)


def inspect(tool: str, option: str, cubin: bytes) -> str:
    """Return what one of NVIDIA's own tools says of a binary; Triton brings them along."""
    tools = Path(triton.backends.nvidia.__file__).parent / "bin"
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        return subprocess.run(  # noqa: S603 - Triton's own tool, on our own file
            [str(tools / tool), option, file.name], capture_output=True, text=True, check=True
        ).stdout


def spills_beside_products(cubin: bytes) -> int:
    """Count loads and stores of spilled registers in the loops that multiply on tensor cores.

    Elsewhere they run once a tile; here they would run once for every DEPTH features.
    """
    blocks = re.split(r"^\.L_x_\d+:", inspect("nvdisasm", "-c", cubin), flags=re.MULTILINE)
    loops = [block for block in blocks if "HGMMA" in block]
    return sum(len(re.findall(r"\b(?:STL|LDL)\b", block)) for block in loops)


def usage(cubin: bytes) -> dict[str, int]:
    """Return registers and spilled bytes."""
    report = inspect("cuobjdump", "-res-usage", cubin)
    found = {key: int(value) for key, value in re.findall(r"(REG|STACK|LOCAL):(\d+)", report)}
    return {
        "registers": found.get("REG", -1),
        "spilled_bytes": found.get("LOCAL", 0) + found.get("STACK", 0),
    }


def report(name: str, dtype: str, kernel: Any) -> dict[str, Any]:
    """Return what one compiled kernel needs."""
    return {
        "kernel": name,
        "dtype": dtype,
        "wgmma": kernel.asm["ptx"].count("wgmma.mma_async"),
        "shared_bytes": kernel.metadata.shared,
        "cubin_bytes": len(kernel.asm["cubin"]),
        "spills_beside_products": spills_beside_products(kernel.asm["cubin"]),
        **usage(kernel.asm["cubin"]),
    }


def reports() -> list[dict[str, Any]]:
    """Compile every kernel as the engine would call it."""
    flags = {"HAS_BIAS": False, "HAS_SOFTCAP": False, "KEEP": True, "WIDEN": False}
    results = []
    for dtype, name in DTYPES.items():
        tile = {**engine.TILES[dtype], "num_stages": engine.MAX_STAGES}
        options = {key: tile.pop(key) for key in ("num_warps", "num_stages")}
        constants = {**flags, "SPLIT": engine.SPLIT, **tile}
        kernel = build(triton_kernels.sum_logits, name, constants, options)
        results.append(report("sum_logits", name, kernel))
        constants = {"HAS_SOFTCAP": False, "HAS_SLOPE": True, "COLUMNS": 2048}
        kernel = build(triton_kernels.differentiate, name, constants, {"num_warps": 4})
        results.append(report("differentiate", name, kernel))
    return results


def main() -> None:
    """Print the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON array instead of lines")
    results = reports()
    if parser.parse_args().json:
        print(json.dumps(results))
        return
    for result in results:
        print(" ".join(f"{key}={value}" for key, value in result.items()))


if __name__ == "__main__":
    main()
