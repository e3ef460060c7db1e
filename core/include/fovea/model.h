#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "fovea/array.h"
#include "fovea/attention_site.h"
#include "fovea/capture.h"
#include "fovea/generation_rules.h"
#include "fovea/image_processor.h"
#include "fovea/job_context.h"
#include "fovea/pixels.h"
#include "fovea/token_map.h"
#include "fovea/video_source.h"
#include "fovea/weight_report.h"

namespace fovea {

class Forward;
class Tokenizer;

/// A stack of blocks with one residual stream.
struct StageSpec {
    std::string id;                         ///< "vision", "text", ...
    int layers = 0;
    int hidden = 0;
    int gridRows = 0, gridColumns = 0;      ///< at the configured input size
    /// "cls", "distillation", "register0", ... before the image tokens.
    std::vector<std::string> prefixTokens;
    /// After how many blocks the next stage reads it (0: the embeddings), several side by side; empty: after all.
    std::vector<int> readAfter{};
    bool operator==(const StageSpec&) const = default;
};

/// What the interface may offer for a model.
struct Capabilities {
    bool forward = true;
    bool gradient = true;
    bool edit = true;
    bool resume = true;
    bool generate = false;
};

/// Everything known of a model without running it; what `fovea-cli info` prints.
struct ModelSpec {
    std::string family;        ///< id of the entry in core/models
    std::string modelType;     ///< `model_type` of config.json
    std::string architecture;  ///< class name, e.g. "ViTForImageClassification"
    std::string storedDtype;   ///< dtype of the files
    std::string computeDtype;  ///< dtype of the run
    std::string device;        ///< "cpu", "cuda:0"
    std::string source;        ///< folder or file the model came from
    std::uint64_t parameters = 0;
    std::uint64_t weightBytes = 0;
    std::vector<StageSpec> stages;
    std::vector<AttentionSite> sites;
    std::vector<std::string> labels;  ///< id2label in order; empty without a classifier
    std::vector<std::string> inputs;  ///< Hugging Face names of the tensors that `--tensors` may hold
    /// Intermediate values that a run can record besides, "stage.block.what", each [tokens, hidden].
    std::vector<std::string> taps;
    Capabilities capabilities;
    GenerationRules generation;  ///< what the model's own files ask of its answers
    bool recordedAnswering = false;  ///< a trace of the text of a model that generates
    WeightReport weights;

    /// Index into `sites`; -1 when there is no such address.
    int siteIndex(const std::string& address) const;
    const StageSpec& stage(const std::string& id) const;
    /// Sites of one stage in order of execution.
    std::vector<int> sitesOfStage(const std::string& id) const;
    /// Whether people ask what its text looks at: a model that generates, or a trace of one.
    bool answers() const { return capabilities.generate || recordedAnswering; }
    /// The stage that analyses are about when none is named, among those with softmax attention over their own tokens:
    /// "text" of a model that answers(), else "vision", else the first; empty where there is none.
    std::string usualStage() const;
};

/// The `info --json` object of PRODUCT.md §4.
nlohmann::json toJson(const ModelSpec& spec);

/// How a prompt becomes what a language model reads.
enum class PromptForm {
    Template,  ///< through the folder's chat template, where it has one
    Raw,       ///< as it is
};

/// What a user hands to a model: pictures (upright, RGB), text, or raw tensors under their Hugging Face
/// names.
struct UserInput {
    std::vector<Pixels> images;
    VideoClip video;  ///< without frames: none
    std::string prompt;
    PromptForm promptForm = PromptForm::Template;
    std::filesystem::path chat;  ///< JSON file with a conversation, in the place of a prompt
    /// Safetensors file; when set, images serve only as pictures under the result.
    std::filesystem::path tensors;
};

/// An encoded input: tensors plus the provenance of every token. Several pictures are independent items.
class ModelInput {
public:
    virtual ~ModelInput() = default;
    /// Number of independent items (pictures).
    int count() const { return static_cast<int>(maps.size()); }

    std::vector<TokenMap> maps;      // one per item
    std::vector<Pixels> originals;   // the upright pictures; empty Pixels where only tensors were given
    std::vector<Pixels> seen;        // what the model saw: after resize, crop and padding
    std::vector<PixelTransform> transforms;  // where the pixels of `seen` come from
    std::vector<std::string> notices;        // what was done otherwise than one might expect
    std::vector<double> black;       // a black pixel in normalised units, per channel; empty where unknown
};

/// A loaded network; immutable, shared between threads, run by one thread at a time.
class Model {
public:
    virtual ~Model() = default;

    virtual const ModelSpec& spec() const = 0;

    /// Preprocesses the input as the reference does; throws Error (Input) naming the image or tensor at
    /// fault.
    virtual std::shared_ptr<const ModelInput> encode(const UserInput& input) const = 0;

    /// The frames that the model's processor takes of a film; throws Error (Usage) where the model takes none, Error
    /// (Input) for what the film leaves open.
    virtual std::vector<std::int64_t> sampleFrames(const VideoTiming& film) const;

    /// Runs one item of the input through the network; everything observable passes through `forward`.
    virtual void run(const ModelInput& input, int item, Forward& forward) const = 0;

    /// Runs tokens that follow on the prompt and on what the forward's cache holds of the answer; only of models whose
    /// capabilities say `generate`, others throw Error (Usage).
    virtual void runNext(const ModelInput& input, int item, const std::vector<int>& ids, Forward& forward) const;
    /// The input with ids behind the prompt of an item, as one sequence that run() takes whole; token maps are left as they are.
    /// Only of models whose capabilities say `generate`, others throw Error (Usage).
    virtual std::shared_ptr<ModelInput> withAnswer(const ModelInput& input, int item,
                                                   const std::vector<int>& ids) const;
    /// Tokens after which an answer ends (generation_config.json; without that file, config.json).
    virtual std::vector<int> endTokens() const { return {}; }
    /// The most tokens a sequence may have; 0: no limit.
    virtual std::int64_t longestSequence() const { return 0; }
    /// What a token of an answer stands for in a token map.
    virtual std::string tokenText(int id) const;
    /// Logits [rows, vocabulary] that the final norm and the head of the text side make of rows [rows, hidden] of its
    /// residual stream, without adapters; Error (Usage) where there is no such head.
    virtual Array readOut(const Array& rows) const;
    /// The tokenizer of the text side; null where there is none, Error (Input) where it cannot be read.
    virtual std::shared_ptr<const Tokenizer> tokenizer() const { return nullptr; }

    /// Bytes that a run of this input will take with this capture; gradients when they are asked for.
    virtual MemoryEstimate estimate(const ModelInput& input, const CaptureRequest& capture,
                                    bool gradients) const = 0;
};

}  // namespace fovea
