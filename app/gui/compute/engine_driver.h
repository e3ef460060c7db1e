#pragma once

#include "compute/driver.h"

namespace fovea::gui {

/// The real driver: app/session's Engine with the program's catalogues and image reader.
class EngineDriver : public Driver {
public:
    EngineDriver();
    ~EngineDriver() override;
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
    void saveMemory() override { m_engine.saveMemory(); }

private:
    std::shared_ptr<const RunResult> mainRun(const Session& session, int item, const JobContext& job);

    std::shared_ptr<const Catalog> m_catalog;
    std::shared_ptr<const viz::PainterCatalog> m_painters;
    Engine m_engine;
    Offer m_offer;
};

}  // namespace fovea::gui
