"""A vision transformer in timm's layout, written from its formulas: the reference for what transformers has no class for
(register tokens, positions without the class token, norms on query and key, pooling by mean)."""
import torch
from torch import nn


class Attention(nn.Module):
    def __init__(self, dim, heads, qkv_bias, qk_norm):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim, bias=qkv_bias)
        self.q_norm = nn.LayerNorm(dim // heads, eps=1e-6) if qk_norm else nn.Identity()
        self.k_norm = nn.LayerNorm(dim // heads, eps=1e-6) if qk_norm else nn.Identity()
        self.proj = nn.Linear(dim, dim)

    def forward(self, x, maps):
        batch, tokens, dim = x.shape
        q, k, v = self.qkv(x).reshape(batch, tokens, 3, self.heads, dim // self.heads).permute(2, 0, 3, 1, 4)
        q, k = self.q_norm(q), self.k_norm(k)
        probs = (q @ k.transpose(-2, -1) * (dim // self.heads) ** -0.5).softmax(-1)
        maps.append(probs)
        return self.proj((probs @ v).transpose(1, 2).reshape(batch, tokens, dim))


class Scale(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(dim))

    def forward(self, x):
        return x * self.gamma


class Mlp(nn.Module):
    def __init__(self, dim, inner):
        super().__init__()
        self.fc1 = nn.Linear(dim, inner)
        self.fc2 = nn.Linear(inner, dim)

    def forward(self, x):
        return self.fc2(nn.functional.gelu(self.fc1(x)))


class Block(nn.Module):
    def __init__(self, dim, heads, inner, scale, qkv_bias, qk_norm):
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.attn = Attention(dim, heads, qkv_bias, qk_norm)
        self.ls1 = Scale(dim) if scale else nn.Identity()
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = Mlp(dim, inner)
        self.ls2 = Scale(dim) if scale else nn.Identity()

    def forward(self, x, maps):
        x = x + self.ls1(self.attn(self.norm1(x), maps))
        return x + self.ls2(self.mlp(self.norm2(x)))


class PatchEmbed(nn.Module):
    def __init__(self, dim, patch, bias):
        super().__init__()
        self.proj = nn.Conv2d(3, dim, patch, patch, bias=bias)

    def forward(self, x):
        return self.proj(x).flatten(2).transpose(1, 2)


class TimmVit(nn.Module):
    def __init__(self, dim=32, depth=2, heads=4, inner=48, patch=8, grid=4, classes=5, registers=0, class_token=True,
                 no_embed_class=False, pre_norm=False, scale=False, qkv_bias=True, qk_norm=False, pool="token"):
        super().__init__()
        self.no_embed_class, self.pool, self.grid, self.patch = no_embed_class, pool, grid, patch
        self.patch_embed = PatchEmbed(dim, patch, bias=not pre_norm)
        if class_token:
            self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        if registers:
            self.reg_token = nn.Parameter(torch.zeros(1, registers, dim))
        self.prefix = int(class_token) + registers
        self.pos_embed = nn.Parameter(torch.zeros(1, grid * grid + (0 if no_embed_class else self.prefix), dim))
        self.norm_pre = nn.LayerNorm(dim, eps=1e-6) if pre_norm else nn.Identity()
        self.blocks = nn.ModuleList(Block(dim, heads, inner, scale, qkv_bias, qk_norm) for _ in range(depth))
        self.norm = nn.LayerNorm(dim, eps=1e-6) if pool == "token" else nn.Identity()
        self.fc_norm = nn.Identity() if pool == "token" else nn.LayerNorm(dim, eps=1e-6)
        self.head = nn.Linear(dim, classes) if classes else nn.Identity()
        self.classes = classes

    def positions(self, rows, columns):
        if rows == columns == self.grid:
            return self.pos_embed
        placed = self.pos_embed.shape[1] - self.grid**2
        image = self.pos_embed[:, placed:].reshape(1, self.grid, self.grid, -1).permute(0, 3, 1, 2)
        image = nn.functional.interpolate(image, size=(rows, columns), mode="bicubic", antialias=True)
        return torch.cat([self.pos_embed[:, :placed], image.permute(0, 2, 3, 1).flatten(1, 2)], 1)

    def forward(self, pixel_values):
        positions = self.positions(pixel_values.shape[2] // self.patch, pixel_values.shape[3] // self.patch)
        x = self.patch_embed(pixel_values)
        prefix = [t.expand(len(x), -1, -1) for t in (getattr(self, "cls_token", None), getattr(self, "reg_token", None))
                  if t is not None]
        if self.no_embed_class:
            x = torch.cat([*prefix, x + positions], 1)
        else:
            x = torch.cat([*prefix, x], 1) + positions
        x = self.norm_pre(x)
        hidden, maps = [x], []
        for block in self.blocks:
            x = block(x, maps)
            hidden.append(x)
        x = self.norm(x)
        pooled = x[:, 0] if self.pool == "token" else x[:, self.prefix :].mean(1)
        pooled = self.fc_norm(pooled)
        outputs = {"logits": self.head(pooled)} if self.classes else {"last_hidden_state": x, "pooler_output": pooled}
        return outputs, hidden, maps


def from_transformers(state, layers):
    """The names of transformers' files for a ViT or DINOv2 as timm and the DINO repositories spell them."""
    renamed = {}
    plain = {"embeddings.cls_token": "cls_token", "embeddings.position_embeddings": "pos_embed",
             "embeddings.register_tokens": "register_tokens", "embeddings.mask_token": "mask_token",
             "embeddings.patch_embeddings.projection.weight": "patch_embed.proj.weight",
             "embeddings.patch_embeddings.projection.bias": "patch_embed.proj.bias",
             "layernorm.weight": "norm.weight", "layernorm.bias": "norm.bias",
             "classifier.weight": "head.weight", "classifier.bias": "head.bias"}
    inner = {"layernorm_before": "norm1", "layernorm_after": "norm2", "norm1": "norm1", "norm2": "norm2",
             "attention.output.dense": "attn.proj", "intermediate.dense": "mlp.fc1", "output.dense": "mlp.fc2",
             "mlp.fc1": "mlp.fc1", "mlp.fc2": "mlp.fc2", "mlp.weights_in": "mlp.w12", "mlp.weights_out": "mlp.w3"}
    for name in plain:
        if name in state:
            renamed[plain[name]] = state[name]
    for i in range(layers):
        old, new = f"encoder.layer.{i}.", f"blocks.{i}."
        for kind in ("weight", "bias"):
            parts = [state.get(f"{old}attention.attention.{p}.{kind}") for p in ("query", "key", "value")]
            if parts[0] is not None:
                renamed[f"{new}attn.qkv.{kind}"] = torch.cat(parts, 0)
            for a, b in inner.items():
                if f"{old}{a}.{kind}" in state:
                    renamed[f"{new}{b}.{kind}"] = state[f"{old}{a}.{kind}"]
        for n in (1, 2):
            if f"{old}layer_scale{n}.lambda1" in state:
                renamed[f"{new}ls{n}.gamma"] = state[f"{old}layer_scale{n}.lambda1"]
    return {k: v.contiguous() for k, v in renamed.items()}
