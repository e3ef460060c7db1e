"""Cases of one vision tower: ViT, DeiT, MAE, DINOv2 with and without registers, DINOv3, BEiT."""
import torch
from parity_common import collect, floats, pixels, randomise
from transformers import (
    BeitConfig, BeitForImageClassification, BeitForMaskedImageModeling, BeitModel, DeiTConfig, DeiTForImageClassification,
    DeiTForImageClassificationWithTeacher, DeiTModel, Dinov2Config, Dinov2ForImageClassification, Dinov2Model,
    Dinov2WithRegistersConfig, Dinov2WithRegistersForImageClassification, Dinov2WithRegistersModel, ViTConfig,
    ViTForImageClassification, ViTMAEConfig, ViTMAEForPreTraining, ViTMAEModel, ViTModel)
from transformers.models.dinov3_vit.configuration_dinov3_vit import DINOv3ViTConfig
from transformers.models.dinov3_vit.modeling_dinov3_vit import DINOv3ViTModel

SIZES = dict(hidden_size=32, num_hidden_layers=3, num_attention_heads=4, image_size=32, patch_size=8,
             attn_implementation="eager")
VIT = dict(SIZES, intermediate_size=48, num_labels=5)
OUTPUTS = ("logits", "cls_logits", "distillation_logits", "last_hidden_state", "pooler_output")


def reference(model, inputs, **arguments):
    """Runs the model in a precision and names what it gives."""
    def run(dtype):
        model.to(dtype)
        result = model(**floats(inputs, dtype), output_hidden_states=True, output_attentions=True, **arguments)
        tensors = collect("vision", result.hidden_states, result.attentions)
        tensors.update({f"output/{n}": result[n] for n in OUTPUTS if result.get(n) is not None})
        model.to(torch.float32)
        return tensors

    return run


def case(fixtures, name, family, model, seed, inputs, feed=None, arguments=None, **about):
    folder = fixtures.folder(name)
    randomise(model, seed)
    model.save_pretrained(folder / "model")
    fixtures.add(name, family, reference(model, inputs, **(arguments or {})), inputs, feed=feed, **about)


INTERPOLATE = dict(interpolate_pos_encoding=True)


def vit(f):
    for seed in range(3):
        case(f, f"vit-class-{seed}", "vit", ViTForImageClassification(ViTConfig(**VIT)), seed, {"pixel_values": pixels(seed, 32, 32)})
    case(f, "vit-batch", "vit", ViTForImageClassification(ViTConfig(**VIT)), 3, {"pixel_values": pixels(3, 32, 32, batch=3)})
    case(f, "vit-bare", "vit", ViTModel(ViTConfig(**VIT, pooler_act="relu", pooler_output_size=20)), 4, {"pixel_values": pixels(4, 32, 32)})
    case(f, "vit-bare-no-pooler", "vit", ViTModel(ViTConfig(**VIT), add_pooling_layer=False), 5, {"pixel_values": pixels(5, 32, 32)})
    case(f, "vit-no-qkv-bias", "vit", ViTForImageClassification(ViTConfig(**VIT, qkv_bias=False, hidden_act="gelu_new")), 6, {"pixel_values": pixels(6, 32, 32)})
    for i, act in enumerate(("relu", "silu", "quick_gelu", "gelu_pytorch_tanh")):
        case(f, f"vit-{act}", "vit", ViTForImageClassification(ViTConfig(**VIT, hidden_act=act)), 10 + i, {"pixel_values": pixels(10 + i, 32, 32)})
    for i, (h, w) in enumerate(((48, 48), (24, 56), (64, 16), (35, 33), (50, 29), (16, 64))):
        case(f, f"vit-size-{h}x{w}", "vit", ViTForImageClassification(ViTConfig(**VIT)), 20 + i, {"pixel_values": pixels(20 + i, h, w)}, arguments=INTERPOLATE)
    wide = dict(VIT, image_size=[24, 40])
    case(f, "vit-configured-24x40", "vit", ViTForImageClassification(ViTConfig(**wide)), 30, {"pixel_values": pixels(30, 24, 40)})
    masked = {"pixel_values": pixels(31, 32, 32), "attention_mask": torch.tensor([[1] * 9 + [0] * 5 + [1] * 3])}
    case(f, "vit-attention-mask", "vit", ViTForImageClassification(ViTConfig(**VIT)), 31, masked)
    model = ViTModel(ViTConfig(**VIT), use_mask_token=True)
    hidden = torch.arange(16).reshape(1, 16) % 3 == 0
    case(f, "vit-masked-patches", "vit", model, 32, {"pixel_values": pixels(32, 32, 32), "bool_masked_pos": hidden})
    case(f, "vit-grey", "vit", ViTForImageClassification(ViTConfig(**VIT, num_channels=1)), 33, {"pixel_values": pixels(33, 32, 32, channels=1)})


