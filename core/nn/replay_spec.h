#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "fovea/model.h"
#include "io/trace_file.h"

namespace fovea {

/// How the logits of a recorded site came from Q and K, from the metadata `fovea.attention`.
struct RecordedAttention {
    double scale = 0;  ///< 0: not written, 1 / sqrt(head_dim) is assumed
    double softcap = 0;
    bool biased = false;  ///< a bias or mask was added; the tensor SITE/bias where the file holds it
    bool edited = false;  ///< probabilities are those after edits
    std::optional<bool> causal;  ///< not written: as the site says
    std::int64_t queryOffset = 0, window = -1, prefix = 0;  ///< of a causal mask, as in AttentionCall
};

/// The model that a trace file was recorded from, as far as the file says: `fovea.spec` where it is there,
/// and sites and stages that only tensor names tell of. Throws Error (Input) naming the field or tensor that
/// makes no sense.
ModelSpec readRecordedSpec(const TraceFile& file);

/// The token map of every item; throws Error (Input) when it is missing or damaged.
std::vector<TokenMap> readRecordedMaps(const TraceFile& file);

/// The same for every site of the file, by address; one that is not named there has the defaults.
using RecordedAttentions = std::map<std::string, RecordedAttention>;
RecordedAttentions readRecordedAttentions(const TraceFile& file);

/// Splits "stage.block.kind[.name]"; throws Error (Input) for anything else.
AttentionSite siteFromAddress(const std::string& address, const std::string& source);

}  // namespace fovea
