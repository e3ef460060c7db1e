"""The model card (README.md) from the facts."""

import questions

HELP = {
    "color": "What colour is the star?",
    "shape": "What shape is the red object?",
    "count_shape": "How many stars are there?",
    "count_color": "How many red objects are there?",
    "exists": "Is there a red star?",
    "relation": "Is there a star left of the cross? (right of, above, below)",
    "pair_side": "Is the red star left of the blue cross? (right of, above, below)",
    "front": "Is the red star in front of the blue cross?",
    "largest": "What is the largest object?",
    "marked": "What is in the brackets?",
    "name_all": "Name all objects.",
}


WIDTH = 256  # of the text model


def percent(v):
    return f"{100 * v:.1f} %"


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(str(c) for c in row) + " |" for row in rows])


def where(f, area):
    """Rows by layer of what the answering query looks at."""
    rows = []
    for i, (heads, points) in enumerate(zip(f["target"], f["pointing"])):
        best, sharpest = max(heads), max(points)
        mean = sum(heads) / len(heads)
        rows.append(
            (
                i,
                percent(sum(f["image_mass"][i]) / len(heads)),
                percent(mean),
                f"{mean / area:.1f}",
                f"{percent(best)} (head {heads.index(best)})",
                percent(f["layer_pointing"][i]),
                f"{percent(sharpest)} (head {points.index(sharpest)})",
            )
        )
    return table(("layer", "on the image", "of it on target", "times area", "best head", "points", "best head"), rows)


def training(f):
    runs, run = [], f
    while run:
        runs.insert(0, run)
        run = run.get("before")
    rows = [
        ("seed", *(r["seed"] for r in runs)),
        ("steps", *(f"{r['steps']:,} of {r['batch']} scenes with 10 questions" for r in runs)),
        ("scenes", *(f"{r['seen']:,} drawn from {r['scenes']:,}" for r in runs)),
        ("time", *(f"{r['seconds'] / 60:.1f} minutes on one {r['device']}" for r in runs)),
        ("learning rate (vision tower)", *(f"{r['lr']:g} ({r['vision_lr']:g})" for r in runs)),
        ("questions drawn by weight", *(", ".join(f"{k} {w:g}" for k, w in zip(questions.KINDS, r["weights"])) for r in runs)),
        ("weight of the patch heads", *(f"{r['patch_weight']:g}" for r in runs)),
    ]
    commands = "\n".join(
        f"    python train.py --minutes {r['minutes']:g} --seed {r['seed']} --lr {r['lr']:g} --vision-lr {r['vision_lr']:g} "
        f"--warmup {r['warmup']} --patch-weight {r['patch_weight']:g} --out run{i + 1}"
        + (f" --weights {' '.join(f'{w:g}' for w in r['weights'])}" if r["weights"] != questions.WEIGHTS else "")
        + (f" --resume run{i}" if i else "")
        for i, r in enumerate(runs)
    )
    return table(("", *(f"run {i + 1}" for i in range(len(runs)))), rows), commands


def verdict(f):
    look = f["looking"]
    layers = range(len(look["first_received"]))
    first = max(layers, key=lambda i: look["first_received"][i])
    text = max(layers, key=lambda i: look["text_sink_share"][i])
    empty, image = max(look["image_sink_empty"]), max(look["image_sink_share"])
    strong = max(look["first_received"]) > 0.3 or empty > 0.05
    lines = [
        f"{'Yes' if strong else 'None to speak of'}: token 0 receives at most {percent(look['first_received'][first])} (layer {first}). Image tokens over the bound take at most",
        f"{percent(image)} of the answer's row, but those that touch no object at most {percent(empty)}: they are content. Text tokens over it are those of the question,",
        f"which the answer has to read (most in layer {text}: {percent(look['text_sink_share'][text])}).",
    ]
    found = f["sink_dimensions"]
    if found:
        most = max(f["dimension_image"])
        lines.append(
            f"By VAR's test (dimension {', '.join(map(str, found))} of token 0, {max(f['dimension_first']):.2f} times its root mean square; {f['dimension_probes']} questions) {most:.0f} of 196 image tokens would be sinks in some layer:\n"
            + ("the dimension is large all over the picture, so that the test singles out no sinks here." if most > 40 else "those are sinks.")
        )
    else:
        lines.append(f"VAR's test finds no sink dimensions: token 0's largest value is {max(f['dimension_first'][2:-1]):.1f} times its root mean square, below {0.3 * WIDTH**0.5:.1f}.")
    return "\n".join(lines)


