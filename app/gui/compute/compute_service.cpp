#include "compute/compute_service.h"

#include <QMetaObject>
#include <algorithm>
#include <chrono>
#include <utility>

#include "fovea/viz/export.h"
#include "views/input_picture.h"

namespace fovea::gui {

namespace {

constexpr const char* mainLane = "main";
constexpr const char* extrasLane = "extras";
constexpr const char* exportLane = "export";

Failure failureOf(const Error& error) {
    static const char* const titles[] = {"Something went wrong", "Something went wrong",
                                         "This setting does not work here", "The input cannot be used",
                                         "It does not fit"};
    return {QObject::tr(titles[static_cast<int>(error.code())]), QString::fromStdString(error.what()),
            QString::fromStdString(error.hint())};
}

/// The first painter of the wish that draws one of the findings; empty when there is none.
std::string painterForWish(const Offer& offer, const ViewWish& wish,
                           const std::vector<FindingOffer>& findings, const std::string& finding) {
    for (const std::string& id : wish.painters) {
        const PainterOffer* painter = offer.painter(id);
        if (!painter) continue;
        for (const FindingOffer& found : findings)
            if ((finding.empty() || finding == found.name) &&
                std::find(painter->kinds.begin(), painter->kinds.end(), found.kind) != painter->kinds.end())
                return id;
    }
    return {};
}

/// All pictures of a prompt side by side where the painter can do that; else empty.
std::string sheetFor(const PainterOffer& painter, const std::vector<FindingOffer>& findings) {
    if (std::find(painter.kinds.begin(), painter.kinds.end(), sheetKind) == painter.kinds.end()) return {};
    const auto sheet = std::find_if(findings.begin(), findings.end(), [](const FindingOffer& f) { return f.kind == sheetKind; });
    return sheet == findings.end() ? std::string() : sheet->name;
}

/// Parameters that the painter declares: those of a document's painter mean nothing to the painters of other
/// views.
nlohmann::json declaredParams(const EntryInfo& painter, const nlohmann::json& params) {
    nlohmann::json kept = nlohmann::json::object();
    for (const ParamSpec& spec : painter.params)
        if (const auto found = params.find(spec.name); found != params.end()) kept[spec.name] = *found;
    return kept;
}

/// Whether the picture's range comes from its session.
bool ownRange(const DisplayOptions& display) {
    return display.scale == "linked" && !(display.minimum < display.maximum);
}

}  // namespace

QByteArray questionOf(const Session& session, int item) {
    if (session.input.maxNewTokens <= 0) return {};
    Session asked;
    asked.model = session.model;
    asked.input = session.input;
    asked.seed = session.seed;
    asked.edits = session.edits;
    const std::string text = toJson(asked).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    return QByteArray::number(item) + QByteArray::fromStdString(text);
}

ComputeService::ComputeService(std::unique_ptr<Driver> driver, QObject* parent)
    : QObject(parent),
      m_driver(std::move(driver)),
      m_runner(std::make_unique<JobRunner>([this] { m_driver->saveMemory(); })) {}

ComputeService::~ComputeService() {
    m_runner.reset();
}

void ComputeService::post(std::uint64_t generation, std::function<void()> deliver) {
    QMetaObject::invokeMethod(
        this,
        [this, generation, deliver = std::move(deliver)] {
            if (generation == m_generation) deliver();
        },
        Qt::QueuedConnection);
}

JobContext::Report ComputeService::reporter(std::uint64_t generation) {
    auto last = std::make_shared<std::chrono::steady_clock::time_point>();
    return [this, generation, last](double fraction, std::string_view label) {
        const auto now = std::chrono::steady_clock::now();
        if (now - *last < std::chrono::milliseconds(40) && fraction < 1) return;
        *last = now;
        const QString text = QString::fromUtf8(label.data(), static_cast<int>(label.size()));
        post(generation, [this, fraction, text] { Q_EMIT progressed(fraction, text); });
    };
}

void ComputeService::request(ComputeRequest request) {
    const std::uint64_t generation = ++m_generation;
    m_runner->cancel(extrasLane);
    const Session* const sides[] = {&request.session, request.other ? &*request.other : nullptr};
    for (int side = 0; side < 2; ++side) {
        const QByteArray question = sides[side] ? questionOf(*sides[side], request.item) : QByteArray();
        if (question == m_asked[side]) continue;
        m_asked[side] = question;
        Q_EMIT answerOutdated(static_cast<Side>(side));
    }
    auto shared = std::make_shared<const ComputeRequest>(std::move(request));
    jobStarted();
    m_runner->submit(
        {mainLane, [this, shared, generation](const JobContext& job) { compute(*shared, generation, job); },
         [this, shared, generation](const JobOutcome& outcome) {
             QMetaObject::invokeMethod(
                 this,
                 [this, shared, generation, outcome] {
                     if (outcome.done() && generation == m_generation) extras(*shared, generation);
                     jobEnded(outcome, generation, std::exchange(m_failureTitle, {}));
                 },
                 Qt::QueuedConnection);
         },
         reporter(generation)});
}

void ComputeService::compute(const ComputeRequest& request, std::uint64_t generation, const JobContext& job) {
    const Session& session = request.session;
    auto spec = openModel(session, generation, job.part(0, 0.2));
    post(generation, [this, spec] { Q_EMIT modelReady(spec); });

    InputResult input{m_driver->input(session, job.part(0.2, 0.25)), request.item, {}};
    input.picture = std::make_shared<const viz::Picture>(pictureOfInput(*input.input, request.item, spec.get()));
    post(generation, [this, input] { Q_EMIT inputReady(input); });

    const MemoryOutlook outlook = m_driver->outlook(session, job.part(0.25, 0.3));
    post(generation, [this, outlook] { Q_EMIT outlookReady(outlook); });
    if (spec->capabilities.generate) answer(Side::A, session, request.item, generation, job.part(0.3, 0.5));
    if (request.picture < 0 || request.picture >= static_cast<int>(session.pictures.size())) return;

    const PictureRequest& picture = session.pictures[static_cast<std::size_t>(request.picture)];
    const auto findings = m_driver->findings(session, picture.analysis, request.item, job.part(0.5, 0.8));
    post(generation, [this, findings] { Q_EMIT findingsReady(findings); });
    if (request.other && m_driver->model(*request.other, job)->capabilities.generate)
        answer(Side::B, *request.other, request.item, generation, job.part(0.75, 0.8));

    readers(Side::A, session, request.item, generation, job.part(0.8, 0.8));
    if (request.other) readers(Side::B, *request.other, request.item, generation, job.part(0.8, 0.8));
    for (std::size_t i = 0; i < request.views.size(); ++i) {
        const double begin = 0.8 + 0.2 * static_cast<double>(i) / static_cast<double>(request.views.size());
        try {
            view(request, request.views[i], generation, job.part(begin, 1));
        } catch (const Error& error) {
            if (i == 0) throw;
            // What the view in front shows stands; only the one beside it has nothing to show.
            post(generation, [this, id = request.views[i].view, why = QString::fromStdString(error.what())] {
                Q_EMIT pictureRefused(id, why);
            });
        }
    }
}

std::shared_ptr<const ModelSpec> ComputeService::openModel(const Session& session, std::uint64_t generation,
                                                           const JobContext& job) {
    try {
        return m_driver->model(session, job);
    } catch (const Error& error) {
        if (error.code() == ErrorCode::Input || error.code() == ErrorCode::Usage)
            post(generation, [this] { m_failureTitle = tr("The model cannot be opened"); });
        throw;
    }
}

void ComputeService::answer(Side side, const Session& session, int item, std::uint64_t generation,
                            const JobContext& job) {
    if (session.input.maxNewTokens <= 0) return;
    int position = 0;
    const auto tell = [&](const AnswerToken& token) {
        post(generation, [this, side, position, token] { Q_EMIT answerTokenReady(side, position, token); });
        ++position;
    };
    const auto whole = m_driver->answer(session, item, tell, job);
    post(generation, [this, side, whole] { Q_EMIT answerReady(side, whole); });
}

void ComputeService::readers(Side side, const Session& session, int item, std::uint64_t generation,
                             const JobContext& job) {
    auto found = m_driver->readers(session, item, job);
    post(generation, [this, side, found] { Q_EMIT readersReady(side, found); });
}

void ComputeService::view(const ComputeRequest& request, const ViewWish& wish, std::uint64_t generation,
                          const JobContext& job) {
    const auto index = static_cast<std::size_t>(request.picture);
    Session a = wish.session;
    PictureRequest& drawn = a.pictures[index];
    const auto findings = m_driver->findings(a, drawn.analysis, request.item, job.part(0, 0));
    drawn.painter = painterForWish(m_driver->offer(), wish, findings, drawn.finding);
    if (drawn.painter.empty() && !drawn.finding.empty()) {
        drawn.finding.clear();
        drawn.painter = painterForWish(m_driver->offer(), wish, findings, {});
    }
    if (drawn.painter.empty()) {
        post(generation, [this, id = wish.view] { Q_EMIT pictureMissing(id); });
        return;
    }
    const EntryInfo& painter = m_driver->offer().painter(drawn.painter)->info;
    drawn.params = declaredParams(painter, drawn.params);
    if (drawn.finding.empty()) drawn.finding = sheetFor(*m_driver->offer().painter(drawn.painter), findings);
    const auto show = [&](Side side, std::shared_ptr<const PictureResult> result) {
        const PictureDelivery delivery{wish.view, side, std::move(result)};
        post(generation, [this, delivery] { Q_EMIT pictureReady(delivery); });
    };
    const auto first = m_driver->paint(a, request.picture, request.item, job.part(0, 0.3));
    show(Side::A, first);
    if (!wish.other || index >= wish.other->pictures.size()) return;
    Session b = *wish.other;
    PictureRequest& beside = b.pictures[index];
    beside.painter = drawn.painter;
    beside.finding = drawn.finding;
    beside.params = declaredParams(painter, beside.params);
    const auto second = m_driver->paint(b, request.picture, request.item, job.part(0.3, 0.6));
    if (ownRange(drawn.display) && ownRange(beside.display) && first->linked != second->linked) {
        // Side by side, equal colours have to stand for equal values.
        for (PictureRequest* side : {&drawn, &beside}) {
            side->display.minimum = std::min(first->linked.first, second->linked.first);
            side->display.maximum = std::max(first->linked.second, second->linked.second);
        }
        show(Side::A, m_driver->paint(a, request.picture, request.item, job.part(0.6, 0.7)));
        show(Side::B, m_driver->paint(b, request.picture, request.item, job.part(0.7, 0.8)));
    } else {
        show(Side::B, second);
    }
    try {
        show(Side::Difference, m_driver->paintDifference(a, b, request.picture, request.item, job.part(0.8, 1)));
    } catch (const Error& error) {
        // Both sides are worth seeing where only their difference is none.
        if (error.code() != ErrorCode::Usage) throw;
        post(generation, [this, id = wish.view, why = QString::fromStdString(error.what())] { Q_EMIT differenceMissing(id, why); });
    }
}

void ComputeService::extras(const ComputeRequest& request, std::uint64_t generation) {
    auto shared = std::make_shared<const ComputeRequest>(request);
    jobStarted();
    m_runner->submit(
        {extrasLane,
         [this, shared, generation](const JobContext& job) {
             const Session& edited = shared->other && shared->editsOther ? *shared->other : shared->session;
             const auto counts = m_driver->sitesTouched(edited, shared->item, job.part(0, 0.3));
             post(generation, [this, counts] { Q_EMIT sitesTouchedReady(counts); });
             const auto answer = [&](Side side, const Session& session) {
                 const auto answers = m_driver->answers(session, shared->item, job.part(0.3, 0.5));
                 post(generation, [this, side, answers] { Q_EMIT answersReady(side, answers); });
             };
             answer(Side::A, shared->session);
             if (shared->other) answer(Side::B, *shared->other);
             const auto summary = m_driver->summary(edited, shared->item, job.part(0.5, 1));
             post(generation, [this, summary] { Q_EMIT summaryReady(summary); });
         },
         [this, generation](const JobOutcome& outcome) {
             QMetaObject::invokeMethod(
                 this, [this, generation, outcome] { jobEnded(outcome, generation); }, Qt::QueuedConnection);
         },
         {}});
}

void ComputeService::exportJob(std::function<void(const JobContext&)> work, std::function<void()> done) {
    jobStarted();
    const std::uint64_t generation = m_generation;
    m_runner->submit({exportLane, std::move(work),
                      [this, generation, done = std::move(done)](const JobOutcome& outcome) {
                          QMetaObject::invokeMethod(
                              this,
                              [this, generation, outcome, done] {
                                  if (outcome.done()) done();
                                  jobEnded(outcome, outcome.error ? m_generation : generation);
                              },
                              Qt::QueuedConnection);
                      },
                      reporter(generation)});
}

void ComputeService::exportPicture(const Session& session, int picture, int item, const QString& file) {
    exportJob(
        [this, session, picture, item, file](const JobContext& job) {
            m_driver->exportPicture(session, picture, item, file.toStdU16String(), job);
        },
        [this, file] { Q_EMIT exported(file); });
}

void ComputeService::exportShown(std::shared_ptr<const viz::Picture> picture, double dpi, const QString& file) {
    exportJob(
        [picture = std::move(picture), dpi, file](const JobContext&) {
            viz::exportPicture(*picture, file.toStdU16String(), {dpi, true});
        },
        [this, file] { Q_EMIT exported(file); });
}

void ComputeService::render(std::shared_ptr<const viz::Picture> picture, double dpi) {
    const auto png = std::make_shared<QByteArray>();
    const auto image = std::make_shared<QImage>();
    exportJob(
        [picture = std::move(picture), dpi, png, image](const JobContext&) {
            *png = QByteArray::fromStdString(viz::encodePicture(*picture, viz::FileFormat::Png, {dpi, true}));
            image->loadFromData(*png, "PNG");
        },
        [this, png, image] { Q_EMIT rendered(*png, *image); });
}

void ComputeService::stop() {
    ++m_generation;
    for (const char* lane : {mainLane, extrasLane, exportLane}) m_runner->cancel(lane);
}

void ComputeService::jobStarted() {
    if (++m_running == 1) Q_EMIT busyChanged(true);
}

void ComputeService::jobEnded(const JobOutcome& outcome, std::uint64_t generation, const QString& title) {
    if (outcome.error && generation == m_generation) {
        Failure failure = failureOf(*outcome.error);
        if (!title.isEmpty()) failure.title = title;
        Q_EMIT failed(failure);
    }
    if (--m_running > 0) return;
    Q_EMIT busyChanged(false);
    Q_EMIT settled();
}

}  // namespace fovea::gui