def deit(f):
    for seed in range(3):
        case(f, f"deit-teacher-{seed}", "deit", DeiTForImageClassificationWithTeacher(DeiTConfig(**VIT)), 40 + seed, {"pixel_values": pixels(40 + seed, 32, 32)})
    case(f, "deit-class", "deit", DeiTForImageClassification(DeiTConfig(**VIT)), 43, {"pixel_values": pixels(43, 32, 32)})
    case(f, "deit-bare", "deit", DeiTModel(DeiTConfig(**VIT, qkv_bias=False)), 44, {"pixel_values": pixels(44, 32, 32)})
    case(f, "deit-size-24x56", "deit", DeiTForImageClassificationWithTeacher(DeiTConfig(**VIT)), 45, {"pixel_values": pixels(45, 24, 56)}, arguments=INTERPOLATE)


def mae(f):
    # Unmasked: the reference with nothing masked and patches kept in order; our side gets no noise.
    for seed in range(2):
        x = pixels(50 + seed, 32, 32)
        model = ViTMAEModel(ViTMAEConfig(**VIT, mask_ratio=0.0))
        case(f, f"vit_mae-unmasked-{seed}", "vit_mae", model, 50 + seed, {"pixel_values": x, "noise": torch.arange(16.0)[None]}, feed={"pixel_values": x})
    for seed, ratio in ((52, 0.75), (53, 0.4)):
        noise = torch.rand((1, 16), generator=torch.Generator().manual_seed(seed))
        case(f, f"vit_mae-masked-{ratio}", "vit_mae", ViTMAEModel(ViTMAEConfig(**VIT, mask_ratio=ratio)), seed, {"pixel_values": pixels(seed, 32, 32), "noise": noise})
    x = pixels(54, 40, 24)
    case(f, "vit_mae-size-40x24", "vit_mae", ViTMAEModel(ViTMAEConfig(**VIT, mask_ratio=0.0)), 54, {"pixel_values": x, "noise": torch.arange(15.0)[None]}, feed={"pixel_values": x}, arguments=INTERPOLATE)
    # Pre-training checkpoints: the encoder behind a prefix, the decoder unused.
    folder = f.folder("vit_mae-pretraining")
    decoder = dict(decoder_hidden_size=32, decoder_num_hidden_layers=1, decoder_num_attention_heads=4, decoder_intermediate_size=48)
    model = randomise(ViTMAEForPreTraining(ViTMAEConfig(**VIT, **decoder, mask_ratio=0.0)), 55)
    model.save_pretrained(folder / "model")
    x = pixels(55, 32, 32)
    f.add("vit_mae-pretraining", "vit_mae", reference(model.vit, {"pixel_values": x, "noise": torch.arange(16.0)[None]}), {"pixel_values": x})


def dinov2(f):
    base = dict(SIZES, num_labels=5)
    for seed in range(2):
        case(f, f"dinov2-bare-{seed}", "dinov2", Dinov2Model(Dinov2Config(**base, mlp_ratio=2)), 60 + seed, {"pixel_values": pixels(60 + seed, 32, 32)})
    case(f, "dinov2-class", "dinov2", Dinov2ForImageClassification(Dinov2Config(**base)), 62, {"pixel_values": pixels(62, 32, 32)})
    case(f, "dinov2-swiglu", "dinov2", Dinov2ForImageClassification(Dinov2Config(**base, use_swiglu_ffn=True)), 63, {"pixel_values": pixels(63, 32, 32)})
    case(f, "dinov2-no-qkv-bias", "dinov2", Dinov2Model(Dinov2Config(**base, qkv_bias=False, use_mask_token=False)), 64, {"pixel_values": pixels(64, 32, 32)})
    for i, (h, w) in enumerate(((56, 56), (24, 60), (17, 40))):
        case(f, f"dinov2-size-{h}x{w}", "dinov2", Dinov2Model(Dinov2Config(**base)), 65 + i, {"pixel_values": pixels(65 + i, h, w)})
    # A configured size that is not square: the reference reads the table as a square and resizes it.
    wide = dict(base, image_size=[16, 72], patch_size=8)
    case(f, "dinov2-configured-16x72", "dinov2", Dinov2Model(Dinov2Config(**dict(wide, image_size=[32, 72]))), 68, {"pixel_values": pixels(68, 32, 72)})
    hidden = torch.arange(16).reshape(1, 16) % 4 == 1
    case(f, "dinov2-masked-patches", "dinov2", Dinov2Model(Dinov2Config(**base)), 69, {"pixel_values": pixels(69, 32, 32), "bool_masked_pos": hidden})
    registers = dict(base, num_register_tokens=3)
    for seed in range(2):
        case(f, f"dinov2_with_registers-bare-{seed}", "dinov2_with_registers", Dinov2WithRegistersModel(Dinov2WithRegistersConfig(**registers)), 70 + seed, {"pixel_values": pixels(70 + seed, 32, 32)})
    case(f, "dinov2_with_registers-class", "dinov2_with_registers", Dinov2WithRegistersForImageClassification(Dinov2WithRegistersConfig(**registers)), 72, {"pixel_values": pixels(72, 32, 32)})
    case(f, "dinov2_with_registers-swiglu", "dinov2_with_registers", Dinov2WithRegistersModel(Dinov2WithRegistersConfig(**registers, use_swiglu_ffn=True)), 73, {"pixel_values": pixels(73, 32, 32)})
    for i, (h, w) in enumerate(((56, 40), (16, 24), (33, 90))):
        case(f, f"dinov2_with_registers-size-{h}x{w}", "dinov2_with_registers", Dinov2WithRegistersForImageClassification(Dinov2WithRegistersConfig(**registers)), 74 + i, {"pixel_values": pixels(74 + i, h, w)})


