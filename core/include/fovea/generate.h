#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "fovea/attention_trace.h"
#include "fovea/capture.h"
#include "fovea/intervention.h"
#include "fovea/job_context.h"
#include "fovea/model.h"
#include "fovea/run.h"

namespace fovea {

/// How the next token is chosen from the logits, in this order: repetition penalty, what else the model's own rules
/// (ModelSpec::generation) say, temperature, top-k, top-p.
struct Sampling {
    double temperature = 0;        ///< 0: always the most likely token
    int topK = 0;                  ///< only the k most likely; 0: all
    double topP = 1;               ///< only the most likely ones that together reach this probability (Holtzman et al. 2020)
    /// Divides positive and multiplies negative logits of tokens already there (Keskar et al. 2019), 1: none; where it is
    /// not given, that of the model's generation_config.json.
    std::optional<double> repetitionPenalty;
    std::uint64_t seed = 0;
    bool operator==(const Sampling&) const = default;
};

/// Which query rows of the text are kept: those that answer tokens came from and those of answer tokens, or all.
enum class RecordedRows { Answer, All };

class GenerationState;  // what an answer leaves behind for others; opaque, tensors inside

/// One generation.
struct GenerateSpec {
    int item = 0;  ///< which item of the ModelInput
    int maxNewTokens = 64;
    Sampling sampling;
    std::vector<int> stopIds;  ///< beside the model's own end tokens
    /// The answer begins with these ids whatever is more likely; their probabilities are reported as of any other.
    std::vector<int> forced;
    int candidates = 5;        ///< most likely tokens reported a step
    CaptureRequest capture;
    RecordedRows rows = RecordedRows::Answer;
    EditPlan edits;  ///< act on the prompt and on every answer token alike
    RouteChoice route = RouteChoice::Auto;
    std::vector<double> adapterStrengths;  ///< as in RunSpec
    std::uint64_t budget = 0;  ///< bytes for cache, activations and capture; 0 means no limit
    /// Whether Generation::state is wanted; there is none where a second cache would not fit into the budget. Residual
    /// streams of the prompt are kept at every block, or at as few as an eighth of the budget and what is left hold.
    bool keepState = false;
    /// Of another answer: where only the edits differ, the model runs again from the first token on that they concern
    /// and, where that is one of the prompt, from the first block on that they concern and that a residual stream was
    /// kept for; to the same result bit for bit. Ignored where more differs, or where both do not fit into the budget.
    std::shared_ptr<const GenerationState> resume;
};

/// A token that could have come next; natural logarithm of its probability before penalties and temperature.
struct Candidate {
    int id = 0;
    double logProbability = 0;
};

/// One token of an answer.
struct GeneratedToken {
    int id = 0;
    double logProbability = 0;         ///< as for Candidate
    std::vector<Candidate> candidates;  ///< by falling probability
};

enum class StopReason { Length, EndToken, Cancelled };

/// An answer with what was recorded on the way.
struct Generation {
    std::vector<int> ids;  ///< of the answer; an end token is its last
    std::vector<GeneratedToken> steps;
    StopReason stop = StopReason::Length;
    /// Over prompt and answer as one sequence: keys and values of all tokens, queries of the rows that the spec names.
    std::shared_ptr<const AttentionTrace> trace;
    MemoryEstimate estimate;
    std::vector<RouteReport> routes;
    std::vector<std::string> notices;  ///< what was done otherwise than one might expect
    std::shared_ptr<const GenerationState> state;  ///< null unless it was asked for and fits, or when stopped
    /// The first token of the answer that was not taken over with its run from GenerateSpec::resume; -1: none was, and
    /// the prompt was run.
    int resumedAt = -1;
    bool keptPictures = false;  ///< the prompt was run, but what a vision tower makes of its pictures was taken over
    int blocksRun = 0;          ///< of all stages, by the prompt and by tokens of the answer
    int blocksResumed = 0;      ///< of the prompt, taken over from GenerateSpec::resume
};

/// Called with every token as it comes.
using TokenCallback = std::function<void(const GeneratedToken&)>;

/// What a generation will take at its longest, before it starts.
MemoryEstimate estimateGeneration(const Model& model, const ModelInput& input, const GenerateSpec& spec);

/// Where an answer goes on from GenerateSpec::resume; a larger one leaves less to be run.
struct ResumePoint {
    int token = -1;         ///< Generation::resumedAt
    bool pictures = false;  ///< what a vision tower makes of the pictures stays
    int block = 0;          ///< of the text, that the prompt is run from; 0: from its embeddings
    auto operator<=>(const ResumePoint&) const = default;
};

/// Where an answer to this spec would go on, before it starts.
ResumePoint resumesAt(const Model& model, const ModelInput& input, const GenerateSpec& spec);

/// Answers a prompt. A job that is stopped ends it after the last complete token, with the answer so far; stopped
/// before the first token it throws Cancelled. What a vision tower records goes to a temporary file where the budget is
/// too small for it. Throws Error (Usage) for a model that does not generate, Error (Memory) when the estimate exceeds
/// the budget even so. Recording never changes the tokens.
Generation generate(const Model& model, const ModelInput& input, const GenerateSpec& spec,
                    const TokenCallback& onToken = {}, const JobContext& job = {});

}  // namespace fovea
