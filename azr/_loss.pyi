"""The policy loss's passes over the vocabulary, on the CPU. Used by native alone."""

def available_isas() -> list[str]: ...
def release_scratch() -> int: ...
def product_rate(*, isa: str, is_bfloat16: bool, num_threads: int, rounds: int) -> float: ...

class Tensor:
    def __init__(self, address: int, is_bfloat16: bool, rows: int, columns: int) -> None: ...

class Pass:
    def __init__(
        self,
        weight: Tensor,
        *,
        bias: int,
        scale: float,
        temperature: float,
        softcap: float,
        hidden_is_bfloat16: bool,
        isa: str,
        num_threads: int,
    ) -> None: ...
    @property
    def isa(self) -> str: ...
    def forward(self, hidden: Tensor, targets: int, statistics: int, *, keep: bool) -> None: ...
    def backward(
        self,
        rows: int,
        targets: int,
        derivatives: int,
        *,
        has_b: bool,
        grad_hidden: int,
        grad_weight: int,
        grad_bias: int,
        is_last: bool,
    ) -> None: ...
