#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "fovea/param.h"
#include "fovea/token_map.h"

namespace fovea {

class AttentionTrace;
struct ModelSpec;

/// A declarative edit: which intervention with which parameters; pure data, applied in list order.
struct Intervention {
    std::string id;
    nlohmann::json params = nlohmann::json::object();
    bool enabled = true;
    bool operator==(const Intervention&) const = default;
};

/// How a key-group factor treats the row sum.
enum class RowSum {
    Free,         ///< the row no longer sums to 1
    Compensate,   ///< the compensating keys absorb the difference: F_R = (1 - sum m_g F_g) / m_R
    Renormalise,  ///< every key is divided by the new row sum
};

/// Multiplies post-softmax probabilities of a key group (sinks reference §0.2): A'[h,q,k] = A[h,q,k] * F.
struct GroupFactor {
    std::vector<int> heads;           ///< empty means all heads
    std::vector<int> queries;         ///< token indices; empty means all queries
    std::vector<int> keys;            ///< token indices of the group
    double factor = 1;                ///< >= 0
    RowSum rowSum = RowSum::Free;
    std::vector<int> compensateKeys;  ///< for Compensate; empty means all keys outside the group
    bool operator==(const GroupFactor&) const = default;
};

/// Everything edited at one attention site, applied in this order: logits / temperature, softmax, factors,
/// head gains.
struct SiteEdit {
    int site = 0;                     ///< index into ModelSpec::sites
    std::vector<double> temperature;  ///< per head; empty means 1
    std::vector<GroupFactor> factors;
    std::vector<double> headGain;     ///< per head, on the head's output; empty means 1

    /// True when nothing would change; identity edits are dropped when planning.
    bool identity() const;
    bool operator==(const SiteEdit&) const = default;
};

/// Tokens that leave a stage's sequence before a block; those that remain keep their index and geometry.
struct TokenPrune {
    std::string stage;
    int block = 0;
    std::vector<int> dropped;  ///< token indices of the unpruned sequence
    bool operator==(const TokenPrune&) const = default;
};

/// The compiled form of a list of interventions for one model and input.
struct EditPlan {
    std::vector<SiteEdit> sites;
    std::vector<TokenPrune> prunes;

    bool empty() const { return sites.empty() && prunes.empty(); }
    /// The edit of a site, merged in list order and created when there is none yet.
    SiteEdit& at(int site);
    /// Removes edits that change nothing.
    void dropIdentities();
    bool operator==(const EditPlan&) const = default;
};

/// The first block of `stage` whose result the plan can change, or `blocks` when it changes none.
int earliestBlock(const EditPlan& plan, const ModelSpec& spec, const std::string& stage, int blocks);

/// What an intervention may look at while it compiles itself.
struct InterventionContext {
    const ModelSpec& spec;
    const TokenMap& tokens;
    /// Records Q, K, V of the unedited model on first use; for edits of detected tokens.
    std::function<const AttentionTrace&()> unedited;
    /// Tokens that an answer may have at most; they come behind those of stage "text".
    int answerTokens = 0;
};

/// One file of core/interventions.
struct InterventionEntry {
    EntryInfo info;
    /// Adds what `params` (already checked) ask for to `plan`; throws Error (Usage) on a selection that does
    /// not exist.
    std::function<void(const InterventionContext&, const nlohmann::json& params, EditPlan& plan)> compile;
};

}  // namespace fovea