def unlearned(f):
    """What an earlier run was asked and did not learn, so that the last one left it out."""
    text, run = "", f.get("before")
    for kind, weight in zip(questions.KINDS, f["weights"]):
        if run and weight == 0 and kind in run.get("accuracy", {}):
            text += (
                f"`{HELP[kind]}` is not learned: after run 1 {run['accuracy'][kind]:.1f} % of {run['asked'][kind]:,} were right, little more than\n"
                "chance, and run 2 left it out. Asked such a question, the model guesses.\n\n"
            )
    return text


def card(f):
    look, name = f["looking"], f["naming"]
    layers = range(len(look["target"]))
    runs, commands = training(f)
    asked = [
        (k, HELP[k], f["asked"][k], f"**{f['accuracy'][k]:.2f} %**", f"{f['guess'][k]:.1f} %") for k in questions.KINDS if k in f["asked"]
    ]
    crowds = sorted(k for k in f["asked"] if k.startswith("name_all_"))
    crowded = table(
        ("objects", *(k.removeprefix("name_all_") for k in crowds)),
        [("scenes", *(f["asked"][k] for k in crowds)), ("right", *(f"{f['accuracy'][k]:.1f} %" for k in crowds))],
    )
    sinks = table(
        ("layer", "token 0 receives", "of the answer's row", "image sinks", "of the answer's row", "on those without object", "text sinks", "of the answer's row", "over 0.3", "norm of token 0 / median", "largest image norm / median"),
        [
            (
                i,
                percent(look["first_received"][i]),
                percent(look["first_share"][i]),
                f"{look['image_sinks'][i]:.2f}",
                percent(look["image_sink_share"][i]),
                percent(look["image_sink_empty"][i]),
                f"{look['text_sinks'][i]:.2f}",
                percent(look["text_sink_share"][i]),
                f"{look['strong'][i]:.2f}",
                f"{look['norm_first'][i]:.2f}",
                f"{look['norm_image'][i]:.2f}",
            )
            for i in layers
        ],
    )
    vision = table(
        ("layer", "CLS receives", "sink patches", "mass on them", "on those without object", "largest / median norm"),
        [
            (
                i,
                percent(look["vision_cls_received"][i]),
                f"{look['vision_sinks'][i]:.2f}",
                percent(look["vision_sink_mass"][i]),
                percent(look["vision_sink_empty"][i]),
                f"{look['vision_norm'][i]:.2f}",
            )
            for i in range(len(look["vision_sinks"]))
        ],
    )
    scaled = table(
        ("layers", "beta", "sinks scaled per head", "answers changed", "right"),
        [(r["where"], r["beta"], f"{r['sinks']:.2f}", f"{r['changed']:.1f} %", f"{r['accuracy']:.1f} %") for r in f["scaling"]],
    )
    return f"""---
license: apache-2.0
library_name: transformers
pipeline_tag: image-text-to-text
---
# vlm-scenes: questions about shapes

A small vision-language model (`LlavaForConditionalGeneration`, {f['parameters']:,} parameters) that ships with Fovea as `demo:vlm`. It answers
questions about the procedural scenes of `core/scenes`: objects of 10 shapes and 8 colours that cover each other, on varied
backgrounds with clutter and light, in half of the scenes with brackets around one of them.

**Parts.** A CLIP vision tower (6 layers of 4 heads, width 192, 14 x 14 patches of 16 pixels; it starts from the weights of
`demo:vit`), LLaVA's projector, and a Llama (6 layers of 8 heads, width 256) with a byte-level BPE tokenizer trained on the questions.
The patches of the tower's last layer become 196 image tokens; its CLS token is dropped.

**Format.** Hugging Face folder, fp16; 224 x 224 pixels, mean and standard deviation 0.5. Prompts are LLaVA's
`USER: <image>\\nWhat colour is the star? ASSISTANT:`, from the chat template; greedy decoding. Later turns of a chat may ask further.

**Limits.** It knows nothing but these scenes and questions (`colour` and `color` both read). A question about an object that is not there,
or about one of several, gets an answer all the same. It was asked, in training as below, only what the picture answers without doubt:
objects at least half visible, sides at least half a radius apart, a largest object with a fifth more visible pixels than the next.
`Name all objects.` lists them from left to right by their centres.

## Training

{runs}

AdamW, cosine to 0 over the run's time, weight decay 0.05, bf16 autocast; loss on the answers' tokens alone. Every row holds one picture,
nine questions and the naming of all objects (if their order is clear); a mask lets each question see the picture and itself, and in a fifth
of the rows also those before it, as turns of a chat. Heads on the vision tower tell for every patch which shape and colour
it shows, where that object's centre lies and whether it is there; they are dropped afterwards. Attention is never supervised. Two of
three scenes have 4 to 9 objects (as the program draws them), one has 2 to 5. Repeat it with

{commands}

The time limit, not the step count, ends a run, so that another machine gives other weights.

## Held-out accuracy

Exact answers by greedy `generate()`, saved fp16 weights computed in fp32, on {f['held_out']:,} scenes of seeds from {questions.scenes.HELD_OUT} on,
which no training uses. All but the last row: scenes of 4 to 9 objects. "Same answer" is what always giving the commonest one reaches.

{table(("question", "example", "asked", "right", "same answer"), asked)}

Objects are named in scenes of 2 to 5 objects whose centres are at least 8 pixels apart from left to right and that show at least half.
In scenes of 4 to 9 objects, with the same clear order, the whole list is right in

{crowded}

{unlearned(f)}As second turn of a chat, after another question about the scene and its answer, {f['later_accuracy']:.1f} % of {f['later']} questions were answered right.
Computed in fp16 as well, {f['mixed']:,} questions of all kinds: {f['mixed_half']:.1f} % (fp32 {f['mixed_full']:.1f} %).

## Does attention fall on the asked object?

{f['probes']:,} held-out questions with one object to look at (`color`, `shape`, `largest`, `marked`), fp32. The row is that of the prompt's last
token, which gives the answer's first. The object's visible pixels are {percent(look['area'])} of the picture, and {percent(look['touched'])} of the patches touch it. "On
target" is the share of the attention to image tokens that falls on those pixels (a patch counts by the part of it they cover),
mean over heads; "times area" divides it by the area. "Points" says how often the patch with the most attention (of the heads' mean; of
one head) touches the object.

{where(look, look['area'])}

While naming all objects, for the first token of each of {f['named']:,} names (area {percent(name['area'])}, {percent(name['touched'])} of the patches touch it):

{where(name, name['area'])}

## Does it have sink tokens?

A token receives the mean attention of the queries that see it. It is a sink of a head above {5}/N, 5 times the uniform share over the
prompt's N tokens (ACT, 2024); "over 0.3" counts tokens that receive more than that (Gu et al. 2024). Means over heads and
questions; token 0 is `<s>` and counts apart. A prompt's last tokens pass the rule easily, as few queries see them.

{sinks}

{verdict(f)}

In the vision tower (mean over all 197 queries; sink patches without any object apart):

{vision}

## What happens to the answers when sinks are scaled?

{f['scaled']:,} questions of all kinds, {f['scaled_before']:.1f} % right before. In every head of the named layers, attention to sinks (over 5/N, token 0
excepted unless named) is multiplied by beta, the rest of the row takes what is left in proportion (ACT, without its choice of heads);
sinks are found anew for every answer token.

{scaled}
"""
