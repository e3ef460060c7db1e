#pragma once

#include <memory>

#include "analyses/tiny_models.h"
#include "fovea/analysis.h"
#include "fovea/generate.h"

namespace fovea::test {

/// Llama of three layers, 24 values, 40 words with random weights.
std::shared_ptr<const Model> loadTinyLlama(unsigned seed = 1);

/// The same model with values of one dimension of token 0's embedding, and keys that see them: a sink by design.
std::shared_ptr<const Model> loadSinkLlama(int dimension, unsigned seed = 1);

/// LLaVA of such a Llama and a CLIP tower over 3 x 3 patches of 8 pixels.
std::shared_ptr<const Model> loadTinyLlava(unsigned seed = 1);

/// Token ids as an input of a tiny Llama.
std::shared_ptr<const ModelInput> idsInput(const Model& model, const std::vector<std::int64_t>& ids);

/// Words, nine image tokens, words, over a random picture of 24 x 24 pixels.
std::shared_ptr<const ModelInput> llavaInput(const Model& model, unsigned seed = 1);

/// What an analysis sees of an answer.
class AnswerContext final : public AnalysisContext {
public:
    AnswerContext(std::shared_ptr<const Model> model, std::shared_ptr<const ModelInput> input, const Needs& needs,
                  int newTokens, EditPlan edits = {});

    const Model& model() const override { return *m_model; }
    const ModelInput& input() const override { return *m_input; }
    int item() const override { return 0; }
    const AttentionTrace& trace() const override { return *m_answer.trace; }
    RunResult run(const RunSpec& spec) override { return runModel(*m_model, *m_input, spec, m_job); }
    RunSpec baseSpec() const override;
    const JobContext& job() const override { return m_job; }
    const Generation* answer() const override { return &m_answer; }
    std::uint64_t seed() const override { return 7; }

private:
    std::shared_ptr<const Model> m_model;
    std::shared_ptr<const ModelInput> m_input;
    EditPlan m_edits;
    JobContext m_job;
    Generation m_answer;
};

/// Runs an analysis on an answer of so many tokens.
std::vector<Finding> analyseAnswer(const std::string& id, const std::shared_ptr<const Model>& model,
                                   const std::shared_ptr<const ModelInput>& input, int newTokens,
                                   const nlohmann::json& params = {}, const EditPlan& edits = {});

}  // namespace fovea::test
