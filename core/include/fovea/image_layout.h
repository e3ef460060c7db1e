#pragma once

#include <string>
#include <vector>

#include "fovea/rect.h"
#include "fovea/vision_image.h"

namespace fovea {

/// The numbers and texts by which a family writes an image slot of the prompt out; a plain value, filled by
/// VisualProcessor.
struct LayoutRules {
    /// None: the prompt stays as it is (mllama, blip: the image is read through cross-attention).
    enum class Scheme { None, Plain, LlavaNext, LlavaOnevision, Idefics3, Qwen, Qwen3, InternVl, Gemma3 };
    Scheme scheme = Scheme::None;
    std::string imageSlot;   ///< what stands for one image in the prompt: "<image>", "<|image_pad|>", ...
    std::string videoSlot;   ///< the same for a video; "" where there is none
    std::string imageToken;  ///< the spelling of one image token
    std::string videoToken;
    std::string begin;  ///< idefics3: fake_token_around_image; internvl <img>; gemma3 begin of image
    std::string end;
    std::string overview;    ///< idefics3: <global-img>
    int patchSize = 0;       ///< pixels of a patch of the vision tower
    int merge = 1;           ///< Qwen: patches per token and axis
    int temporalPatch = 1;   ///< Qwen: frames per token
    int tokensPerTile = 0;   ///< image_seq_length and its relatives; 0: one per patch
    int classTokens = 0;     ///< features before the patches (num_additional_image_tokens)
    bool dropFirst = false;  ///< vision_feature_select_strategy "default": the first feature is left out
    int maxTiles = 9;        ///< llava_onevision: anyres_max_N
};

/// One piece of what an image slot becomes: text still to be tokenised, or one token that carries features.
struct LayoutItem {
    enum class Kind {
        Text,     ///< tokenised where it stands
        Patch,    ///< an image token: reads `rect` of the original
        Newline,  ///< an image token that carries the learned end of a row
        Class,    ///< an image token that carries the tower's class token
    };
    Kind kind = Kind::Text;
    std::string text;  ///< Text: the literal; else the spelling of the image token
    /// Index into VisionImage::tiles; -1 for text and newlines. A grid that spans several tiles (LLaVA-NeXT)
    /// counts rows and columns within the tile; tokens over several frames name the first.
    int tile = -1;
    int row = 0;  ///< of the tile's token grid
    int column = 0;
    Rect rect;  ///< in the original, exact: what the token's patches show; empty for padding
};

/// What one image slot of the prompt becomes, in order. Throws Error where numbers of the files contradict
/// each other (a number of tokens that is no square grid, ...).
std::vector<LayoutItem> imageLayout(const LayoutRules& rules, const VisionImage& image);
/// The same for a video slot; throws Error (Usage) where the family takes no video.
std::vector<LayoutItem> videoLayout(const LayoutRules& rules, const VisionImage& video);
/// The texts of the items one after another: the expanded prompt before tokenising.
std::string layoutText(const std::vector<LayoutItem>& items);

}  // namespace fovea
