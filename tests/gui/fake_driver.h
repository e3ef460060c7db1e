#pragma once

#include <atomic>
#include <optional>

#include "compute/driver.h"

namespace fovea::gui {

/// What a FakeDriver does and was asked; shared with the test that scripts it, read from both threads.
struct FakeScript {
    std::atomic<int> paintMs{0};         ///< how long every paint() works, reporting progress
    std::atomic<bool> failPaint{false};  ///< paint() throws
    std::atomic<int> items{1};           ///< pictures of the input
    std::atomic<bool> speaks{false};     ///< the model takes a prompt and answers it
    std::atomic<int> tokenMs{0};         ///< how long every token of an answer takes
    std::atomic<int> told{0};            ///< tokens of answers that were made
    std::atomic<int> readers{0};         ///< how often the readers of a box were asked for
    std::atomic<int> paints{0}, models{0}, stopped{0}, saved{0};
};

/// Text tokens of a speaking driver's prompt, before and after the 196 of the picture.
inline constexpr int fakePromptLength = 2 + 196 + 4;

/// A scripted driver: a ViT of 12 layers with 3 heads on a 14 x 14 grid whose "attention" is a bump around
/// the query. Speaking, it has a text stage and answers "a red star", or "a blue star" where there are edits; its words read a box the more the
/// later they come.
class FakeDriver : public Driver {
public:
    explicit FakeDriver(std::shared_ptr<FakeScript> script);
    const Offer& offer() const override { return m_offer; }
    std::shared_ptr<const ModelSpec> model(const Session& session, const JobContext& job) override;
    std::shared_ptr<const ModelInput> input(const Session& session, const JobContext& job) override;
    MemoryOutlook outlook(const Session& session, const JobContext& job) override;
    std::vector<FindingOffer> findings(const Session& session, int analysis, int item,
                                       const JobContext& job) override;
    std::shared_ptr<const PictureResult> paint(const Session& session, int picture, int item,
                                               const JobContext& job) override;
    std::shared_ptr<const PictureResult> paintDifference(const Session& a, const Session& b, int picture,
                                                         int item, const JobContext& job) override;
    std::vector<SiteSummary> summary(const Session& session, int item, const JobContext& job) override;
    std::vector<Answer> answers(const Session& session, int item, const JobContext& job) override;
    std::shared_ptr<const TextAnswer> answer(const Session& session, int item, const AnswerCallback& onToken,
                                             const JobContext& job) override;
    std::shared_ptr<const BoxReaders> readers(const Session& session, int item, const JobContext& job) override;
    std::vector<int> sitesTouched(const Session& session, int item, const JobContext& job) override;
    void exportPicture(const Session& session, int picture, int item, const std::filesystem::path& file,
                       const JobContext& job) override;
    void saveMemory() override { ++m_script->saved; }

private:
    std::shared_ptr<FakeScript> m_script;
    Offer m_offer;
    std::shared_ptr<const ModelSpec> m_spec, m_speaker;
    std::shared_ptr<const ModelInput> m_input, m_spoken;
};

}  // namespace fovea::gui
