#include "common/gradient_maps.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "common/input_views.h"
#include "common/site_choice.h"
#include "common/token_grid.h"
#include "fovea/error.h"

namespace fovea {
namespace {

constexpr int patchChannels = 3;

// A whole number of pixels that an input shows of the picture: [left, right) x [top, bottom) of the input.
struct Shown {
    int left = 0, top = 0, right = 0, bottom = 0;
    Rect area;  ///< the same in pixels of the original picture
};

const StageTokens* pictureStage(const TokenMap& map) {
    for (const StageTokens& stage : map.stages)
        if (stage.gridRows > 0) return &stage;
    return nullptr;
}

const PixelTransform* transformOf(AnalysisContext& context, int width, int height) {
    const auto item = static_cast<std::size_t>(context.item());
    if (item >= context.input().transforms.size()) return nullptr;
    const PixelTransform& transform = context.input().transforms[item];
    return transform.inputWidth == width && transform.inputHeight == height ? &transform : nullptr;
}

Shown shownPart(AnalysisContext& context, int width, int height, const StageTokens& stage) {
    if (const PixelTransform* transform = transformOf(context, width, height)) {
        const int left = std::max(0, -transform->left), top = std::max(0, -transform->top);
        const int right = std::min(width, transform->resizedWidth - transform->left);
        const int bottom = std::min(height, transform->resizedHeight - transform->top);
        if (left < right && top < bottom) return {left, top, right, bottom, transform->read()};
    }
    Rect area;
    for (const Token& token : stage.tokens) area = united(area, token.rect);
    return {0, 0, width, height, area};
}

// One value per pixel out of [channels, height, width].
std::vector<float> reduced(const Array& picture, const std::string& how) {
    const std::int64_t channels = picture.size(0), pixels = picture.size(1) * picture.size(2);
    std::vector<float> out(static_cast<std::size_t>(pixels));
    for (std::int64_t i = 0; i < pixels; ++i) {
        double value = 0;
        for (std::int64_t c = 0; c < channels; ++c) {
            const double v = static_cast<double>(picture.values[static_cast<std::size_t>(c * pixels + i)]);
            value = how == "max_abs" ? std::max(value, std::abs(v))
                                     : value + (how == "sum_abs" ? std::abs(v) : v);
        }
        out[static_cast<std::size_t>(i)] = static_cast<float>(value);
    }
    return out;
}

// The pixels of the input that a token reads.
Shown pixelsOf(const Token& token, const StageTokens& stage, const PixelTransform* transform, int width,
               int height) {
    if (!transform)
        return {token.column * width / stage.gridColumns,
                token.row * height / stage.gridRows,
                (token.column + 1) * width / stage.gridColumns,
                (token.row + 1) * height / stage.gridRows,
                {}};
    const Rect rect = transform->toInput(token.rect);
    const auto edge = [](double value, int limit) {
        return std::clamp(static_cast<int>(std::lround(value)), 0, limit);
    };
    return {edge(rect.x, width),
            edge(rect.y, height),
            edge(rect.x + rect.width, width),
            edge(rect.y + rect.height, height),
            {}};
}

std::vector<float> pooledToTokens(const std::vector<float>& values, int width, int height,
                                  const StageTokens& stage, const PixelTransform* transform, bool mean) {
    std::vector<float> out(stage.tokens.size(), std::numeric_limits<float>::quiet_NaN());
    for (const Token& token : stage.tokens) {
        if (token.row < 0) continue;
        const Shown part = pixelsOf(token, stage, transform, width, height);
        const int count = (part.right - part.left) * (part.bottom - part.top);
        double sum = 0;
        for (int y = part.top; y < part.bottom; ++y)
            for (int x = part.left; x < part.right; ++x)
                sum +=
                    static_cast<double>(values[static_cast<std::size_t>(y) * static_cast<std::size_t>(width) +
                                               static_cast<std::size_t>(x)]);
        if (count > 0)
            out[static_cast<std::size_t>(token.index)] = static_cast<float>(mean ? sum / count : sum);
    }
    return out;
}

}  // namespace

std::vector<ParamSpec> gradientMapParams(const std::string& channels) {
    return {{.name = "channels",
             .type = ParamType::Choice,
             .defaultValue = channels,
             .help = "how colour channels become one value: the largest magnitude, the sum of magnitudes, or "
                     "the signed "
                     "sum",
             .choices = {"max_abs", "sum_abs", "signed"}},
            {.name = "pool",
             .type = ParamType::Choice,
             .defaultValue = "none",
             .help = "keep pixels, or give each token the mean or the sum of its pixels",
             .choices = {"none", "mean", "sum"}}};
}

Needs needsOfPictureGradient(const ModelSpec& spec, const nlohmann::json& params) {
    if (const auto words = params.value("queries", std::string("auto")); words != "auto" && !spec.answers())
        throw Error(fmt::format("queries \"{}\": {} gives no answer whose words could be chosen", words, spec.architecture),
                    spec.labels.empty() ? "leave queries at auto; relevance takes tokens of this model"
                                        : "leave queries at auto; target chooses the class",
                    ErrorCode::Usage);
    return needsOfTarget(spec, params);
}

Array asPicture(const Array& tensor, const StageTokens& stage) {
    if (tensor.shape.size() == 3) return tensor;
    const int rows = stage.gridRows, columns = stage.gridColumns;
    const auto side =
        tensor.shape.size() == 2
            ? static_cast<std::int64_t>(std::lround(std::sqrt(tensor.size(1) / double{patchChannels})))
            : 0;
    if (side <= 0 || side * side * patchChannels != tensor.size(1) ||
        tensor.size(0) < std::int64_t{rows} * columns)
        throw Error("the gradient of this model's input lies on no grid of patches",
                    "choose relevance, whose values are of tokens", ErrorCode::Usage);
    Array picture({patchChannels, rows * side, columns * side});
    for (int patch = 0; patch < rows * columns; ++patch)
        for (std::int64_t i = 0; i < side * side; ++i)
            for (int c = 0; c < patchChannels; ++c)
                picture.at(c, patch / columns * side + i / side, patch % columns * side + i % side) =
                    tensor.at(patch, i * patchChannels + c);
    return picture;
}

RunResult gradientRun(AnalysisContext& context, const TargetChoice& target, const Perturbation& perturbation) {
    RunSpec spec = context.baseSpec();
    target.aim(spec);
    spec.gradients.input = true;
    spec.perturbation = perturbation;
    RunResult result = context.run(spec);
    if (result.inputGradient.empty())
        throw Error("the objective does not depend on the model's input", "choose another output",
                    ErrorCode::Usage);
    return result;
}

TargetChoice chosenPictureTarget(AnalysisContext& context, const nlohmann::json& params) {
    if (holdsViews(context) && params.at("pool") != "none")
        throw Error("pool: this model reads a picture in patches or views of its own, not on one grid",
                    "choose pool=none, or relevance, whose values are of tokens", ErrorCode::Usage);
    return chosenTarget(context, params);
}

namespace {

// The pixels that show the original, of one value each, rows of `width`.
Grid pixelGrid(const std::vector<float>& values, std::int64_t width, const Shown& shown, const std::string& channels) {
    Grid grid;
    grid.rows = shown.bottom - shown.top;
    grid.columns = shown.right - shown.left;
    grid.area = shown.area;
    grid.planes = {""};
    grid.pixels = true;
    grid.signedValues = channels == "signed";
    for (int y = shown.top; y < shown.bottom; ++y) {
        const auto row = values.begin() + static_cast<std::ptrdiff_t>(y) * width;
        grid.values.insert(grid.values.end(), row + shown.left, row + shown.right);
    }
    return grid;
}

Grid gridOf(const InputView& view, const std::string& channels) {
    Grid grid = pixelGrid(reduced(view.values, channels), view.values.size(2),
                          {view.left, view.top, view.right, view.bottom, view.area}, channels);
    grid.image = view.image;
    return grid;
}

std::vector<Finding> viewFindings(AnalysisContext& context, const Array& attribution, const std::string& channels,
                                  const GradientCaption& caption) {
    std::vector<Finding> findings;
    const bool several = context.tokens().images.size() > 1;
    for (const InputView& view : inputViews(context, attribution)) {
        std::string title = caption.title;
        if (several) title += fmt::format(", picture {}", view.image);
        if (!view.name.empty()) title += ", " + view.name;
        findings.push_back({findings.empty() ? "map" : fmt::format("map {}", findings.size()), title, caption.unit,
                            caption.note, gridOf(view, channels)});
    }
    return findings;
}

}  // namespace

std::vector<Finding> gradientFindings(AnalysisContext& context, const Array& attribution,
                                      const nlohmann::json& params, const GradientCaption& caption) {
    if (holdsViews(context)) return viewFindings(context, attribution, params.at("channels").get<std::string>(), caption);
    const StageTokens* stage = pictureStage(context.tokens());
    if (!stage) throw Error("the input holds no picture", "give one with --image, or choose relevance, which serves texts",
                            ErrorCode::Usage);
    const Array picture = asPicture(attribution, *stage);
    const int height = static_cast<int>(picture.size(1)), width = static_cast<int>(picture.size(2));
    const auto channels = params.at("channels").get<std::string>(),
               pool = params.at("pool").get<std::string>();
    const std::vector<float> values = reduced(picture, channels);
    if (pool != "none") {
        const std::vector<float> tokens = pooledToTokens(values, width, height, *stage,
                                                         transformOf(context, width, height), pool == "mean");
        Grid grid = TokenGrid::of(context.tokens(), stage->stage)->filled({""}, {tokens});
        grid.signedValues = channels == "signed";
        return {{"map", caption.title, caption.unit, caption.note, std::move(grid)},
                {"scores", caption.title, caption.unit, caption.note, TokenScores{stage->stage, tokens}}};
    }
    return {{"map", caption.title, caption.unit, caption.note,
             pixelGrid(values, width, shownPart(context, width, height, *stage), channels)}};
}

std::vector<ParamSpec> baselineParams() {
    return {{.name = "baseline",
             .type = ParamType::Choice,
             .defaultValue = "value",
             .help = "where attribution starts: every element at baseline_value, or a black picture",
             .choices = {"value", "black"}},
            {.name = "baseline_value",
             .type = ParamType::Number,
             .defaultValue = 0.0,
             .help = "in normalised units; 0 is the mean colour of the model's preprocessing",
             .minimum = -10,
             .maximum = 10}};
}

Perturbation chosenBaseline(const ModelInput& input, const nlohmann::json& params) {
    Perturbation perturbation;
    if (params.at("baseline") == "value") {
        perturbation.baseline = params.at("baseline_value").get<double>();
        return perturbation;
    }
    if (input.black.empty())
        throw Error("baseline black: the value of a black pixel is not known for this input",
                    "choose baseline=value and a baseline_value", ErrorCode::Usage);
    perturbation.channelBaseline = input.black;
    return perturbation;
}

ChannelOrder channelOrder(const AnalysisContext& context) {
    return channelsFirst(context) ? ChannelOrder::First : ChannelOrder::Last;
}

std::vector<double> baselineValues(const Perturbation& baseline, const std::vector<std::int64_t>& shape, ChannelOrder patches) {
    std::vector<double> values(static_cast<std::size_t>(Array::count(shape)), baseline.baseline);
    if (baseline.channelBaseline.empty()) return values;
    const std::size_t channels = baseline.channelBaseline.size();
    std::size_t plane = 1;
    if (shape.size() >= 3) plane = static_cast<std::size_t>(shape[shape.size() - 2] * shape.back());
    if (shape.size() == 2 && patches == ChannelOrder::First) plane = static_cast<std::size_t>(shape[1]) / channels;
    for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = baseline.channelBaseline[i / plane % channels];
    return values;
}

}  // namespace fovea
