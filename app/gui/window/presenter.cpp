#include "window/presenter.h"

#include <algorithm>
#include <tuple>

#include "fovea/error.h"
#include "fovea/selection.h"
#include "models/index_text.h"
#include "views/picture_view.h"
#include "views/view_area.h"
#include "views/view_page.h"

namespace fovea::gui {

namespace {

constexpr const char* scanpathPainter = "scanpath";
constexpr const char* untilParam = "until";

const ParamSpec* tokensParam(const EntryInfo* entry) {
    if (entry)
        for (const ParamSpec& spec : entry->params)
            if (spec.type == ParamType::Tokens) return &spec;
    return nullptr;
}

}  // namespace

Presenter::Presenter(SessionController& controller, ComputeService& service, ViewArea& views, QObject* parent)
    : QObject(parent), m_controller(controller), m_service(service), m_views(views) {
    m_soon.setSingleShot(true);
    m_soon.setInterval(15);
    connect(&m_soon, &QTimer::timeout, this, &Presenter::refresh);
    connect(&controller, &SessionController::changed, this, &Presenter::documentChanged);
    connect(&controller, &SessionController::opened, this, [this] { m_item = 0; });
    connect(&views, &ViewArea::viewChanged, this, [this] {
        m_viewLeads = true;
        m_soon.start();
    });
    connect(&views, &ViewArea::besideChanged, this, [this] {
        m_besideAnalysis.clear();
        m_soon.start();
    });
    connect(&service, &ComputeService::findingsReady, this,
            [this](const std::vector<FindingOffer>& findings) { m_findings = findings; });
    connect(&views, &ViewArea::tokenChosen, this,
            [this](const QString& stage, int token) { chooseTokens(stage, {token}); });
    connect(&views, &ViewArea::tokensChosen, this, &Presenter::chooseTokens);
    connect(&views, &ViewArea::boxChosen, this, [this](const BoxQuery& query) { askBox(query); });
    connect(&views, &ViewArea::boxRemoved, this, [this] { askBox({}); });

    connect(&service, &ComputeService::modelReady, this,
            [this](const std::shared_ptr<const ModelSpec>& spec) {
                if (spec == m_context.spec) return;
                m_context.spec = spec;
                m_context.input = nullptr;
                m_context.answer = nullptr;
                Q_EMIT contextChanged(m_context);
                showBoxes();
            });
    connect(&service, &ComputeService::inputReady, this, [this](const InputResult& result) {
        m_views.page("input").setPicture(Side::A, result.picture);
        if (result.input == m_context.input && result.item == m_context.item) return;
        m_context.input = result.input;
        m_context.item = result.item;
        m_context.answer = nullptr;
        showTokens();
    });
    connect(&service, &ComputeService::answerOutdated, this, [this](Side side) {
        if (side == Side::B) m_answerB = nullptr;
        if (side == Side::A && m_context.answer) answered(nullptr);
    });
    connect(&service, &ComputeService::answerReady, this,
            [this](Side side, const std::shared_ptr<const TextAnswer>& answer) {
                if (side == Side::B) m_answerB = answer;
                const bool known = m_context.answer && m_context.answer->map == answer->map;
                if (side == Side::A && !known) answered(answer);
            });
    connect(&service, &ComputeService::pictureReady, this, &Presenter::deliver);
    connect(&service, &ComputeService::differenceMissing, this,
            [this](const QString& view, const QString& why) { m_views.page(view).view(Side::Difference).setMessage(why); });
    connect(&service, &ComputeService::pictureMissing, this, &Presenter::missing);
    connect(&service, &ComputeService::pictureRefused, this,
            [this](const QString& view, const QString& why) { m_views.page(view).setMessage(why); });
}

void Presenter::setLive(bool on) {
    m_live = on;
    if (on) m_soon.start();
}

void Presenter::setItem(int item) {
    if (item == m_item) return;
    m_item = item;
    m_soon.start();
}

std::pair<int, int> Presenter::steps() const {
    const auto drawn = m_drawn.find(m_views.currentView());
    const PictureRequest* picture = m_controller.picture();
    if (drawn == m_drawn.end() || drawn->second.result->painter != scanpathPainter || !picture) return {0, 0};
    for (const FindingOffer& finding : m_findings) {
        if (finding.name != drawn->second.result->finding || finding.steps == 0) continue;
        const auto until = picture->params.find(untilParam);
        const bool some = until != picture->params.end() && until->is_number_integer() && *until > 0;
        const int shown = some ? std::clamp(until->get<int>(), 1, finding.steps) : finding.steps;
        return {finding.steps, shown - 1};
    }
    return {0, 0};
}

void Presenter::setStep(int step) {
    const auto [count, now] = steps();
    if (count == 0 || step == now) return;
    const auto index = static_cast<std::size_t>(m_controller.pictureIndex());
    // Which step is shown is no other document.
    m_controller.show([&, count = count](Session& session) {
        if (index >= session.pictures.size()) return;
        nlohmann::json& params = session.pictures[index].params;
        if (step + 1 < count)
            params[untilParam] = step + 1;
        else
            params.erase(untilParam);
    });
}

void Presenter::documentChanged() {
    for (const auto& [id, page] : m_views.pages()) page->setComparing(m_controller.comparing());
    // Other pictures have other numbers.
    if (m_controller.sessionA().input != m_shownInput) m_item = 0;
    m_shownInput = m_controller.sessionA().input;
    showSelection();
    showBoxes();
    const AnalysisRequest* request = m_controller.analysis();
    const std::string analysis = request ? request->id : "";
    if (analysis != m_analysis) {
        m_viewLeads = false;
        m_besideAnalysis.clear();
    }
    m_analysis = analysis;
    if (m_live)
        m_soon.start();
    else
        Q_EMIT outdated();
}

void Presenter::refresh() {
    m_soon.stop();
    const Session& session = m_controller.sessionA();
    if (session.model.reference.empty()) return;
    ComputeRequest request;
    request.session = session;
    request.picture = m_controller.pictureIndex();
    request.item = m_item;
    request.other = m_controller.sessionB();
    request.editsOther = m_controller.active() == 1;
    suit(request.session, m_views.currentPage().kind());
    if (request.other) suit(*request.other, m_views.currentPage().kind());
    request.views = wishes();
    m_service.request(std::move(request));
}

std::vector<ViewWish> Presenter::wishes() const {
    std::vector<ViewWish> wishes;
    if (const ViewKind& front = m_views.currentPage().kind(); !front.painters.empty())
        wishes.push_back(wish(front, {}));
    const auto beside = m_views.pages().find(m_views.besideView());
    if (beside != m_views.pages().end() && !beside->second->kind().painters.empty())
        wishes.push_back(wish(beside->second->kind(), m_besideAnalysis));
    return wishes;
}

ViewWish Presenter::wish(const ViewKind& kind, const std::string& analysis) const {
    ViewWish wish{kind.id, kind.painters, m_controller.sessionA(), m_controller.sessionB()};
    for (Session* session : {&wish.session, wish.other ? &*wish.other : nullptr}) {
        if (!session) continue;
        if (!analysis.empty()) chooseAnalysis(*session, m_controller.pictureIndex(), analysis);
        suit(*session, kind);
    }
    // The painter that the document names comes first where the view can use it.
    if (const PictureRequest* picture = m_controller.picture()) {
        auto named = std::find(wish.painters.begin(), wish.painters.end(), picture->painter);
        if (named != wish.painters.end()) std::rotate(wish.painters.begin(), named, named + 1);
    }
    return wish;
}

void Presenter::suit(Session& session, const ViewKind& kind) const {
    const auto index = static_cast<std::size_t>(m_controller.pictureIndex());
    if (index >= session.pictures.size()) return;
    const auto at = static_cast<std::size_t>(session.pictures[index].analysis);
    if (at >= session.analyses.size()) return;
    if (const EntryInfo* entry = m_service.offer().analysis(session.analyses[at].id))
        applyViewParams(kind, *entry, session.analyses[at].params);
}

bool Presenter::settled() const {
    const auto beside = m_views.pages().find(m_views.besideView());
    return !m_soon.isActive() && !m_service.busy() && m_views.currentPage().settled() &&
           (beside == m_views.pages().end() || beside->second->settled());
}

std::string Presenter::drawnFinding() const {
    const auto drawn = m_drawn.find(m_views.currentView());
    return drawn == m_drawn.end() ? std::string() : drawn->second.result->finding;
}

Session Presenter::document() const {
    Session session = asDrawn(m_controller.session());
    const auto index = static_cast<std::size_t>(m_controller.pictureIndex());
    const auto drawn = m_drawn.find(m_views.currentView());
    if (!m_controller.comparing() || drawn == m_drawn.end() || index >= session.pictures.size())
        return session;
    // While comparing, a linked scale spans both sides.
    DisplayOptions& display = session.pictures[index].display;
    if (display.scale == "linked" && !(display.minimum < display.maximum))
        std::tie(display.minimum, display.maximum) = drawn->second.result->linked;
    return session;
}

Session Presenter::wholeDocument() const {
    const std::optional<Session> other = m_controller.sessionB();
    const Session session = asDrawn(m_controller.sessionA());
    return other ? comparing(session, asDrawn(*other)) : session;
}

Session Presenter::asDrawn(Session session) const {
    session.views["picture"] = m_controller.pictureIndex();
    session.views["view"] = m_views.currentView().toStdString();
    if (const QString beside = m_views.besideView(); !beside.isEmpty())
        session.views["beside"] = beside.toStdString();
    else
        session.views.erase("beside");
    suit(session, m_views.currentPage().kind());
    const auto drawn = m_drawn.find(m_views.currentView());
    const auto index = static_cast<std::size_t>(m_controller.pictureIndex());
    if (drawn != m_drawn.end() && index < session.pictures.size()) {
        PictureRequest& picture = session.pictures[index];
        picture.painter = drawn->second.result->painter;
        picture.finding = drawn->second.result->finding;
        const PainterOffer* painter = m_service.offer().painter(picture.painter);
        nlohmann::json params = nlohmann::json::object();
        if (painter)
            for (const ParamSpec& spec : painter->info.params)
                if (picture.params.contains(spec.name)) params[spec.name] = picture.params[spec.name];
        picture.params = std::move(params);
    }
    return session;
}

void Presenter::deliver(const PictureDelivery& delivery) {
    ViewPage& page = m_views.page(delivery.view);
    page.setPicture(delivery.side, delivery.picture());
    if (delivery.side != Side::A) return;
    m_drawn[delivery.view] = delivery;
    m_analysisOf[delivery.view] =
        delivery.view == m_views.besideView() && !m_besideAnalysis.empty() ? m_besideAnalysis : m_analysis;
    if (delivery.view == m_views.currentView()) Q_EMIT shown(delivery.picture());
}

bool Presenter::followAnalysis() {
    for (const QString& id : m_views.viewIds())
        for (const std::string& painter : m_views.page(id).kind().painters) {
            const auto& kinds = m_service.offer().painter(painter)->kinds;
            for (const FindingOffer& finding : m_findings)
                if (std::find(kinds.begin(), kinds.end(), finding.kind) != kinds.end())
                    return m_views.showView(id);
        }
    return false;
}

bool Presenter::followView(const ViewPage& page) {
    const auto last = m_analysisOf.find(page.kind().id);
    const std::string wanted = last != m_analysisOf.end() ? last->second : page.kind().suggestion;
    if (wanted == m_analysis || !m_service.offer().analysis(wanted)) return false;
    m_analysis = wanted;  // so that the view still leads
    m_controller.show(
        [&](Session& session) { chooseAnalysis(session, m_controller.pictureIndex(), wanted); });
    return true;
}

void Presenter::missing(const QString& view) {
    if (!m_views.isShown(view)) return;
    ViewPage& page = m_views.page(view);
    m_drawn.erase(view);
    if (view != m_views.currentView()) return missingBeside(page);
    if (m_viewLeads ? followView(page) : followAnalysis()) return;
    sayMissing(page, m_analysis);
    Q_EMIT shown(nullptr);
}

void Presenter::missingBeside(ViewPage& page) {
    const std::string& own = page.kind().suggestion;
    if (m_besideAnalysis.empty() && own != m_analysis && m_service.offer().analysis(own)) {
        m_besideAnalysis = own;
        m_soon.start();
        return;
    }
    sayMissing(page, m_besideAnalysis.empty() ? m_analysis : m_besideAnalysis);
}

void Presenter::sayMissing(ViewPage& page, const std::string& analysis) {
    const EntryInfo* entry = m_service.offer().analysis(analysis);
    const EntryInfo* other = m_service.offer().analysis(page.kind().suggestion);
    page.setMessage(
        tr("\"%1\" has no result for the view \"%2\".")
            .arg(QString::fromStdString(entry ? entry->title : ""), page.kind().title),
        other && other != entry ? tr("Show %1").arg(QString::fromStdString(other->title)) : QString());
}

void Presenter::answered(std::shared_ptr<const TextAnswer> answer) {
    m_context.answer = std::move(answer);
    showTokens();
}

void Presenter::showTokens() {
    std::shared_ptr<const TokenMap> map;
    if (m_context.answer)
        map = std::shared_ptr<const TokenMap>(m_context.answer, &m_context.answer->map);
    else if (m_context.tokens())
        map = std::shared_ptr<const TokenMap>(m_context.input, m_context.tokens());
    for (const auto& [id, page] : m_views.pages()) page->setTokens(map);
    Q_EMIT contextChanged(m_context);
    showSelection();
}

FormContext Presenter::analysed() const {
    const AnalysisRequest* request = m_controller.analysis();
    return contextFor(m_context, request ? request->params : nlohmann::json::object());
}

std::set<int> Presenter::inAnalysedStage(const nlohmann::json& params, const std::string& stage,
                                         const std::set<int>& tokens) const {
    const FormContext context = contextFor(m_context, params);
    const TokenMap* map = context.tokens();
    const StageTokens* wanted = context.stageTokens();
    if (!map || !wanted || stage.empty() || stage == wanted->stage) return tokens;
    std::set<int> found;
    for (const StageTokens& other : map->stages) {
        if (other.stage != stage) continue;
        for (const Token& token : wanted->tokens)
            for (const int index : tokens) {
                if (token.row < 0 || index < 0 || index >= other.size()) continue;
                const Token& same = other.tokens[static_cast<std::size_t>(index)];
                if (same.image == token.image && same.row == token.row && same.column == token.column)
                    found.insert(token.index);
            }
    }
    return found;
}

bool Presenter::has(int side, const std::string& stage, const std::set<int>& tokens) const {
    const TextAnswer* answer = side == 0 ? m_context.answer.get() : m_answerB.get();
    if (!answer || tokens.empty()) return true;  // nothing is known against it
    for (const StageTokens& known : answer->map.stages)
        if (known.stage == stage) return *tokens.rbegin() < known.size();
    return true;
}

void Presenter::chooseTokens(const QString& stage, const std::set<int>& tokens) {
    const AnalysisRequest* request = m_controller.analysis();
    const ParamSpec* spec = tokensParam(request ? m_service.offer().analysis(request->id) : nullptr);
    if (!spec || tokens.empty()) return;
    const std::vector<ParamSpec>& params = m_service.offer().analysis(request->id)->params;
    const bool hasStage = std::any_of(params.begin(), params.end(), [](const ParamSpec& one) { return one.name == "stage"; });
    // Words of an answer that the model never gives.
    if (!hasStage && spec->defaultValue == "auto" && m_context.spec && !m_context.spec->answers()) return;
    const std::string id = request->id;
    const int picture = m_controller.pictureIndex();
    m_controller.changeSides(tr("choose tokens"), "tokens", [&](Session& session, int side) {
        AnalysisRequest* drawn = drawnAnalysis(session, picture, id);
        if (!drawn || !has(side, stage.toStdString(), tokens)) return;
        auto& chosen = drawn->params;
        std::set<int> queries = inAnalysedStage(chosen, stage.toStdString(), tokens);
        // Words have no place in a picture: the analysis goes to them.
        const bool moves = queries.empty();
        if (moves && !hasStage) return;
        if (moves) queries = tokens;
        FormContext context = contextFor(m_context, chosen);
        if (moves) context.chosenStage = stage.toStdString();
        const QString text = tokensText(queries, context.stageTokens(), looksFrom(*spec));
        if (text.isEmpty()) return;
        chosen[spec->name] = text.toStdString();
        if (!moves) return;
        const StageSpec* usual = m_context.usualStage();
        chosen.erase("stage");
        if (!usual || usual->id != stage.toStdString()) chosen["stage"] = stage.toStdString();
    });
}

void Presenter::askBox(const std::optional<BoxQuery>& query) {
    m_controller.change(query ? tr("ask about a box") : tr("take the box away"), query ? "box" : "",
                        [&](Session& session) { setBoxQuery(session, query); });
}

void Presenter::forgetTokens(Session& session) const {
    for (AnalysisRequest& request : session.analyses) {
        const EntryInfo* entry = m_service.offer().analysis(request.id);
        if (!entry) continue;
        for (const ParamSpec& spec : entry->params)
            if (spec.type == ParamType::Tokens) request.params.erase(spec.name);
    }
}

void Presenter::showBoxes() {
    const std::optional<Session> other = m_controller.sessionB();
    const bool answers = m_context.spec && m_context.spec->capabilities.generate;
    const bool asks = answers || boxAnalysis(m_controller.sessionA()) >= 0;
    for (const auto& [id, page] : m_views.pages()) {
        page->setAsksBoxes(asks);
        page->setBoxQuery(Side::A, boxQuery(m_controller.sessionA()));
        page->setBoxQuery(Side::B, other ? boxQuery(*other) : std::nullopt);
    }
}

void Presenter::showSelection() {
    std::set<int> chosen;
    const AnalysisRequest* request = m_controller.analysis();
    const ParamSpec* spec = tokensParam(request ? m_service.offer().analysis(request->id) : nullptr);
    const FormContext context = analysed();
    const StageTokens* stage = context.stageTokens();
    if (spec && stage) {
        const auto given = request->params.find(spec->name);
        const nlohmann::json& value = given != request->params.end() ? *given : spec->defaultValue;
        try {
            const auto tokens = namedTokens(value.is_string() ? value.get<std::string>() : value.dump(),
                                            *context.tokens(), stage->stage);
            // Outlining most of the picture would say nothing.
            if (tokens.size() <= 64) chosen.insert(tokens.begin(), tokens.end());
        } catch (const Error&) {
            chosen.clear();  // the run reports what is wrong with the selection
        }
    }
    for (const auto& [id, page] : m_views.pages()) page->setSelectedTokens(stage ? stage->stage : "", chosen);
    Q_EMIT lookedFrom(stage && stage->stage == "text" && chosen.size() == 1 ? *chosen.begin() : -1);
}

}  // namespace fovea::gui
