"""Vision towers and projectors alone: features, hidden states and attention maps of tiny models in fp32 and float64.
Usage: make_towers.py OUT_FOLDER. Nothing is done when OUT_FOLDER already holds the fixtures of these scripts."""
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from fixture_script import begin, folder_to_fill  # noqa: E402


def main():
    root, key = folder_to_fill(HERE.glob("*.py"))
    begin(root)
    import torch
    import vlm_models as m
    from parity_common import Fixtures, collect, floats
    fixtures = Fixtures(root)

    def case(name, family, model, inputs, run):
        folder = fixtures.folder(name)
        model.save_pretrained(folder / "model")

        def both(dtype):
            model.to(dtype)
            tensors = run(model.model, floats(inputs, dtype))
            model.to(torch.float32)
            return tensors

        fixtures.add(name, family, both, inputs)

    def picture(model, inputs):
        """One picture through a tower of pictures."""
        kept = dict(output_hidden_states=True, output_attentions=True)
        values = dict(inputs)
        if values["pixel_values"].dim() == 5:  # Idefics3
            result = model.get_image_features(**values, **kept)
            features = result.pooler_output
        elif "image_sizes" in values:  # LLaVA-NeXT: the tower and the projector of one crop
            layer, strategy = model.config.vision_feature_layer, model.config.vision_feature_select_strategy
            result = model.vision_tower(values["pixel_values"], **kept)
            chosen = result.hidden_states[layer]
            features = model.multi_modal_projector(chosen[:, 1:] if strategy == "default" else chosen)
        else:
            result = model.get_image_features(**values, **kept)
            features = result.pooler_output
            features = features[0][None] if isinstance(features, (list, tuple)) else features
        tensors = collect("vision", result.hidden_states, result.attentions)
        tensors["output/features"] = features
        return tensors

    def qwen(model_type):
        def run(model, inputs):
            grid = inputs["image_grid_thw"]
            visual = model.visual
            with m.EagerMaps(model_type) as recorded:
                result = visual(inputs["pixel_values"], grid, output_hidden_states=True)
            count = inputs["pixel_values"].shape[0]
            order = torch.arange(count)
            if model_type == "qwen2_5_vl":
                from transformers.vision_utils import get_vision_window_index
                index, _ = get_vision_window_index(grid, 2, visual.window_size, visual.patch_size)
                order = (index[:, None] * 4 + torch.arange(4)).reshape(-1)
            back = torch.argsort(order)
            layers = [block.attn for block in visual.blocks]
            maps = [m.block_diagonal(parts, order) for parts in m.split_by_layer(recorded.maps, layers)]
            tensors = collect("vision", [h[back][None] for h in result.hidden_states], maps)
            tensors["output/features"] = result.pooler_output[None]
            for i, deep in enumerate(getattr(result, "deepstack_features", None) or []):
                tensors[f"output/deep{i}"] = deep[None]
            return tensors
        return run

    px = lambda seed, h=32, w=32: {"pixel_values": m.pixels(seed, h, w)}  # noqa: E731
    case("llava-clip", "llava", m.llava(), px(1), picture)
    case("llava-siglip-full", "llava", m.llava(11, vision=m.siglip(), vision_feature_select_strategy="full",
                                              vision_feature_layer=-1), px(2), picture)
    case("llava-two-layers", "llava", m.llava(12, vision_feature_layer=[0, -2], multimodal_projector_bias=False,
                                             projector_hidden_act="quick_gelu"), px(3), picture)
    case("llava-full", "llava", m.llava(13, vision_feature_select_strategy="full", vision_feature_layer=2), px(4), picture)
    case("llava_next", "llava_next", m.llava_next(), {**px(5), "image_sizes": torch.tensor([[40, 30]])}, picture)
    case("paligemma", "paligemma", m.paligemma(), px(6), picture)
    case("gemma3", "gemma3", m.gemma3(), px(7), picture)
    case("internvl", "internvl", m.internvl(), px(8), picture)
    case("internvl-norms", "internvl", m.internvl(14, dict(norm_type="rms_norm", use_qk_norm=True, attention_bias=True,
                                                          use_mean_pooling=False)), px(9), picture)
    mask = torch.ones(1, 1, 32, 32, dtype=torch.int64)
    mask[..., 24:] = 0
    mask[..., 17:, :] = 0
    values = {"pixel_values": m.pixels(10, 32, 32)[None]}
    case("idefics3", "idefics3", m.idefics("Idefics3"), values, picture)
    case("idefics3-padded", "idefics3", m.idefics("Idefics3", 15), {**values, "pixel_attention_mask": mask}, picture)
    case("smolvlm-padded", "smolvlm", m.idefics("SmolVLM", 16), {**values, "pixel_attention_mask": mask}, picture)
    wide = {"pixel_values": m.pixels(11, 64, 64)[None]}
    case("smolvlm-larger", "smolvlm", m.idefics("SmolVLM", 17), wide, picture)
    for name, make in (("qwen2_vl", m.qwen2_vl), ("qwen2_5_vl", m.qwen2_5_vl), ("qwen3_vl", m.qwen3_vl)):
        for suffix, thw in (("", [1, 6, 10]), ("-video", [3, 6, 4]), ("-one", [1, 2, 2])):
            inputs = {"pixel_values": m.patches(20, [thw]), "image_grid_thw": torch.tensor([thw])}
            case(name + suffix, name, make(), inputs, qwen(name))
    fixtures.finish(key)


if __name__ == "__main__":
    main()
