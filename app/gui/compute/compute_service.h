#pragma once

#include <QByteArray>
#include <QImage>
#include <QObject>
#include <QString>
#include <functional>
#include <memory>
#include <optional>

#include "compute/driver.h"
#include "session/jobs.h"

namespace fovea::gui {

/// A picture that a view wants: the finding kind decides which of the painters draws.
struct ViewWish {
    QString view;                       ///< id of the view that shows it
    std::vector<std::string> painters;  ///< in order of preference
    Session session;                    ///< what it draws: that of the request, with what suits the view
    std::optional<Session> other;       ///< B of Compare A/B, likewise
};

/// One complete wish of the window; a newer one replaces it.
struct ComputeRequest {
    Session session;
    int picture = 0;  ///< index into Session::pictures
    int item = 0;
    std::vector<ViewWish> views;   ///< the one in front first
    std::optional<Session> other;  ///< B of Compare A/B
    bool editsOther = false;       ///< the panels show B: summary and counts are about it
};

/// A failure as the banner shows it.
struct Failure {
    QString title, detail, hint;
};

/// The input as the window shows it.
struct InputResult {
    std::shared_ptr<const ModelInput> input;
    int item = 0;
    std::shared_ptr<const viz::Picture> picture;  ///< what the model saw, with the token grid
};

enum class Side { A, B, Difference };

/// What an answer depends on, as text that is equal for equal questions; empty when nothing is asked.
QByteArray questionOf(const Session& session, int item);

/// A picture for a view.
struct PictureDelivery {
    QString view;
    Side side = Side::A;
    std::shared_ptr<const PictureResult> result;

    std::shared_ptr<const viz::Picture> picture() const { return {result, &result->picture}; }
};

/// Runs the driver on its own thread and tells the window what came out. Lives on the GUI thread and never
/// blocks it; results of requests that were replaced meanwhile are dropped by their generation number.
class ComputeService : public QObject {
    Q_OBJECT

public:
    explicit ComputeService(std::unique_ptr<Driver> driver, QObject* parent = nullptr);
    ~ComputeService() override;

    const Offer& offer() const { return m_driver->offer(); }
    void request(ComputeRequest request);
    /// Stops what is running and forgets what is waiting; the window keeps its last results.
    void stop();
    void exportPicture(const Session& session, int picture, int item, const QString& file);
    /// Writes a picture that is shown, as it is (png, svg, pdf by the file's extension), in the background.
    void exportShown(std::shared_ptr<const viz::Picture> picture, double dpi, const QString& file);
    /// Renders a picture that is shown, in the background; `rendered` brings it.
    void render(std::shared_ptr<const viz::Picture> picture, double dpi);
    bool busy() const { return m_running > 0; }

Q_SIGNALS:
    void modelReady(const std::shared_ptr<const fovea::ModelSpec>& spec);
    void inputReady(const fovea::gui::InputResult& result);
    void outlookReady(const fovea::gui::MemoryOutlook& outlook);
    void findingsReady(const std::vector<fovea::gui::FindingOffer>& findings);
    void pictureReady(const fovea::gui::PictureDelivery& delivery);
    /// A and B of a view cannot be subtracted: answers of other lengths, pictures of other sizes.
    void differenceMissing(const QString& view, const QString& why);
    /// The view's painters draw none of the findings that there are.
    void pictureMissing(const QString& view);
    /// A view beside the one in front cannot be drawn.
    void pictureRefused(const QString& view, const QString& why);
    void summaryReady(const std::vector<fovea::gui::SiteSummary>& summary);
    void answersReady(fovea::gui::Side side, const std::vector<fovea::gui::Answer>& answers);
    /// The answer of a side is being made anew: what is shown of it belongs to another question.
    void answerOutdated(fovea::gui::Side side);
    /// The token at `position` of an answer, as it comes.
    void answerTokenReady(fovea::gui::Side side, int position, const fovea::gui::AnswerToken& token);
    void answerReady(fovea::gui::Side side, const std::shared_ptr<const fovea::gui::TextAnswer>& answer);
    /// Who reads the box that a side asks about; null when it asks about none.
    void readersReady(fovea::gui::Side side, const std::shared_ptr<const fovea::gui::BoxReaders>& readers);
    void sitesTouchedReady(const std::vector<int>& counts);
    void exported(const QString& file);
    /// A picture as PNG: the bytes of the file, and its pixels.
    void rendered(const QByteArray& png, const QImage& image);
    void progressed(double fraction, const QString& label);
    void failed(const fovea::gui::Failure& failure);
    void busyChanged(bool busy);
    /// The request in force has delivered everything, or failed or was stopped.
    void settled();

private:
    void compute(const ComputeRequest& request, std::uint64_t generation, const JobContext& job);
    std::shared_ptr<const ModelSpec> openModel(const Session& session, std::uint64_t generation, const JobContext& job);
    void view(const ComputeRequest& request, const ViewWish& wish, std::uint64_t generation, const JobContext& job);
    /// Lets a model that answers answer, and tells the window token by token.
    void answer(Side side, const Session& session, int item, std::uint64_t generation, const JobContext& job);
    void readers(Side side, const Session& session, int item, std::uint64_t generation, const JobContext& job);
    void extras(const ComputeRequest& request, std::uint64_t generation);
    /// Calls `deliver` on the GUI thread unless a newer request came.
    void post(std::uint64_t generation, std::function<void()> deliver);
    JobContext::Report reporter(std::uint64_t generation);
    /// Runs `work` in the export lane, then `done` on the GUI thread unless it failed.
    void exportJob(std::function<void(const JobContext&)> work, std::function<void()> done);
    void jobStarted();
    /// `title` of its failure; empty: as its kind is usually called.
    void jobEnded(const JobOutcome& outcome, std::uint64_t generation, const QString& title = {});

    std::unique_ptr<Driver> m_driver;
    std::uint64_t m_generation = 0;
    QByteArray m_asked[2];  ///< what the answers of A and B are answers to
    int m_running = 0;
    QString m_failureTitle;  ///< of the main lane's job, which is about to end
    std::unique_ptr<JobRunner> m_runner;  // last: joins before the driver goes
};

}  // namespace fovea::gui
