#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "answer_text.h"
#include "common/site_choice.h"
#include "conversation.h"
#include "engine_state.h"
#include "fovea/error.h"
#include "fovea/model_reference.h"
#include "fovea/selection.h"
#include "fovea/sinks.h"
#include "picture_sheet.h"
#include "recipe.h"

namespace fovea {
namespace {

using nlohmann::json;

bool draws(const viz::PainterEntry& painter, const Finding& finding) {
    return std::find(painter.kinds.begin(), painter.kinds.end(), findingKindName(finding)) !=
           painter.kinds.end();
}

bool drawn(const viz::PainterCatalog& painters, const std::string& id, const Finding& finding) {
    if (!id.empty()) return draws(painters.get(id), finding);
    const auto& all = painters.all();
    return std::any_of(all.begin(), all.end(),
                       [&](const viz::PainterEntry& entry) { return draws(entry, finding); });
}

// The finding that a picture draws, or null.
const Finding* drawnFinding(const std::vector<Finding>& findings, const PictureRequest& picture,
                            const viz::PainterCatalog& painters) {
    for (const Finding& finding : findings)
        if (picture.finding.empty() ? drawn(painters, picture.painter, finding) : finding.name == picture.finding)
            return &finding;
    if (const auto sheet = sheetOf(findings, picture.finding)) return sheet->maps.front();
    // A sheet of one picture is its map.
    if (!namesSheet(picture.finding) || !sheetNames(findings).empty()) return nullptr;
    const auto map = std::find_if(findings.begin(), findings.end(), [](const Finding& finding) { return finding.name == "map"; });
    return map == findings.end() ? nullptr : &*map;
}

const Finding& chosenFinding(const std::vector<Finding>& findings, const PictureRequest& picture,
                             const viz::PainterCatalog& painters) {
    if (const Finding* finding = drawnFinding(findings, picture, painters)) return *finding;
    std::string names;
    for (const Finding& finding : findings)
        names += fmt::format("{}{} ({})", names.empty() ? "" : ", ", finding.name, findingKindName(finding));
    for (const std::string& sheet : sheetNames(findings)) names += fmt::format(", {} (maps side by side)", sheet);
    throw Error(picture.finding.empty()
                    ? "no finding of the analysis can be drawn by the painter \"" + picture.painter + "\""
                    : "the analysis has no finding called \"" + picture.finding + "\"",
                names.empty() ? "the analysis found nothing" : "its findings: " + names, ErrorCode::Usage);
}

// The painter of a picture; a sheet needs one that draws several maps.
const viz::PainterEntry& painterOf(const viz::PainterCatalog& painters, const std::vector<Finding>& findings,
                                   const Finding& finding, const PictureRequest& picture) {
    if (!sheetOf(findings, picture.finding)) return viz::painterFor(painters, finding, picture.painter, picture.params);
    std::string able;
    for (const viz::PainterEntry& entry : painters.all()) {
        if (!entry.sheets) continue;
        if (picture.painter.empty() || picture.painter == entry.info.id) return entry;
        able += (able.empty() ? "" : ", ") + entry.info.id;
    }
    throw Error(fmt::format("painter {} draws one map, \"{}\" are several side by side", picture.painter, picture.finding),
                fmt::format("painters that draw them: {}; or name one map", able), ErrorCode::Usage);
}

// What a picture's colours are of: the finding, or what its painter makes of it first.
struct Shown {
    std::string name;
    std::size_t kind = 0;
    std::pair<double, double> range;

