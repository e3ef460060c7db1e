"""Attention of answers on the asked object's true mask, sink tokens, and answers after sinks are scaled as ACT does."""

import torch
from transformers import AttentionInterface, AttentionMaskInterface, LlavaForConditionalGeneration
from transformers.masking_utils import eager_mask

import scenes

SINK = 5  # a token is a sink of a head if it receives more than SINK / N of the queries that see it (ACT, 2024)
STRONG = 0.3  # or, stricter, this share (Gu et al., 2024)
PHI = 0.3125  # of sqrt(width): VAR's bound of 20 at width 4096; a dimension of token 0 counts above 0.3


def received(a):
    """Mean attention of the queries that see a token: [..., N, N] to [..., N]."""
    n = a.shape[-1]
    return a.sum(-2) / (n - torch.arange(n, device=a.device))


class Sums:
    """Named sums over questions; `mean` divides by their number."""

    def __init__(self):
        self.values, self.count = {}, 0

    def add(self, name, value):
        """value: [questions, ...]"""
        value = value.double().sum(0).cpu()
        self.values[name] = self.values.get(name, 0) + value

    def mean(self):
        rounded = lambda v: [rounded(x) for x in v] if isinstance(v, list) else round(v, 4)
        return {k: rounded((v / self.count).tolist()) for k, v in self.values.items()}


def target_coverage(asker, part, objects):
    batch = scenes.Batch(asker.records[[a.row for a in part]])
    index = torch.tensor(objects)[:, None, None].expand(-1, 1, scenes.CELLS)
    return batch.coverage.gather(1, index)[:, 0].to(asker.device).float() / 255


def eager(folder, device):
    model = LlavaForConditionalGeneration.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    return model.to(device).eval()


def look(sums, a, row, patches, coverage):
    """Adds what the query `row` looks at; a [n, layers, heads, N, N]."""
    image = a[:, :, :, row, patches]
    mass = image.sum(-1)
    touches = coverage > 0
    sums.add("image_mass", mass)
    sums.add("target", (image * coverage[:, None, None]).sum(-1) / mass.clamp(min=1e-9))
    top = image.argmax(-1)
    sums.add("pointing", touches[:, None, None].expand_as(image).gather(-1, top[..., None])[..., 0])
    sums.add("layer_pointing", touches[:, None].expand(-1, a.shape[1], -1).gather(-1, image.mean(2).argmax(-1, keepdim=True))[..., 0])
    sums.add("area", coverage.mean(-1))
    sums.add("touched", touches.float().mean(-1))


def text_sinks(sums, a, hidden, patches, coverage):
    """Adds statistics of sink tokens; hidden: residual stream before each layer, [layers + 1][n, N, width]."""
    mean = received(a)
    n = a.shape[-1]
    sink = mean > SINK / n
    sums.add("first_received", mean[..., 0].mean(-1))
    sums.add("first_share", a[..., -1, 0].mean(-1))  # of the answer's own row
    image, here = mean[..., patches], sink[..., patches]
    on = a[..., -1, patches]
    covered = (coverage > 0)[:, None, None]
    sums.add("image_sinks", here.float().sum(-1).mean(-1))
    sums.add("image_sink_share", (on * here).sum(-1).mean(-1))
    sums.add("image_sink_empty", (on * here * ~covered).sum(-1).mean(-1))
    other = torch.ones(n, dtype=torch.bool, device=a.device)
    other[0], other[patches] = False, False
    sums.add("text_sinks", (sink & other).float().sum(-1).mean(-1))
    sums.add("text_sink_share", (a[..., -1, :] * (sink & other)).sum(-1).mean(-1))
    sums.add("largest_image", image.max(-1).values.mean(-1))
    sums.add("strong", (mean > STRONG).float().sum(-1).mean(-1))
    states = torch.stack(hidden[:-1], 1)  # [n, layers, N, width]
    norm = states.norm(dim=-1)
    sums.add("norm_first", norm[..., 0] / norm.median(-1).values)
    sums.add("norm_image", norm[..., patches].amax(-1) / norm.median(-1).values)


def vision_sinks(sums, attentions, hidden, coverage):
    a = torch.stack(attentions, 1)
    mean = a.mean(-2)
    patch = mean[..., 1:]
    sink = patch > SINK / a.shape[-1]
    sums.add("vision_cls_received", mean[..., 0].mean(-1))
    sums.add("vision_sinks", sink.float().sum(-1).mean(-1))
    sums.add("vision_sink_mass", (patch * sink).sum(-1).mean(-1))
    sums.add("vision_sink_empty", (patch * sink * (coverage == 0)[:, None, None]).sum(-1).mean(-1))
    norm = torch.stack(hidden[1:], 1).norm(dim=-1)
    sums.add("vision_norm", norm.amax(-1) / norm.median(-1).values)


