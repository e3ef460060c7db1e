"""What the parity fixtures share: re-randomised weights, a float64 run, and one folder per case."""
import contextlib
import json
import math
import pathlib
import shutil

import torch
from safetensors.torch import save_file

_softmax = torch.nn.functional.softmax


def _wide_softmax(values, dim=None, _stacklevel=3, dtype=None):
    # Eager attention asks for fp32 whatever its input; a float64 run must stay float64.
    return _softmax(values, dim=dim, dtype=None if values.dtype == torch.float64 else dtype)


torch.nn.functional.softmax = _wide_softmax


def wide_norms(model):
    """Root-mean-square norms that stay in float64; the reference forms them in fp32 whatever the input."""
    for kind in {type(m) for m in model.modules() if type(m).__name__.endswith("RMSNorm")}:
        if hasattr(kind, "fovea_wide"):
            continue
        kind.fovea_wide = kind.forward

        def forward(self, x, plain=kind.forward, offset=kind.__name__.startswith("Gemma")):
            if x.dtype != torch.float64:
                return plain(self, x)
            eps = self.variance_epsilon if hasattr(self, "variance_epsilon") else self.eps
            unit = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps)
            return unit * (1 + self.weight if offset else self.weight)

        kind.forward = forward
    return model


def randomise(model, seed):
    """Gives every parameter values that matter: matrices of standard deviation 1/sqrt(fan-in), norms 1 +- 0.2, biases,
    tokens, positions and scales away from zero. Default initialisations hide errors."""
    generator = torch.Generator().manual_seed(seed)

    def normal(shape, std, mean=0.0):
        return torch.randn(shape, generator=generator) * std + mean

    with torch.no_grad():
        for name, parameter in model.named_parameters():
            shape = parameter.shape
            leaf = name.rsplit(".", 1)[-1]
            if leaf in ("lambda1", "lambda_1", "lambda_2", "gamma"):
                value = normal(shape, 0.3, 0.8)
            elif leaf == "logit_scale":
                value = normal(shape, 0.1, 1.5)
            elif leaf == "logit_bias":
                value = normal(shape, 0.5, -2.0)
            elif "norm" in name and leaf == "weight":
                value = 1 + 0.2 * (2 * torch.rand(shape, generator=generator) - 1)
            elif "relative_position_bias_table" in name:
                value = normal(shape, 1.0)
            elif "position" in name or "pos_embed" in name or "token" in name or leaf in ("probe", "class_embedding"):
                value = normal(shape, 0.6)
            elif parameter.dim() >= 2:
                value = normal(shape, 1 / math.sqrt(max(1, math.prod(shape[1:]))))
            else:
                value = normal(shape, 0.2)
            parameter.copy_(value)
    return model.eval()


def pixels(seed, height, width, batch=1, channels=3):
    return torch.randn((batch, channels, height, width), generator=torch.Generator().manual_seed(1000 + seed))


class Fixtures:
    """Writes cases below a folder: model/ (what is opened), inputs.safetensors, reference.safetensors, and cases.json."""

    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.cases = []

    def folder(self, name):
        path = self.root / name
        shutil.rmtree(path, ignore_errors=True)
        (path / "model").mkdir(parents=True)
        return path

    def add(self, name, family, run, inputs, model="model", feed=None, **about):
        """`run(dtype)` gives a dict of the reference's tensors in that precision: output/..., hidden/..., SITE/probs."""
        path = self.root / name
        save_file({k: v.contiguous() for k, v in (inputs if feed is None else feed).items()}, path / "inputs.safetensors")
        tensors = {}
        for label, dtype in (("f32", torch.float32), ("f64", torch.float64)):
            for key, value in run(dtype).items():
                assert torch.isfinite(value).all(), (name, key)
                assert value.dtype == dtype, (name, key, value.dtype)
                tensors[f"{label}/{key}"] = value.detach().contiguous().clone()
        save_file(tensors, path / "reference.safetensors")
        self.cases.append({"name": name, "family": family, "model": f"{name}/{model}", **about})

    def finish(self, key):
        (self.root / "cases.json").write_text(json.dumps({"key": key, "cases": self.cases}, indent=1))


@contextlib.contextmanager
def states_of(blocks):
    """A dict that gets, while it is open, what goes into each block and, last, what the last block gives."""
    states = {}

    def enter(i):
        return lambda _, given, named: states.__setitem__(i, (given or tuple(named.values()))[0])

    def leave(_, __, out):
        states[len(blocks)] = out[0] if isinstance(out, tuple) else out

    hooks = [block.register_forward_pre_hook(enter(i), with_kwargs=True) for i, block in enumerate(blocks)]
    hooks.append(blocks[-1].register_forward_hook(leave))
    try:
        yield states
    finally:
        for hook in hooks:
            hook.remove()


def floats(inputs, dtype):
    return {k: v.to(dtype) if v.is_floating_point() else v for k, v in inputs.items()}


def collect(stage, hidden_states, attentions):
    """Hidden states and attention maps of one stage under the names of a trace file."""
    tensors = {f"hidden/{stage}/{i}": h for i, h in enumerate(hidden_states)}
    tensors.update({f"{stage}.{i}.self/probs": a for i, a in enumerate(attentions)})
    return tensors
