"""Gradient relevance of words of an answer (Chefer et al. 2021, eqs. 5, 6 and, across stages, 10 without its
normalisation), from transformers' own attention maps and autograd, in fp32 and float64.
Usage: make_relevance.py OUT_FOLDER. Nothing is done when OUT_FOLDER already holds the fixtures of these scripts."""
import copy
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
TOOLS = HERE.parent
LENGTH = 6  # of an answer
WORDS = {"first": [0], "third": [2], "last": [5], "several": [1, 2, 4], "all": list(range(LENGTH))}


def parts(weights, gradient):
    """E of a map: the mean over heads of the positive part of map times gradient."""
    return (weights * gradient).clamp(min=0)[0].mean(0)


def walk(stages, start):
    """Rows of relevance of each stage's tokens, beside the start. A stage lists (maps, name of the stage that the keys
    are of) in order of execution; later stages are attended to by those before them."""
    found, ahead = {}, {next(iter(stages)): start}
    for stage, sites in stages.items():
        row = ahead[stage]
        for e, keys in reversed(sites):
            if keys == stage:
                row = row + row @ e
            else:
                ahead[keys] = ahead.get(keys, 0) + row @ e
        found[stage] = row - start if stage == next(iter(stages)) else row
    for stage, row in ahead.items():
        found.setdefault(stage, row)
    return found