@torch.no_grad()
def looking(asker, folder, single, named, device):
    """Where the query that gives the answer's first token looks (single objects), and each name's first token (name_all)."""
    model = eager(folder, device)
    first = asker.prompt("?").index(model.config.image_token_index)
    patches = slice(first, first + scenes.CELLS)
    sums, names = Sums(), Sums()
    for part, ids, pixels in asker.batches(single):
        seen = model.model.vision_tower(pixels, output_attentions=True, output_hidden_states=True)
        out = model(input_ids=ids, pixel_values=pixels, output_attentions=True, output_hidden_states=True)
        a = torch.stack(out.attentions, 1)
        everything = scenes.Batch(asker.records[[q.row for q in part]]).coverage.float().sum(1).to(device)
        look(sums, a, -1, patches, target_coverage(asker, part, [q.target for q in part]))
        text_sinks(sums, a, out.hidden_states, patches, everything)
        vision_sinks(sums, seen.attentions, seen.hidden_states, everything)
        sums.count += len(part)
    for part, ids, pixels in asker.batches(named, answers=True):
        a = torch.stack(model(input_ids=ids, pixel_values=pixels, output_attentions=True).attentions, 1)
        order = scenes.Batch(asker.records[[q.row for q in part]]).order
        start = len(asker.prompt(part[0].text)) - 1
        for k in range((ids.shape[1] - start) // 3):
            look(names, a, start + 3 * k, patches, target_coverage(asker, part, order[:, k].tolist()))
            names.count += len(part)
    return {"probes": sums.count, "looking": sums.mean(), "named": names.count, "naming": names.mean()}


@torch.no_grad()
def dimensions(asker, folder, asked, device):
    """VAR's test: dimensions of token 0 that tower over its others, and image tokens on which they tower too, by layer.

    Token 0 sees nothing but itself, so that its state is the same for every prompt. A dimension counts if it passes in most
    layers but the first two and the last.
    """
    model = eager(folder, device)
    first = asker.prompt("?").index(model.config.image_token_index)
    sums, found = Sums(), None
    for part, ids, pixels in asker.batches(asked):
        hidden = model(input_ids=ids, pixel_values=pixels, output_hidden_states=True).hidden_states[:-1]
        states = torch.stack(hidden, 1)
        states = states.abs() / states.pow(2).mean(-1, keepdim=True).sqrt().clamp(min=1e-6)
        root = states.shape[-1] ** 0.5
        if found is None:
            over = (states[0, 2:-1, 0] > 0.3 * root).float().mean(0) >= 0.7
            found = over.nonzero().flatten()[:4]
            sums.first = [round(v, 2) for v in states[0, :, 0].amax(-1).tolist()]
        if len(found):
            sums.add("image", (states[:, :, first : first + scenes.CELLS, found].amax(-1) > PHI * root).float().sum(-1))
        sums.count += len(part)
    return {
        "sink_dimensions": found.tolist(),
        "dimension_first": sums.first,
        "dimension_image": sums.mean().get("image", []),
        "dimension_probes": sums.count,
    }


class Scaled:
    """Attention that multiplies sinks by beta and gives what it takes to the others in proportion (ACT); a layer list."""

    def __init__(self, beta, first_too=False):
        self.beta, self.first_too, self.layers = beta, first_too, range(0)
        self.found, self.rows = 0, 0

    def __call__(self, module, query, key, value, attention_mask, scaling, **_):
        scores = query @ key.transpose(-1, -2) * scaling
        if attention_mask is not None:
            scores = scores + attention_mask
        a = scores.softmax(-1)
        if module.layer_idx in self.layers:
            sink = received(a) > SINK / a.shape[-1]
            sink[..., 0] = self.first_too
            self.found, self.rows = self.found + sink.sum().item(), self.rows + sink[..., 0].numel()
            mass = (a * sink[..., None, :]).sum(-1, keepdim=True)
            rest = (1 - self.beta * mass) / (1 - mass).clamp(min=1e-9)
            scaled = torch.where(sink[..., None, :], self.beta * a, rest * a)
            a = torch.where(mass < 1 - 1e-6, scaled, a)  # a row that sees nothing else stays
        return (a @ value).transpose(1, 2).contiguous(), a


def scaling(asker, folder, asked, device):
    """Answers that change, and accuracy, when sinks are scaled in every head of every layer or of one."""
    model = eager(folder, device)
    layers = range(model.config.text_config.num_hidden_layers)
    before = asker.answers(model, asked)
    said = {id(a): s for a, s in before}
    right = lambda pairs: round(100 * sum(a.answer == s for a, s in pairs) / len(pairs), 2)
    AttentionMaskInterface.register("scaled", eager_mask)
    rows = []
    cases = [("all", layers, b, False) for b in (0.4, 0.0)] + [("all, token 0 too", layers, 0.4, True), ("all but the first two and the last", layers[2:-1], 0.4, False)]
    cases += [(f"layer {i}", [i], 0.4, False) for i in layers]
    for name, where, beta, first_too in cases:
        act = Scaled(beta, first_too)
        act.layers = where
        AttentionInterface.register("scaled", act)
        model.model.language_model.set_attn_implementation("scaled")
        after = asker.answers(model, asked, use_cache=False)
        changed = sum(said[id(a)] != s for a, s in after)
        rows.append(
            {
                "where": name,
                "beta": beta,
                "sinks": round(act.found / max(act.rows, 1), 3),
                "changed": round(100 * changed / len(after), 2),
                "accuracy": right(after),
            }
        )
        print(rows[-1], flush=True)
    return {"scaled": len(asked), "scaled_before": right(before), "scaling": rows}