def dinov3(f):
    base = dict(SIZES, intermediate_size=48)
    for seed in range(2):
        case(f, f"dinov3_vit-{seed}", "dinov3_vit", DINOv3ViTModel(DINOv3ViTConfig(**base, num_register_tokens=4)), 80 + seed, {"pixel_values": pixels(80 + seed, 32, 32)})
    case(f, "dinov3_vit-gated", "dinov3_vit", DINOv3ViTModel(DINOv3ViTConfig(**base, num_register_tokens=2, use_gated_mlp=True, hidden_act="silu")), 82, {"pixel_values": pixels(82, 32, 32)})
    case(f, "dinov3_vit-biases", "dinov3_vit", DINOv3ViTModel(DINOv3ViTConfig(**base, key_bias=True, query_bias=False, value_bias=False, proj_bias=False, mlp_bias=False)), 83, {"pixel_values": pixels(83, 32, 32)})
    for i, (h, w) in enumerate(((48, 24), (20, 70))):
        case(f, f"dinov3_vit-size-{h}x{w}", "dinov3_vit", DINOv3ViTModel(DINOv3ViTConfig(**base, num_register_tokens=4, rope_theta=50.0)), 84 + i, {"pixel_values": pixels(84 + i, h, w)})


def beit(f):
    relative = dict(VIT, use_relative_position_bias=True)
    shared = dict(VIT, use_shared_relative_position_bias=True)
    for seed in range(2):
        case(f, f"beit-class-{seed}", "beit", BeitForImageClassification(BeitConfig(**relative)), 90 + seed, {"pixel_values": pixels(90 + seed, 32, 32)})
    case(f, "beit-shared", "beit", BeitForImageClassification(BeitConfig(**shared)), 92, {"pixel_values": pixels(92, 32, 32)})
    case(f, "beit-both-absolute-cls", "beit", BeitForImageClassification(BeitConfig(**dict(shared, use_relative_position_bias=True, use_absolute_position_embeddings=True, use_mean_pooling=False))), 93, {"pixel_values": pixels(93, 32, 32)})
    case(f, "beit-bare", "beit", BeitModel(BeitConfig(**relative)), 94, {"pixel_values": pixels(94, 32, 32)})
    case(f, "beit-bare-no-pooler", "beit", BeitModel(BeitConfig(**relative), add_pooling_layer=False), 95, {"pixel_values": pixels(95, 32, 32)})
    case(f, "beit-no-layer-scale", "beit", BeitModel(BeitConfig(**dict(relative, layer_scale_init_value=0.0, use_mean_pooling=False))), 96, {"pixel_values": pixels(96, 32, 32)})
    case(f, "beit-masked-lm", "beit", BeitForMaskedImageModeling(BeitConfig(**dict(shared, vocab_size=37, use_mask_token=True))), 97, {"pixel_values": pixels(97, 32, 32), "bool_masked_pos": torch.arange(16).reshape(1, 16) % 5 == 2})
    for i, (h, w) in enumerate(((48, 48), (24, 56), (35, 20))):
        case(f, f"beit-size-{h}x{w}", "beit", BeitForImageClassification(BeitConfig(**relative)), 98 + i, {"pixel_values": pixels(98 + i, h, w)}, arguments=INTERPOLATE)
    case(f, "beit-configured-24x40", "beit", BeitModel(BeitConfig(**dict(shared, image_size=[24, 40]))), 102, {"pixel_values": pixels(102, 24, 40)})


def build(fixtures):
    for family in (vit, deit, mae, dinov2, dinov3, beit):
        family(fixtures)
