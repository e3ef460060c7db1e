#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "fovea/rect.h"

namespace fovea {

/// What a token of a sequence stands for (PRODUCT.md §4, token map).
enum class TokenKind { Special, Text, Image, Separator, Register, Padding, Generated, Latent, Region, Item };

/// The JSON spelling of a kind: "special", "text", "image", ...
const char* tokenKindName(TokenKind kind);

/// One token: its kind, and where it comes from: text, or a cell of the image grid and its rectangle.
struct Token {
    int index = 0;                       ///< position in the sequence of its stage
    TokenKind kind = TokenKind::Image;
    std::string text;                    ///< "[CLS]", "[REG0]", a piece of the prompt; empty for image tokens
    int image = -1;                      ///< index into TokenMap::images, -1 when the token belongs to none
    int row = -1, column = -1;           ///< cell in the image's grid, -1 when there is none
    Rect rect;                           ///< pixels of the upright original picture that the token reads
    bool operator==(const Token&) const = default;
};

/// All tokens of one stage in sequence order, with the grid of its image tokens.
struct StageTokens {
    std::string stage;
    int gridRows = 0, gridColumns = 0;   ///< 0 x 0 when the stage has no image grid
    std::vector<Token> tokens;

    int size() const { return static_cast<int>(tokens.size()); }
    /// Number of tokens before the first image token (class, distillation and register tokens).
    int prefixTokens() const;
    /// Indices of the image tokens in sequence order.
    std::vector<int> imageTokens() const;
    /// Index of the image token in grid cell (row, column), or -1.
    int tokenAt(int row, int column) const;
    bool operator==(const StageTokens&) const = default;
};

/// An input picture: its upright size in pixels, its token grid and the areas that no token reads.
struct ImageGeometry {
    int width = 0, height = 0;
    int gridRows = 0, gridColumns = 0;
    std::vector<Rect> unread;
    bool operator==(const ImageGeometry&) const = default;
};

/// What each token of each stage is; makes any result drawable without knowing the model.
struct TokenMap {
    std::vector<StageTokens> stages;
    std::vector<ImageGeometry> images;

    /// The tokens of a stage; throws Error when the map has no such stage.
    const StageTokens& stage(const std::string& name) const;
    bool operator==(const TokenMap&) const = default;
};

/// The token map as the JSON of PRODUCT.md §4.
nlohmann::json toJson(const TokenMap& map);

/// Reads that JSON back (from a trace file); throws Error naming the first field that is wrong.
TokenMap tokenMapFromJson(const nlohmann::json& json);

}  // namespace fovea
