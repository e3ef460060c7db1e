#pragma once

#include <string>
#include <vector>

#include "io/builders.h"

namespace fovea::test {

/// Valid inputs from which the fuzzers start.
inline std::vector<std::string> safetensorsSeeds() {
    const std::string two =
        R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
        R"("b.c":{"dtype":"BF16","shape":[],"data_offsets":[24,26]},"e":{"dtype":"U8","shape":[0,9],"data_offsets":[26,26]}}  )";
    const std::string vit =
        R"({"cls_token":{"dtype":"F16","shape":[1,1,2],"data_offsets":[0,4]},)"
        R"("pos_embed":{"dtype":"F16","shape":[1,5,2],"data_offsets":[4,24]},)"
        R"("patch_embed.proj.weight":{"dtype":"F16","shape":[2,1,1,1],"data_offsets":[24,28]},)"
        R"("blocks.0.attn.qkv.weight":{"dtype":"F16","shape":[6,2],"data_offsets":[28,52]},)"
        R"("blocks.0.mlp.fc1.weight":{"dtype":"F16","shape":[4,2],"data_offsets":[52,68]}})";
    return {safetensorsFile("{}"), safetensorsFile(two, std::string(26, '\1')),
            safetensorsFile(vit, std::string(68, '\2'))};
}

inline std::vector<std::string> picklerSeeds() {
    const PickledTensor plain;
    PickledTensor view = plain;
    view.name = "v";
    view.offset = 1;
    view.size = {2, 2};
    view.stride = {1, 2};
    const std::string data(24, '\3');
    const std::string pickle = pickleDict({plain, view});
    const std::string wrapped = std::string("\x80\x02", 2) + "}q\x01(" + pickleText("epoch") + "K\x03" +
                                pickleText("state_dict") + "ccollections\nOrderedDict\n)Rq\x02(" +
                                pickleText("module.w") + pickleTensor(plain) + "u}" +
                                pickleText("_metadata") + "h\x01sb" + "u.";
    const std::string framed = std::string("\x80\x04\x95", 3) + little(4, 8) + "}\x94\x8c\x01wK\x01s.";
    return {torchZip(pickle, {{"0", data}}), torchLegacy(pickle, {{"0", data}}), pickle, wrapped, framed,
            torchZip(wrapped, {{"0", data}})};
}

inline std::vector<std::string> configSeeds() {
    return {
        R"({"model_type":"vit","architectures":["ViTModel"],"hidden_size":768,"image_size":[224,224],"layer_norm_eps":1e-12,)"
        R"("qkv_bias":true,"hidden_act":"gelu","id2label":{"0":"cat","1":"dog"},"torch_dtype":"float32"})",
        R"({"architecture":"vit_tiny_patch16_224","num_classes":3,"label_names":["a","b","c"],"pretrained_cfg":{"mean":[0.5,0.5,0.5]}})",
        R"({"model_type":"clip","vision_config":{"hidden_size":8,"image_size":{"height":4,"width":5}},"sizes":[1,2,3],"quantization_config":null})"};
}

/// The first byte chooses the model type.
inline std::vector<std::string> imageProcessorSeeds() {
    return {
        "\1"
        R"({"do_resize":true,"size":{"shortest_edge":32},"resample":3,"do_center_crop":true,"crop_size":{"height":32,"width":32},)"
        R"("do_rescale":true,"rescale_factor":0.00392156862745098,"do_normalize":true,"image_mean":[0.48,0.45,0.40],"image_std":[0.26,0.26,0.27]})",
        R"(0{"image_processor_type":"ViTImageProcessor","size":{"height":24,"width":16},"resample":2,"image_mean":[0.5,0.5,0.5],"image_std":[0.5,0.5,0.5]})",
        R"(4{"image_processor":{"image_processor_type":"Siglip2ImageProcessor","max_num_patches":16,"patch_size":4}})",
        R"(5{"architecture":"x","pretrained_cfg":{"input_size":[3,32,32],"interpolation":"bicubic","crop_pct":0.9,"mean":[0.5,0.5,0.5],"std":[0.5,0.5,0.5]}})"};
}

/// Each prints the message {"role": "user"} with an image and the text "hi".
inline std::vector<std::string> chatTemplateSeeds() {
    return {
        "{% for m in messages %}<{{ m.role|upper }}>{% for part in m['content'] if part is mapping -%}\n"
        "  {{ part.text ~ '\\n' if part.type == 'text' else '<image>' }}{%- endfor %}{% endfor %}{{ 'go' if add_generation_prompt }}",
        "{%- set ns = namespace(n=0, l=[]) %}{# c #}{% macro say(x, y=2) %}[{{ x }}:{{ y }}]{% endmacro %}"
        "{% for m in messages[::-1] %}{% for p in m.content|selectattr('type', 'equalto', 'text') %}"
        "{% set ns.n = ns.n + 1 %}{% set ns.l = ns.l + [p.text] %}{{ say(p.text|trim, y=loop.index * 2 ** 3) }}{% endfor %}{% endfor %}"
        "{{ ns.n }}{{ ns.l|join(',')|replace('i', 'j')|tojson(indent=2) }}",
        "{% set texts %}{% for p in messages[0].content %}{{ p|tojson }}{% if loop.index > 5 %}{% break %}{% endif %}"
        "{% endfor %}{% endset %}{{ texts.split(',')[-1].strip('}') }}{{ texts }}{% raw %}{{ x }}{% endraw %}"
        "{{ {'a': (1, 2.5e3, none)}.a|map('string')|list }}{{ range(3)|sum is odd }}{{ 'x' * 3 }}{{ nope|default('hi')|title }}",
        "{% filter lower %}{% with a = messages|length %}{{ a }}{% endwith %}{% endfilter %}{% if not nope is defined and 1 < 2 %}"
        "{{ messages[0].content[1].text.upper().lower() }}{% elif true %}{{ raise_exception('no') }}{% else %}x{% endif %}"};
}

/// The first byte chooses the family; then the files of one folder in an object.
inline std::vector<std::string> visualSeeds() {
    const std::string tower = R"(,"config":{"vision_config":{"patch_size":4}})";
    return {
        R"(b{"image":{"size":{"shortest_edge":16},"crop_size":16,"do_pad":true})" + tower + "}",
        R"(d{"image":{"size":{"height":16,"width":16},"crop_size":16,"image_grid_pinpoints":[[16,32],[32,32]]},)"
        R"("processor":{"patch_size":4,"num_additional_image_tokens":1,"vision_feature_select_strategy":"default"}})",
        R"(e{"image":{"size":{"height":12,"width":12},"image_grid_pinpoints":[[24,24],[12,36]]},"processor":{"num_image_tokens":9,)"
        R"("vision_aspect_ratio":"anyres_max_9"},"video":{"size":{"height":12,"width":12}})" + tower + "}",
        R"(g{"image":{"size":{"longest_edge":40},"max_image_size":{"longest_edge":16},"do_image_splitting":true},)"
        R"("video":{"size":{"longest_edge":30},"max_image_size":{"longest_edge":16}},"processor":{"image_seq_len":4})" + tower + "}",
        R"(n{"image":{"size":{"shortest_edge":64,"longest_edge":256},"patch_size":4,"merge_size":2,"temporal_patch_size":2},)"
        R"("video":{"size":{"shortest_edge":64,"longest_edge":256},"patch_size":4,"cap_pixels_per_frame":true,"max_video_tokens":9}})",
        R"(o{"image":{"size":{"shortest_edge":64,"longest_edge":256},"min_pixels":65,"patch_size":4},)"
        R"("video":{"size":{"shortest_edge":64,"longest_edge":256},"patch_size":4}})",
        R"(h{"image":{"size":{"height":16,"width":16},"min_patches":1,"max_patches":6},"video":{"size":16},"processor":{"image_seq_length":4})" +
            tower + "}",
        R"(i{"image":{"size":{"height":16,"width":16},"do_pan_and_scan":true,"pan_and_scan_min_crop_size":2,)"
        R"("pan_and_scan_max_num_crops":3},"processor":{"image_seq_length":4},"tokenizer":{"boi_token":{"content":"<b>"}})" + tower + "}",
        R"(j{"image":{"size":{"height":16,"width":16},"max_image_tiles":4}})"};
}

/// A line to encode, then the tokenizer.
inline std::vector<std::string> tokenizerSeeds() {
    const std::string sentencePiece("\x0a\x09\x0a\x05<unk>\x18\x02\x0a\x08\x0a\x01" "a\x15\x00\x00\x80\xbf"
                                    "\x0a\x08\x0a\x01" "b\x15\x00\x00\x00\xc0" "\x0a\x09\x0a\x02" "ab\x15\x00\x00\x00\xbf",
                                    42);
    return {
        "Ab <s>ab \xC3\xA9\n"
        R"({"added_tokens":[{"id":5,"content":"<s>","special":true,"normalized":false,"lstrip":true}],"normalizer":{"type":"Sequence",)"
        R"("normalizers":[{"type":"NFKC"},{"type":"Lowercase"},{"type":"Replace","pattern":{"Regex":" +"},"content":"_"}]},)"
        R"("pre_tokenizer":{"type":"Split","pattern":{"Regex":"_|a(?!b)|c"},"behavior":"MergedWithNext","invert":false},)"
        R"("post_processor":{"type":"BertProcessing","cls":["<s>",5],"sep":["<s>",5]},"decoder":{"type":"Sequence","decoders":[)"
        R"({"type":"Replace","pattern":{"String":"_"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":1}]},)"
        R"("model":{"type":"BPE","unk_token":"?","fuse_unk":true,"vocab":{"?":0,"a":1,"b":2,"_":3,"ab":4},"merges":["a b"]}})",
        "it's a  b\n"
        R"({"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":true},"decoder":{"type":"ByteLevel"},"post_processor":{"type":"ByteLevel"},)"
        R"("model":{"type":"WordPiece","unk_token":"u","continuing_subword_prefix":"#","vocab":{"u":0,"\u0120":1,"#a":2,"i":3,"#t":4}}})",
        "a bb\n"
        R"({"normalizer":{"type":"BertNormalizer"},"pre_tokenizer":{"type":"Metaspace","replacement":"_","prepend_scheme":"first"},)"
        R"("decoder":{"type":"Metaspace","replacement":"_"},"model":{"type":"Unigram","unk_id":0,"vocab":[["u",0],["_",-1],["a",-2],["_a",-2.5],["bb",-3]]}})",
        "ab\n" + sentencePiece};
}

}  // namespace fovea::test