    bool likens(const Shown& other) const { return name == other.name && kind == other.kind; }
};

// The range of what a painter colours: that of the maps of all pictures of a prompt, whichever of them is drawn.
std::optional<Shown> shownBy(const PictureRequest& picture, const std::vector<Finding>& findings,
                             const viz::PainterCatalog& painters) {
    const Finding* finding = drawnFinding(findings, picture, painters);
    if (!finding || !drawn(painters, picture.painter, *finding)) return {};
    const viz::PainterEntry& painter = painterOf(painters, findings, *finding, picture);
    const json params = checkedParams(painter.info, picture.params);
    const auto shown = [&](const Finding& one) {
        const Finding reduced = painter.reduced ? painter.reduced(one, params) : one;
        return Shown{besideName(reduced.name), reduced.data.index(), viz::valueRange(reduced)};
    };
    Shown whole = shown(*finding);
    for (const Finding* other : mapsBeside(findings, *finding)) {
        if (other == finding) continue;
        const std::pair<double, double> range = shown(*other).range;
        whole.range = {std::min(whole.range.first, range.first), std::max(whole.range.second, range.second)};
    }
    return whole;
}

// Whether the finding's values become colours, so that a scale is about it.
bool isMap(const Finding& finding) {
    return std::holds_alternative<Grid>(finding.data) || std::holds_alternative<TokenScores>(finding.data) ||
           std::holds_alternative<PairMatrix>(finding.data);
}

// Percent of the values that the painter's linked scale leaves beyond its end; 0 where it spans all of them.
double cutBy(const PictureRequest& picture, const Finding& finding, const std::vector<Finding>& findings,
             const viz::PainterCatalog& painters, std::pair<double, double> linked) {
    if (picture.display.scale != "linked" || !isMap(finding)) return 0;
    const viz::PainterEntry& painter = painterOf(painters, findings, finding, picture);
    json params = checkedParams(painter.info, picture.params);
    const double percent = params.value("cut", 0.0);
    if (percent <= 0 || !painter.reduced) return 0;
    const std::vector<const Finding*> maps = mapsBeside(findings, finding);
    const auto end = [&] {
        double largest = viz::valueRange(painter.reduced(finding, params)).second;
        for (const Finding* map : maps) largest = std::max(largest, viz::valueRange(painter.reduced(*map, params)).second);
        return largest;
    };
    const double cut = end();
    params["cut"] = 0;
    const double whole = end();
    return cut < whole && cut <= linked.second && linked.second < whole ? percent : 0;
}

std::string stageOf(const Finding& finding, const ModelSpec& spec, const json& params) {
    if (const auto* scores = std::get_if<TokenScores>(&finding.data)) return scores->stage;
    if (const auto* tree = std::get_if<Tree>(&finding.data)) return tree->stage;
    if (const auto* matrix = std::get_if<PairMatrix>(&finding.data)) return matrix->columnStage;
    if (params.contains("stage") && spec.answers()) return chosenStage(spec, params);
    // Tokens of an analysis over all stages are those of prompt and answer.
    const auto isText = [](const StageSpec& stage) { return stage.id == "text"; };
    if (spec.answers() && std::any_of(spec.stages.begin(), spec.stages.end(), isText)) return "text";
    for (const StageSpec& stage : spec.stages)
        if (stage.gridRows > 0) return stage.id;
    return spec.stages.empty() ? "" : spec.stages.front().id;
}

// Tokens of `stage` that the analysis's own selections name, unless they name most of the sequence: a picture marks
// them.
std::vector<int> markedTokens(const EntryInfo& analysis, const json& params, const TokenMap& map,
                              const std::string& stage) {
    std::vector<int> tokens;
    const auto known = std::find_if(map.stages.begin(), map.stages.end(),
                                    [&](const StageTokens& candidate) { return candidate.stage == stage; });
    if (known == map.stages.end()) return tokens;
    for (const ParamSpec& spec : analysis.params) {
        if (spec.type != ParamType::Tokens) continue;
        const std::vector<int> chosen = namedTokens(params.at(spec.name).get<std::string>(), map, stage);
        if (static_cast<int>(chosen.size()) * 2 <= known->size())
            tokens.insert(tokens.end(), chosen.begin(), chosen.end());
    }
    return tokens;
}

// The stage whose grid a painter finds for a map; `asked` for all other findings.
std::string stageDrawn(const Finding& finding, const TokenMap& map, const std::string& asked) {
    const auto* grid = std::get_if<Grid>(&finding.data);
    if (!grid) return asked;
    for (const StageTokens& stage : map.stages)
        if (stage.gridRows > 0 && (grid->pixels || (stage.gridRows == grid->rows && stage.gridColumns == grid->columns)))
            return stage.stage;
    return asked;
}

// The tokens of stage `to` at the places in the picture that tokens of stage `from` have.
std::vector<int> movedTokens(const std::vector<int>& tokens, const TokenMap& map, const std::string& from,
                             const std::string& to) {
    if (from == to) return tokens;
    std::vector<int> moved;
    for (const int index : tokens) {
        const Token& token = map.stage(from).tokens.at(static_cast<std::size_t>(index));
        if (token.row < 0) continue;
        for (const Token& other : map.stage(to).tokens)
            if (other.row == token.row && other.column == token.column && other.image == token.image)
                moved.push_back(other.index);
    }
    return moved;
}

// Tokens that a picture marks: those of the stage that its painter finds, and those of the analysis that have no place there.
struct Marks {
    std::vector<int> drawn, elsewhere;
};

Marks marksOn(const Finding& finding, const TokenMap& map, const std::vector<int>& tokens, const std::string& asked) {
    const auto* grid = std::get_if<Grid>(&finding.data);
    const std::string drawn = stageDrawn(finding, map, asked);
    if (!grid || tokens.empty()) return {tokens, {}};
    const StageTokens& stage = map.stage(asked);
    // The painter knows the stage, and names its tokens itself.
    if (drawn == asked && (grid->pixels || (stage.gridRows == grid->rows && stage.gridColumns == grid->columns)))
        return {tokens, {}};
    Marks marks;
    std::vector<int> placed;
    for (const int token : tokens)
        (stage.tokens.at(static_cast<std::size_t>(token)).row < 0 ? marks.elsewhere : placed).push_back(token);
    marks.drawn = movedTokens(placed, map, asked, drawn);
    return marks;
}

std::string elsewhereText(const StageTokens& stage, const std::vector<int>& tokens) {
    constexpr std::size_t most = 4;  // more are words that the title or the recipe tells
    if (tokens.size() > most) return fmt::format("Selected, without a place in the picture: {} tokens.", tokens.size());
    std::string names;
    for (const int index : tokens) {
        const Token& token = stage.tokens.at(static_cast<std::size_t>(index));
        std::string name = quotedName(token);
        for (char& c : name)
            if (static_cast<unsigned char>(c) < 0x20) c = ' ';
        names += fmt::format("{}{} (token {})", names.empty() ? "" : ", ", name, token.index);
    }
    return "Selected, without a place in the picture: " + names + ".";
}

// A picture's inputs that the painter and the recipe need, for one item.
struct Subject {
    const Session& session;
    int picture = 0, item = 0;
    std::shared_ptr<const Model> model;
    std::shared_ptr<const ModelInput> input;
    std::shared_ptr<const TokenMap> tokens;
};

RecipeParts partsOf(const Subject& subject, const Finding& finding, const viz::Display& display) {
    RecipeParts parts;
    parts.model = resolveModel(subject.session.model.reference).displayName;
    parts.device = subject.model->spec().device;
    parts.dtype = subject.model->spec().computeDtype;
    parts.item = subject.item;
    parts.items = subject.input->count();
    parts.prompt = lastQuestion(subject.session.input);
    if (subject.session.input.maxNewTokens > 0) parts.rules = rulesText(rulesInForce(*subject.model, subject.session));
    parts.scaled = isMap(finding);
    parts.linked = {display.scale.linkedMinimum, display.scale.linkedMaximum};
    parts.sinks = static_cast<int>(display.sinkTokens.size());
    return parts;
}

std::string shownAnswer(Engine& engine, const Subject& subject, const JobContext& job) {
    const auto answer = answerText(engine, subject.session, subject.item, job);
    return answer ? answer->text : "";
}

const EntryInfo& analysisInfo(const Engine& engine, const Subject& subject) {
    const PictureRequest& request = subject.session.pictures[static_cast<std::size_t>(subject.picture)];
    return engine.catalog()
        .analyses.get(subject.session.analyses[static_cast<std::size_t>(request.analysis)].id)
        .info;
}

// The analysis that another one goes on from, as a scanpath does; null without one.
const EntryInfo* mapInfo(const Engine& engine, const EntryInfo& analysis, const json& given) {
    const json params = checkedParams(analysis, given);
    const auto map = params.find("map");
    if (map == params.end() || !map->is_string()) return nullptr;
    const AnalysisEntry* entry = engine.catalog().analyses.find(map->get<std::string>());
    return entry ? &entry->info : nullptr;
}

std::string recipeOf(const Engine& engine, const Subject& subject, RecipeParts parts) {
    const PictureRequest& picture = subject.session.pictures[static_cast<std::size_t>(subject.picture)];
    const AnalysisRequest& request = subject.session.analyses[static_cast<std::size_t>(picture.analysis)];
    const EntryInfo& info = analysisInfo(engine, subject);
    parts.map = mapInfo(engine, info, request.params);
    return recipeLine(subject.session, picture, info, parts);
}

// Pictures of one prompt belong to one item: a map says which of them it is about.
std::size_t shownPicture(const ModelInput& input, std::size_t item, const Finding& finding) {
    const auto* grid = std::get_if<Grid>(&finding.data);
    const bool together = input.maps.size() == 1 && input.originals.size() > 1;
    return grid && together ? static_cast<std::size_t>(std::max(0, grid->image)) : item;
}

// What a picture draws: a finding, or several maps side by side with a caption for all of them.
struct Drawn {
    const Finding& finding;
    std::optional<PictureSheet> sheet = {};
};

std::vector<viz::PictureCell> cellsOf(const PictureSheet& sheet, const ModelInput& input, const Pixels& none) {
    std::vector<viz::PictureCell> cells;
    for (const Finding* map : sheet.maps) {
        const int image = std::max(0, std::get<Grid>(map->data).image);
        const auto at = static_cast<std::size_t>(image);
        cells.push_back({map, at < input.originals.size() ? &input.originals[at] : &none, pictureLabel(input, image)});
    }
    return cells;
}

constexpr const char* kNoPicture =
    "the recording holds no picture, and that which it was made from is not where it was: heat alone is drawn; give the picture "
    "with --image";

// Whether a map of a replayed trace is drawn over nothing where a picture would lie.
bool lacksPicture(const Subject& subject, const Finding& finding) {
    if (subject.model->spec().capabilities.forward || !std::holds_alternative<Grid>(finding.data)) return false;
    const std::size_t shown = shownPicture(*subject.input, static_cast<std::size_t>(subject.item), finding);
    return shown >= subject.input->originals.size() || subject.input->originals[shown].empty();
}

// Whether such a map lies over the file that the recording was made from, which may be another picture by now.
bool readsAgain(const Subject& subject, const Finding& finding) {
    const SessionInput& given = subject.session.input;
    return !subject.model->spec().capabilities.forward && std::holds_alternative<Grid>(finding.data) && given.images.empty() &&
           given.tensors.empty() && !lacksPicture(subject, finding);
}

// Draws with the recipe and document that `result` already holds.
void paintInto(PictureResult& result, const Engine& engine, const Subject& subject, const Drawn& drawing,
               viz::Display display, const JobContext& job) {
    const PictureRequest& request = subject.session.pictures[static_cast<std::size_t>(subject.picture)];
    const EntryInfo& info = analysisInfo(engine, subject);
    const json params =
        checkedParams(info, subject.session.analyses[static_cast<std::size_t>(request.analysis)].params);
    const Finding& finding = drawing.finding;
    const viz::PainterEntry& painter = viz::painterFor(engine.painters(), finding, result.painter, request.params);
    const auto item = static_cast<std::size_t>(subject.item);
    const TokenMap& map = *subject.tokens;
    const Pixels none;
    const std::size_t shown = shownPicture(*subject.input, item, finding);
    const Pixels& image = shown < subject.input->originals.size() ? subject.input->originals[shown] : none;
    const std::string named = params.value("stage", "");
    const std::string asked = named.empty() ? stageOf(finding, subject.model->spec(), params) : named;
    const Marks marks = marksOn(finding, map, markedTokens(info, params, map, asked), asked);
    const Finding caption = drawing.sheet ? sheetCaption(*drawing.sheet) : Finding();
    viz::PaintInput input{drawing.sheet ? caption : finding, map, image, std::move(display), result.recipe, marks.drawn, job};
    if (drawing.sheet) {
        input.cells = cellsOf(*drawing.sheet, *subject.input, none);
        input.remarks = sheetRemarks(*drawing.sheet);
    }
    if (!marks.elsewhere.empty()) input.remarks.push_back(elsewhereText(map.stage(asked), marks.elsewhere));
    if (lacksPicture(subject, finding)) {
        input.remarks.emplace_back("The recording holds no picture: heat alone is drawn.");
        result.notices.emplace_back(kNoPicture);
    } else if (readsAgain(subject, finding)) {
        input.remarks.emplace_back("The picture was read again from where the recording had it.");
    }
    result.finding = drawing.sheet ? request.finding : finding.name;
    result.painter = painter.info.id;
    result.picture = painter.paint(input, checkedParams(painter.info, request.params));
    if (result.picture.title.empty()) result.picture.title = finding.title;
    result.picture.recipe = result.recipe;
    result.picture.document = result.document;
}

// B - A of all maps of two sheets, kept in `changes`; nothing unless both are sheets of as many pictures.
std::optional<PictureSheet> differenceSheet(const std::optional<PictureSheet>& a, const std::optional<PictureSheet>& b,
                                            std::vector<Finding>& changes) {
    if (!a && !b) return {};
    if (!a || !b || a->maps.size() != b->maps.size() || a->pictures != b->pictures)
        throw Error(fmt::format("A has maps of {} pictures, B of {}", a ? a->pictures : 1, b ? b->pictures : 1),
                    "choose the map of one picture as the result", ErrorCode::Usage);
    for (std::size_t i = 0; i < a->maps.size(); ++i) changes.push_back(difference(*a->maps[i], *b->maps[i]));
    PictureSheet sheet = *b;
    for (std::size_t i = 0; i < changes.size(); ++i) sheet.maps[i] = &changes[i];
    return sheet;
}

// One range for all pictures of the session, over all its items, that show the same of the same analysis.
std::pair<double, double> linkedRange(Engine& engine, const Session& session, const PictureRequest& picture,
                                      const std::vector<Finding>& findings, int items, const JobContext& job) {
    if (picture.display.minimum < picture.display.maximum)
        return {picture.display.minimum, picture.display.maximum};
    const std::optional<Shown> own = shownBy(picture, findings, engine.painters());
    if (!own) return {0, 0};
    std::pair<double, double> range = own->range;
    const std::string& id = session.analyses[static_cast<std::size_t>(picture.analysis)].id;
    std::vector<PictureRequest> linked;
    for (const PictureRequest& other : session.pictures) {
        const bool same = session.analyses[static_cast<std::size_t>(other.analysis)].id == id &&
                          other.display.scale == "linked";
        const bool known = std::any_of(linked.begin(), linked.end(), [&](const PictureRequest& one) {
            return one.analysis == other.analysis && besideName(one.finding) == besideName(other.finding) &&
                   one.painter == other.painter && one.params == other.params;
        });
        if (same && !known) linked.push_back(other);
    }
    const double steps = static_cast<double>(linked.size()) * items;
    double step = 0;
    for (const PictureRequest& other : linked)
        for (int item = 0; item < items; ++item, ++step) {
            const auto result =
                engine.analyse(session, other.analysis, item, job.part(step / steps, (step + 1) / steps));
            const std::optional<Shown> shown = shownBy(other, result->findings, engine.painters());
            if (!shown || !shown->likens(*own)) continue;
            range = {std::min(range.first, shown->range.first), std::max(range.second, shown->range.second)};
        }
    return range;
}

}  // namespace

std::vector<std::string> findingsDrawn(const std::vector<Finding>& findings, const PictureRequest& picture,
                                       const viz::PainterCatalog& painters) {
    const Finding* first = drawnFinding(findings, picture, painters);
    if (!first) return {};
    if (sheetOf(findings, picture.finding)) return {picture.finding};
    if (!picture.finding.empty()) return {first->name};
    std::vector<std::string> names;
    for (const Finding* map : mapsBeside(findings, *first)) names.push_back(map->name);
    return names;
}

std::vector<PictureRequest> picturesDrawn(const SessionInput& input, const PictureRequest& picture,
                                          const std::vector<Finding>& findings, const viz::PainterCatalog& painters) {
    std::vector<std::string> names = findingsDrawn(findings, picture, painters);
    if (names.size() < 2) return {picture};
    // A film is one thing to look at: its frames go side by side where the painter can do that.
    const auto first = std::find_if(findings.begin(), findings.end(), [&](const Finding& finding) { return finding.name == names.front(); });
    if (!input.video.empty() && viz::painterFor(painters, *first, picture.painter, picture.params).sheets)
        if (std::vector<std::string> sheets = sheetNames(findings); !sheets.empty()) names = std::move(sheets);
    std::vector<PictureRequest> requests(names.size(), picture);
    for (std::size_t i = 0; i < names.size(); ++i) requests[i].finding = names[i];
    return requests;
}

std::shared_ptr<const PictureResult> Engine::paint(const Session& session, int picture, int item,
                                                   const JobContext& job) {
    checkIndex(picture, session.pictures.size(), "picture");
    const PictureRequest& request = session.pictures[static_cast<std::size_t>(picture)];
    const auto result = analyse(session, request.analysis, item, job.part(0, 0.8));
    const Finding& finding = chosenFinding(result->findings, request, painters());
    const Subject subject{session, picture, item, model(session, job), input(session, job),
                          m_impl->tokens(session, item, job)};

    viz::Display display = displayOf(request.display);
    int sinksElsewhere = 0;
    if (display.scale.kind == viz::Scale::Kind::Linked && isMap(finding)) {
        auto range =
            linkedRange(*this, session, request, result->findings, subject.input->count(), job.part(0.8, 0.9));
        const auto* grid = std::get_if<Grid>(&finding.data);
        // Signed maps are drawn symmetrically around 0: the recipe names what the colour bar shows.
        if (grid && grid->signedValues) {
            const double limit = std::max(std::abs(range.first), std::abs(range.second));
            range = {-limit, limit};
        }
        display.scale.linkedMinimum = range.first;
        display.scale.linkedMaximum = range.second;
    }
    if (display.sinks != viz::SinkPolicy::Keep) {
        CaptureRequest record;
        record.qkv = true;
        const auto run = this->run(session, item, record, job.part(0.9, 0.95));
        const AnalysisRequest& asked = session.analyses[static_cast<std::size_t>(request.analysis)];
        const std::string stage =
            stageOf(finding, subject.model->spec(), checkedParams(analysisInfo(*this, subject), asked.params));
        std::vector<int> sites = subject.model->spec().sitesOfStage(stage);
        std::erase_if(sites, [&](int site) {
            return !run->trace->has(site) ||
                   subject.model->spec().sites[static_cast<std::size_t>(site)].kind != SiteKind::Self;
        });
        const std::vector<int> sinks = sinkTokens(*run->trace, sites);
        const std::string drawn = stageDrawn(finding, *subject.tokens, stage);
        display.sinkTokens = movedTokens(sinks, *subject.tokens, stage, drawn);
        // Words have no place in a picture.
        if (drawn != stage) sinksElsewhere = std::max(0, static_cast<int>(sinks.size() - display.sinkTokens.size()));
    }
    job.progress(0.95, "painting");
    RecipeParts parts = partsOf(subject, finding, display);
    parts.sinksElsewhere = sinksElsewhere;
    parts.cut = cutBy(request, finding, result->findings, painters(), parts.linked);
    parts.notices = result->notices;
    parts.answer = shownAnswer(*this, subject, job);
    auto painted = std::make_shared<PictureResult>();
    painted->recipe = recipeOf(*this, subject, parts);
    painted->linked = parts.linked;
    painted->notices = result->notices;
    painted->document =
        toJson(reproducing(session, picture, parts)).dump(-1, ' ', false, json::error_handler_t::replace);
    painted->painter = painterOf(painters(), result->findings, finding, request).info.id;
    paintInto(*painted, *this, subject, {finding, sheetOf(result->findings, request.finding)}, std::move(display), job.part(0.95, 1));
    return painted;
}

std::shared_ptr<const PictureResult> Engine::paintDifference(const Session& a, const Session& b, int picture,
                                                             int item, const JobContext& job) {
    checkIndex(picture, a.pictures.size(), "picture");
    checkIndex(picture, b.pictures.size(), "picture");
    const PictureRequest& request = b.pictures[static_cast<std::size_t>(picture)];
    const auto first =
        analyse(a, a.pictures[static_cast<std::size_t>(picture)].analysis, item, job.part(0, 0.45));
    const auto second = analyse(b, request.analysis, item, job.part(0.45, 0.9));
    const Finding change = difference(chosenFinding(first->findings, request, painters()),
                                      chosenFinding(second->findings, request, painters()));
    std::vector<Finding> changes;
    const std::optional<PictureSheet> sheet = differenceSheet(sheetOf(first->findings, request.finding),
                                                              sheetOf(second->findings, request.finding), changes);
    const Subject before{a, picture, item, model(a, job), input(a, job), m_impl->tokens(a, item, job)};
    const Subject after{b, picture, item, model(b, job), input(b, job), m_impl->tokens(b, item, job)};
    viz::Display display = displayOf(request.display);
    display.scale.kind = viz::Scale::Kind::Picture;
    display.sinks = viz::SinkPolicy::Keep;
    RecipeParts left = partsOf(before, change, display), right = partsOf(after, change, display);
    left.scaled = right.scaled = false;
    left.answer = shownAnswer(*this, before, job), right.answer = shownAnswer(*this, after, job);
    auto painted = std::make_shared<PictureResult>();
    painted->notices = first->notices;
    painted->notices.insert(painted->notices.end(), second->notices.begin(), second->notices.end());
    // No document: one session cannot say what a difference is of.
    painted->recipe = "B - A, scale of this picture | A: " + recipeOf(*this, before, left) +
                      " | B: " + recipeOf(*this, after, right);
    if (sheet) painted->painter = painterOf(painters(), second->findings, change, request).info.id;
    if (!sheet) painted->painter = request.painter;
    paintInto(*painted, *this, after, {change, sheet}, std::move(display), job.part(0.9, 1));
    return painted;
}

}  // namespace fovea
