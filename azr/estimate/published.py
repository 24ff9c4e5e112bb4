"""Shapes of models that a plan is made for before they are downloaded.

From the `config.json` of each repository on the Hugging Face hub; the number of parameters that
follows from a shape (`shape.count_parameters`) equals the one that the hub shows for its weights,
which a test holds. A folder or a download always wins over this table.
"""

from azr.estimate.shape import ModelShape, llama_like

__all__ = ["PUBLISHED"]

PUBLISHED: dict[str, ModelShape] = {
    # the paper's models (Absolute Zero, arXiv 2505.03335, table 5)
    "Qwen/Qwen2.5-Coder-3B": llama_like(
        family="qwen2", layers=36, hidden=2048, intermediate=11_008, heads=16, key_heads=2,
        vocabulary=151_936, context=32_768, is_tied=True,
    ),
    "Qwen/Qwen2.5-7B": llama_like(
        family="qwen2", layers=28, hidden=3584, intermediate=18_944, heads=28, key_heads=4,
        vocabulary=152_064, context=131_072, is_tied=False,
    ),
    "Qwen/Qwen2.5-Coder-7B": llama_like(
        family="qwen2", layers=28, hidden=3584, intermediate=18_944, heads=28, key_heads=4,
        vocabulary=152_064, context=32_768, is_tied=False,
    ),
    "meta-llama/Llama-3.1-8B": llama_like(
        family="llama", layers=32, hidden=4096, intermediate=14_336, heads=32, key_heads=8,
        vocabulary=128_256, context=131_072, is_tied=False,
    ),
    "Qwen/Qwen2.5-14B": llama_like(
        family="qwen2", layers=48, hidden=5120, intermediate=13_824, heads=40, key_heads=8,
        vocabulary=152_064, context=131_072, is_tied=False,
    ),
    "Qwen/Qwen2.5-Coder-14B": llama_like(
        family="qwen2", layers=48, hidden=5120, intermediate=13_824, heads=40, key_heads=8,
        vocabulary=152_064, context=32_768, is_tied=False,
    ),
    # of the authors' later code
    "Qwen/Qwen3-4B-Base": llama_like(
        family="qwen3", layers=36, hidden=2560, intermediate=9728, heads=32, key_heads=8,
        vocabulary=151_936, context=32_768, is_tied=True, head_dim=128,
    ),
    # smaller ones of the same families, for one GPU (docs/method/hardware.md), and a larger one
    "Qwen/Qwen2.5-Coder-0.5B": llama_like(
        family="qwen2", layers=24, hidden=896, intermediate=4864, heads=14, key_heads=2,
        vocabulary=151_936, context=32_768, is_tied=True,
    ),
    "Qwen/Qwen2.5-Coder-1.5B": llama_like(
        family="qwen2", layers=28, hidden=1536, intermediate=8960, heads=12, key_heads=2,
        vocabulary=151_936, context=32_768, is_tied=True,
    ),
    "Qwen/Qwen2.5-Coder-32B": llama_like(
        family="qwen2", layers=64, hidden=5120, intermediate=27_648, heads=40, key_heads=8,
        vocabulary=152_064, context=32_768, is_tied=False,
    ),
    # the demo's, which `azr model smollm2` makes
    "models/smollm2-135m-instruct": llama_like(
        family="llama", layers=30, hidden=576, intermediate=1536, heads=9, key_heads=3,
        vocabulary=49_152, context=8192, is_tied=True,
    ),
}  # fmt: skip
"""By the name that `model.name` gives them."""
