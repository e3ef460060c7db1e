#pragma once

#include <string>
#include <string_view>

namespace fovea {

enum class SiteKind { Self, Cross, Joint, Channel };
enum class SiteLayout { Dense, Windows, Gathered };
enum class Weighting { Softmax, Transposed, Linear, None };

/// The JSON spelling: "self", "cross", "joint", "channel".
const char* siteKindName(SiteKind kind);

/// One place in a network where attention happens.
struct AttentionSite {
    std::string stage;           ///< "vision", "text", ...
    int block = 0;               ///< counted from 0 in order of execution within the stage
    SiteKind kind = SiteKind::Self;
    std::string name;            ///< further part of the address; empty when kind says it all
    int heads = 1;
    int keyValueHeads = 1;
    int headDim = 1;
    bool causal = false;
    SiteLayout layout = SiteLayout::Dense;
    Weighting weighting = Weighting::Softmax;
    std::string keyStage;        ///< whose tokens the keys are, where they are not the stage's own
    std::string module;          ///< path of the same attention in the reference implementation's files

    /// "stage.block.kind[.name]", the same text in JSON, on the command line and in the window.
    std::string address() const;
    /// Softmax attention whose queries and keys are the tokens of its stage.
    bool overOwnTokens() const {
        return (kind == SiteKind::Self || kind == SiteKind::Joint) && weighting == Weighting::Softmax;
    }
    bool operator==(const AttentionSite&) const = default;
};

/// Whether `address` matches a glob with `*` and `?` ("vision.*.self"); the pattern "" matches nothing.
bool matchesGlob(std::string_view pattern, std::string_view address);

}  // namespace fovea