def main():
    sys.path[:0] = [str(TOOLS), str(TOOLS / "vlm")]
    from fixture_script import begin, folder_to_fill
    root, key = folder_to_fill([__file__, TOOLS / "parity_language.py", TOOLS / "parity_vlm.py", TOOLS / "vlm" / "vlm_models.py"])
    begin(root)
    import torch
    import transformers

    torch.set_grad_enabled(True)  # relevance is about gradients
    import vlm_models as m
    from parity_common import Fixtures, floats, pixels, randomise, wide_norms
    from parity_vlm import prompt, run_of

    fixtures = Fixtures(root)

    def longer(inputs, answer):
        """The tensors of prompt and answer as one sequence: an answer is text that nothing is drawn into."""
        more = torch.tensor([answer])
        whole = dict(inputs, input_ids=torch.cat([inputs["input_ids"], more], 1))
        for name, value in (("token_type_ids", inputs.get("answer_type", 0)), ("mm_token_type_ids", 0)):
            if name in inputs:
                whole[name] = torch.cat([inputs[name], torch.full_like(more, value).to(inputs[name].dtype)], 1)
        if "cross_attention_mask" in inputs:
            mask = inputs["cross_attention_mask"]
            whole["cross_attention_mask"] = torch.cat([mask, mask[:, -1:].repeat_interleave(len(answer), 1)], 1)
        whole.pop("answer_type", None)
        return whole

    def decoder_only(model, whole):
        result = model(**whole, output_attentions=True, use_cache=False)
        return result.logits, {"text": [(a, "text") for a in result.attentions]}

    def mllama(model, whole):
        with m.EagerMaps("mllama") as recorded:
            result = model(**whole, use_cache=False)
        maps = {id(module): weights for module, weights in recorded.maps}
        sites = [(maps[id(b.cross_attn)], "projector") if hasattr(b, "cross_attn") else (maps[id(b.self_attn)], "text")
                 for b in model.model.language_model.layers]
        return result.logits, {"text": sites}

    def blip(model, whole):
        seen = model.vision_model(whole["pixel_values"], output_attentions=True)
        source, stages = seen.last_hidden_state, {}
        ids = whole["input_ids"]
        sites = lambda result, own, keys: [site for a, c in zip(result.attentions, result.cross_attentions)  # noqa: E731
                                           for site in ((a, own), (c, keys))]
        keys = "vision"
        if hasattr(model, "text_encoder"):
            asked = model.text_encoder(whole["question"], encoder_hidden_states=source, output_attentions=True)
            source, keys = asked.last_hidden_state, "text_encoder"
            stages = {"text_encoder": sites(asked, "text_encoder", "vision")}
        text = model.text_decoder(ids, encoder_hidden_states=source, output_attentions=True, use_cache=False)
        return text.logits, {"text": sites(text, "text", keys), **stages, "vision": [(a, "vision") for a in seen.attentions]}

    def answer_of(model, inputs, run):
        """Greedy, whatever the end token; by whole runs, which is also what generate() must come to."""
        answer = []
        with torch.no_grad():
            for _ in range(LENGTH):
                logits, _ = run(model, longer(inputs, answer) if answer else {k: v for k, v in inputs.items() if k != "answer_type"})
                answer.append(int(logits[0, -1].argmax()))
        return answer

    def case(name, family, model, inputs, run=decoder_only):
        model.save_pretrained(fixtures.folder(name) / "model")
        answer = answer_of(model, inputs, run)
        begin = inputs["input_ids"].shape[1]

        def reference(dtype):
            twin = copy.deepcopy(model).to(dtype)
            tensors = {}
            for words, places in WORDS.items():
                logits, stages = run(twin, floats(longer(inputs, answer), dtype))
                logs = logits[0].log_softmax(-1)
                value = sum(logs[begin + p - 1, answer[p]] for p in places)
                maps = [a for sites in stages.values() for a, _ in sites]
                # The answer's first word depends on no picture where nothing looks at it.
                gradients = torch.autograd.grad(value, maps, allow_unused=True)
                made = iter(parts(a, torch.zeros_like(a) if g is None else g) for a, g in zip(maps, gradients))
                stages = {stage: [(next(made), keys) for _, keys in sites] for stage, sites in stages.items()}
                start = torch.zeros(logits.shape[1], dtype=dtype)
                start[[begin + p - 1 for p in places]] = 1 / len(places)
                tensors[f"{words}/objective"] = value[None]
                tensors.update({f"{words}/{stage}": row for stage, row in walk(stages, start).items()})
            return tensors

        feed = {k: v for k, v in inputs.items() if k != "answer_type"}
        if "question" in feed:
            feed["decoder_input_ids"], feed["input_ids"] = feed["input_ids"], feed.pop("question")
        fixtures.add(name, family, reference, feed, feed=feed, answer=answer)

    image = lambda seed, n=1: {"pixel_values": pixels(seed, 32, 32, batch=n)}  # noqa: E731
    case("llava", "llava", m.llava(201), dict(image(201), input_ids=prompt(201, 4, run_of(16), 6)))
    case("llava-two", "llava", m.llava(202), dict(image(202, 2), input_ids=prompt(202, 2, run_of(16), 3, run_of(16), 4)))
    ids = prompt(203, run_of(16), 6)
    case("paligemma", "paligemma", m.paligemma(203),
         dict(image(203), input_ids=ids, token_type_ids=torch.zeros_like(ids), answer_type=1))
    ids = prompt(204, 3, [101], run_of(4), [102], 4, [101], run_of(4), [102], 2)
    case("gemma3", "gemma3", m.gemma3(204), dict(image(204, 2), input_ids=ids, token_type_ids=(ids == m.IMAGE).long()))
    for name, make in (("qwen2_5_vl", m.qwen2_5_vl), ("qwen3_vl", m.qwen3_vl)):
        ids, grids = prompt(211, 3, [104], run_of(15), [105], 2, [104], run_of(2), [105], 4), [[1, 10, 6], [1, 2, 4]]
        case(name, name, make(211), {"input_ids": ids, "mm_token_type_ids": (ids == m.IMAGE).int(),
                                     "pixel_values": m.patches(211, grids), "image_grid_thw": torch.tensor(grids)})
    tiles = torch.zeros(1, 2, 4, 3, 32, 32)
    shown = torch.zeros(1, 2, 4, dtype=torch.int64)
    for i, n in enumerate((4, 1)):
        tiles[0, i, :n], shown[0, i, :n] = pixels(206 + i, 32, 32, batch=n), 1
    cross = torch.zeros(1, 10, 2, 4, dtype=torch.int64)
    cross[:, 2:, 0, :4] = 1
    cross[:, 6:, 1, :1] = 1
    case("mllama", "mllama", m.mllama(206),
         {"pixel_values": tiles, "aspect_ratio_ids": torch.tensor([[6, 1]]), "aspect_ratio_mask": shown,
          "input_ids": prompt(206, 2, [120], 3, [120], 3), "cross_attention_mask": cross}, mllama)
    case("blip", "blip", m.blip(207), dict(image(207), input_ids=prompt(207, 7)), blip)
    case("blip-question", "blip", m.blip_questions(208),
         dict(image(208), question=prompt(208, 7), input_ids=torch.tensor([[1]])), blip)
    text = transformers.LlamaForCausalLM(m.llama(attn_implementation="eager"))
    case("llama", "llama", wide_norms(randomise(text, 209)), {"input_ids": prompt(209, 9)})
    fixtures.finish(key)


if __name__ == "__main__":
    main()
