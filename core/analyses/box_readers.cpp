// From pixels to words: which tokens read a box of the picture.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "common/attention_maps.h"
#include "common/edited_attention.h"
#include "common/picture_box.h"
#include "common/picture_maps.h"
#include "common/picture_sites.h"
#include "fovea/catalog.h"
#include "fovea/error.h"
#include "fovea/selection.h"

namespace fovea {
namespace {

// What every query of a site gives to weighted keys, heads fused: [tokens], NaN for tokens without a row.
std::vector<float> givenTo(const AttentionTrace& trace, int site, const std::vector<std::pair<int, double>>& keys,
                           const nlohmann::json& params) {
    const AttentionSite& where = trace.spec().sites[static_cast<std::size_t>(site)];
    const std::vector<int> heads = chosenHeads(where, params.at("heads").get<std::string>());
    std::vector<double> sums(static_cast<std::size_t>(trace.queries(site)), 0.0);
    const auto step = static_cast<std::size_t>(blockLength(where.heads, trace.queries(site)));
    std::vector<std::pair<int, double>> left;
    std::vector<double> shareOf(static_cast<std::size_t>(trace.tokens().stage(keyStageOf(where)).size()), 0.0);
    for (const auto& [token, share] : keys) shareOf[static_cast<std::size_t>(token)] = share;
    const std::vector<int>& columnsThere = trace.keyTokens(site);
    for (std::size_t i = 0; i < columnsThere.size(); ++i)
        if (const double share = shareOf[static_cast<std::size_t>(columnsThere[i])]; share > 0)
            left.emplace_back(static_cast<int>(i), share);
    for (std::size_t begin = 0; begin < left.size(); begin += step) {
        const std::size_t end = std::min(begin + step, left.size());
        std::vector<int> columns;
        for (std::size_t i = begin; i < end; ++i) columns.push_back(left[i].first);
        const Array block = trace.columns(site, columns, chosenWeights(params));
        for (const int head : heads)
            for (std::size_t q = 0; q < sums.size(); ++q)
                for (std::size_t i = begin; i < end; ++i)
                    sums[q] += left[i].second / static_cast<double>(heads.size()) *
                               static_cast<double>(block.at(head, static_cast<std::int64_t>(q), static_cast<std::int64_t>(i - begin)));
    }
    std::vector<float> out(static_cast<std::size_t>(trace.tokens().stage(where.stage).size()),
                           std::numeric_limits<float>::quiet_NaN());
    for (std::size_t q = 0; q < sums.size(); ++q)
        out[static_cast<std::size_t>(trace.queryTokens(site)[q])] = static_cast<float>(sums[q]);
    return out;
}

// "auto": what wrote the answer, else the words of the prompt, else all tokens.
std::vector<SelectedToken> chosenReaders(const std::string& given, const TokenMap& map, const std::string& stage) {
    const auto& tokens = map.stage(stage).tokens;
    const auto has = [&](TokenKind kind) {
        return std::any_of(tokens.begin(), tokens.end(), [&](const Token& token) { return token.kind == kind; });
    };
    const std::string text = given != "auto"             ? given
                             : has(TokenKind::Generated) ? "writing"
                             : has(TokenKind::Text)      ? "text"
                                                         : "all";
    chosenTokens(text, map, stage, "readers");
    return selectedTokens(text, map, stage);
}

// "the box of 57 x 64 pixels at (32, 141)", of several pictures with its own; an empty box is all of the picture.
std::string nameOf(const Rect& box, int image, const TokenMap& map) {
    const std::string picture = map.images.size() > 1 ? fmt::format("picture {}", image) : "the picture";
    if (box.empty()) return picture == "the picture" ? "the whole picture" : "all of " + picture;
    const std::string name = fmt::format("the box of {:g} x {:g} pixels at ({:g}, {:g})", box.width, box.height, box.x, box.y);
    return map.images.size() > 1 ? name + " in " + picture : name;
}

struct Reader {
    int token = 0;  // that is named; its row may be another's
    double box = 0, picture = 0;
};

Table tableOf(const std::vector<Reader>& readers, const StageTokens& stage, double area) {
    Table table{{{"rank", ""},
                 {"token", ""},
                 {"text", ""},
                 {"mass on the box", "probability"},
                 {"mass on the picture", "probability"},
                 {"share of the picture's mass", ""},
                 {"times its area", ""}},
                {}};
    for (const Reader& reader : readers) {
        const double share = reader.picture > 0 ? reader.box / reader.picture : 0;
        table.rows.push_back({static_cast<double>(table.rows.size() + 1), static_cast<double>(reader.token),
                              tokenName(stage.tokens[static_cast<std::size_t>(reader.token)]), reader.box, reader.picture,
                              share, share / area});
    }
    return table;
}

std::vector<Finding> computeBoxReaders(AnalysisContext& context, const nlohmann::json& params) {
    const AttentionTrace& trace = context.trace();
    const SiteChoice choice = sitesOnPictures(trace.spec(), params);
    const TokenMap& map = trace.tokens();
    const std::string seen = stageLookedAt(trace.spec(), choice);
    const int image = std::max(0, params.at("picture").get<int>());
    if (image >= static_cast<int>(map.images.size()))
        throw Error(fmt::format("picture {}: the input has {}", image, map.images.size()), "give one with --image", ErrorCode::Usage);
    const ImageGeometry& picture = map.images[static_cast<std::size_t>(image)];
    const Rect whole{0, 0, static_cast<double>(picture.width), static_cast<double>(picture.height)};
    const auto text = params.at("box").get<std::string>();
    const Rect box = text.empty() ? whole : parseBox(text, picture.width, picture.height);
    const auto inside = tokensInBox(map.stage(seen), image, box), all = tokensInBox(map.stage(seen), image, whole);
    if (inside.empty())
        throw Error(fmt::format("box \"{}\": no token of stage {} reads that part of picture {}", text, seen, image),
                    all.empty() ? whereStageSees(trace.spec(), choice.stage) : "choose a box that the model sees",
                    ErrorCode::Usage);
    const std::vector<SelectedToken> tokens = chosenReaders(params.at("readers").get<std::string>(), map, choice.stage);
    std::vector<std::vector<float>> onBox, onPicture;
    for (std::size_t i = 0; i < choice.sites.size(); ++i) {
        context.job().progress(static_cast<double>(i) / static_cast<double>(choice.sites.size()), "box_readers");
        onBox.push_back(givenTo(trace, choice.sites[i], inside, params));
        onPicture.push_back(givenTo(trace, choice.sites[i], all, params));
    }
    const auto meanOfAll = [](const std::vector<std::vector<float>>& lists) {
        std::vector<const std::vector<float>*> pointers;
        for (const auto& list : lists) pointers.push_back(&list);
        return meanOf(pointers);
    };
    const std::vector<float> box1 = meanOfAll(onBox), picture1 = meanOfAll(onPicture);
    std::vector<float> scores(box1.size(), 0.0F);
    std::vector<Reader> readers;
    bool writing = false;
    for (const auto& [token, query] : tokens) {
        writing = writing || query != token;
        const auto row = static_cast<std::size_t>(query);
        scores[static_cast<std::size_t>(token)] = box1[row];
        if (!std::isnan(box1[row]))
            readers.push_back({token, static_cast<double>(box1[row]), static_cast<double>(picture1[row])});
    }
    if (readers.empty())
        throw Error("readers: none of them was recorded in the chosen layers", "choose answer tokens", ErrorCode::Usage);
    std::stable_sort(readers.begin(), readers.end(), [](const Reader& a, const Reader& b) { return a.box > b.box; });
    const double area = box.width * box.height / (whole.width * whole.height);
    const std::string title = fmt::format("Readers of {}, {}", nameOf(text.empty() ? Rect() : box, image, map),
                                          describeReading(trace.spec(), choice));
    const std::string crossing = crossingNote(trace.spec(), choice);
    std::string note = crossing + (crossing.empty() ? "" : "; ") +
                       std::string(writing ? "an answer's token has the row of the query that wrote it"
                                           : "a token's row is its own as a query, which chooses the token after it") +
                       "; tokens that were not asked have 0";
    note = withEditedShare(std::move(note), trace, choice.sites, params);
    return {{"scores", title, "probability", note, TokenScores{choice.stage, std::move(scores)}},
            {"table", title, "probability", note, tableOf(readers, map.stage(choice.stage), area)}};
}

}  // namespace

void add_box_readers(AnalysisCatalog& catalog) {
    ParamSpec picture = pictureParam();
    picture.defaultValue = 0;
    picture.minimum = 0;
    picture.help = "the picture that the box lies in, counted from 0";
    catalog.add({{"box_readers",
                  "Readers of a box",
                  "From pixels to words: which tokens of the answer (or of the text) look at a box of the picture.",
                  {{.name = "box",
                    .type = ParamType::Text,
                    .defaultValue = "",
                    .help = "x,y,width,height in pixels of the picture; empty means all of it"},
                   picture,
                   {.name = "readers",
                    .type = ParamType::Tokens,
                    .defaultValue = "auto",
                    .help = "tokens that may read it: auto (what wrote the answer, else the text), writing:2, answer, "
                            "text, 5, ..."},
                   layersParam("all"), headsParam(), stageParam(), weightsParam("effective")}},
                 [](const ModelSpec& spec, const nlohmann::json& params) {
                     return needsOf(spec, sitesOnPictures(spec, params));
                 },
                 computeBoxReaders});
}

}  // namespace fovea
