// Gemma 3: the whole picture, and with pan and scan crops of elongated ones. (The processor around the
// reference's class leaves pan and scan off whatever the folder's files say.)
#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "fovea/error.h"
#include "io/visual/canvas.h"
#include "io/visual/families.h"
#include "io/visual/visual_settings.h"

namespace fovea {
namespace {

using Settings = ImageProcessor::Settings;

struct PanAndScan {
    bool on = false;
    int minCrop = 256;
    int maxCrops = 4;
    double minRatio = 1.2;
};

class Gemma3Processor final : public VisualProcessor {
public:
    Gemma3Processor(const Settings& settings, PanAndScan scan, LayoutRules layout)
        : m_pixels(settings), m_scan(scan) {
        m_layout = std::move(layout);
        m_black = blackOf(settings);
    }

    VisualInput process(std::span<const Pixels> images) const override {
        checkSomeImages(images);
        ViewList views(m_pixels);
        std::vector<std::int64_t> counts;
        for (const Pixels& picture : images) {
            const Canvas whole = canvasOf(picture);
            const int crops = m_scan.on ? cropCount(picture) : 0;
            views.begin(picture);
            views.add(whole, {0, 0, crops > 0});
            if (crops > 0) addCrops(whole, crops, views);
            counts.push_back(crops);
        }
        VisualInput out;
        out.images = std::move(views.images());
        out.tensors["num_crops"] =
            integerTensor({static_cast<std::int64_t>(images.size())}, std::move(counts));
        out.tensors["pixel_values"] = std::move(views).tensor();
        return out;
    }

    std::string describe() const override {
        return m_pixels.describe() +
               (m_scan.on ? fmt::format(", up to {} crops beside", m_scan.maxCrops) : "");
    }

private:
    // Crops along the longer side; 0: the picture is not elongated or too small.
    int cropCount(const Pixels& picture) const {
        const double longer = std::max(picture.width, picture.height);
        const double shorter = std::min(picture.width, picture.height);
        if (longer / shorter < m_scan.minRatio) return 0;
        double crops = std::min(std::floor(longer / m_scan.minCrop), std::floor(longer / shorter + 0.5));
        crops = std::min<double>(m_scan.maxCrops, std::max(2.0, crops));
        if (std::min(std::ceil(longer / crops), shorter) < m_scan.minCrop) return 0;
        return static_cast<int>(crops);
    }

    static void addCrops(const Canvas& whole, int crops, ViewList& views) {
        const int width = whole.pixels.width;
        const int height = whole.pixels.height;
        const bool wide = width >= height;
        const int longer = std::max(width, height);
        const int size = (longer + crops - 1) / crops;
        if ((crops - 1) * size >= longer) {
            throw Error(
                fmt::format("image of {} x {}: expected {} crops of at least 1 pixel", width, height, crops),
                "use a larger image, or a larger pan_and_scan_min_crop_size");
        }
        views.setGrid(wide ? 1 : crops, wide ? crops : 1);
        for (int i = 0; i < crops; ++i) {
            const int length = std::min(size, longer - i * size);
            const Window part =
                wide ? Window{i * size, 0, length, height} : Window{0, i * size, width, length};
            views.add(cut(whole, part), {wide ? 0 : i, wide ? i : 0, false});
        }
    }

    ImageProcessor m_pixels;
    PanAndScan m_scan;
};

}  // namespace

std::string withoutPanAndScan(VisualFiles& files) {
    if (!files.image.is_object() || files.image.value("do_pan_and_scan", nlohmann::json()) != true) return {};
    files.image.erase("do_pan_and_scan");
    return fmt::format("{}: do_pan_and_scan: true has no effect, as in Gemma3Processor: elongated pictures are seen as a whole, "
                       "without crops",
                       files.imageFile);
}

std::unique_ptr<VisualProcessor> makeGemma3(const VisualFiles& files) {
    Settings settings = visualDefaults("Gemma3ImageProcessor", 224, Resample::Bilinear, kHalf, kHalf);
    const ProcessorKeys keys(objectOf(files.image, files.imageFile), files.imageFile);
    checkClass(keys, "Gemma3ImageProcessor");
    readSize(keys, true, settings);
    readPixelSettings(keys, settings);
    settings.doCrop = false;
    PanAndScan scan;
    keys.flag("do_pan_and_scan", scan.on);
    keys.count("pan_and_scan_min_crop_size", scan.minCrop, kMaxProcessorSide);
    keys.count("pan_and_scan_max_num_crops", scan.maxCrops, 256);
    if (const auto* ratio = keys.find("pan_and_scan_min_ratio_to_activate"))
        scan.minRatio = keys.number("pan_and_scan_min_ratio_to_activate", *ratio);

    LayoutRules layout;
    layout.scheme = LayoutRules::Scheme::Gemma3;
    layout.imageSlot = layout.begin = tokenNamed(files, "boi_token", "<start_of_image>");
    layout.end = tokenNamed(files, "eoi_token", "<end_of_image>");
    layout.imageToken = tokenNamed(files, "image_token", "<image_soft_token>");
    layout.patchSize = towerPatchSize(files, 14);
    layout.tokensPerTile =
        processorNumber(files, "image_seq_length", configNumber(files, "", "mm_tokens_per_image", 256));
    return std::make_unique<Gemma3Processor>(settings, scan, std::move(layout));
}

}  // namespace fovea
