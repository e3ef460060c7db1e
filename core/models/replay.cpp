#include <algorithm>

#include "attention/recorded_input.h"
#include "fovea/catalog.h"
#include "fovea/error.h"
#include "nn/model_source.h"
#include "nn/replay_spec.h"
#include "nn/replay_trace.h"

namespace fovea {
namespace {

class ReplayInput final : public RecordedInput {
public:
    std::shared_ptr<const AttentionTrace> recorded(int item) const override {
        return traces.at(static_cast<std::size_t>(item));
    }
    std::vector<std::shared_ptr<const AttentionTrace>> traces;
};

constexpr std::size_t kMaxRecords = 1'000'000;

/// A trace file in the place of a model: its one input is the one that was recorded.
class Replay final : public Model {
public:
    explicit Replay(const ModelSource& source) {
        const std::filesystem::path path = source.files().weightFiles.front();
        m_file = TraceFile::open(path);
        m_tensors = source.weights().shared_from_this();
        m_spec = readRecordedSpec(*m_file);
        m_maps = readRecordedMaps(*m_file);
        m_attention = readRecordedAttentions(*m_file);
        if (m_maps.size() * m_spec.sites.size() > kMaxRecords)
            throw Error(path.string() + ": expected at most " + std::to_string(kMaxRecords) +
                        " recorded sites of all items, found " + std::to_string(m_maps.size()) + " x " +
                        std::to_string(m_spec.sites.size()),
                        "Record fewer sites (--sites) or pictures.");
        for (const TensorInfo& tensor : m_file->tensors())
            if (const std::string prefix = TraceName::parse(tensor.name).prefix();
                tensor.name.starts_with(prefix))
                m_named[prefix].push_back(&tensor);
    }

    const ModelSpec& spec() const override { return m_spec; }

    std::shared_ptr<const ModelInput> encode(const UserInput& user) const override {
        if (!user.tensors.empty())
            throw Error(m_spec.source + ": expected no --tensors, found " + user.tensors.string(),
                        "A trace holds its input; pictures (--image) are only shown under the result.",
                        ErrorCode::Usage);
        auto input = std::make_shared<ReplayInput>();
        for (std::size_t item = 0; item < m_maps.size(); ++item) {
            input->maps.push_back(m_maps[item]);
            // Several pictures of one item are one prompt's.
            const std::size_t pictures = m_maps.size() == 1 ? std::max<std::size_t>(1, m_maps[item].images.size()) : 1;
            for (std::size_t i = 0; i < pictures; ++i)
                input->originals.push_back(pictureOf(user, m_maps.size() == 1 ? i : item, m_maps[item], i));
            input->seen.resize(input->originals.size());
            input->transforms.resize(input->originals.size());
            const std::string prefix = m_maps.size() > 1 ? "image" + std::to_string(item) + "/" : "";
            static const std::vector<const TensorInfo*> none;
            const auto named = m_named.find(prefix);
            const ReplaySource source{m_file,        m_tensors, m_spec,
                                      m_attention,   m_maps[item], prefix,
                                      named == m_named.end() ? none : named->second};
            input->traces.push_back(replayTrace(source, input->notices));
        }
        return input;
    }

    void run(const ModelInput&, int, Forward&) const override {
        throw Error(m_spec.source + ": a recorded trace cannot be run again",
                    "Open the model it was recorded from.", ErrorCode::Usage);
    }

    MemoryEstimate estimate(const ModelInput&, const CaptureRequest&, bool) const override { return {}; }

private:
    // The picture under the result; it must be the one whose pixels the token map speaks of.
    Pixels pictureOf(const UserInput& user, std::size_t given, const TokenMap& map, std::size_t image) const {
        if (given >= user.images.size()) return {};
        const Pixels& picture = user.images[given];
        if (image < map.images.size()) {
            const ImageGeometry& recorded = map.images[image];
            if (recorded.width != picture.width || recorded.height != picture.height)
                throw Error(m_spec.source + ": image " + std::to_string(given) +
                            ": expected the recorded picture of " + std::to_string(recorded.width) + " x " +
                            std::to_string(recorded.height) + " pixels, found " +
                            std::to_string(picture.width) + " x " + std::to_string(picture.height),
                            "Give the picture that the trace was recorded from.");
        }
        return picture;
    }

    std::shared_ptr<const TraceFile> m_file;
    std::shared_ptr<const WeightStore> m_tensors;
    ModelSpec m_spec;
    std::vector<TokenMap> m_maps;
    RecordedAttentions m_attention;
    std::map<std::string, std::vector<const TensorInfo*>> m_named;  // by the prefix of the item
};

}  // namespace

void add_replay(ModelCatalog& catalog) {
    ModelEntry entry;
    entry.info = {"replay",
                  "Recorded trace",
                  "A trace file opened again: everything that needs no new forward pass works on it.",
                  {}};
    entry.modelTypes = {"replay"};
    entry.load = [](const ModelSource& source, const LoadOptions&,
                    const JobContext&) -> std::shared_ptr<const Model> {
        return std::make_shared<const Replay>(source);
    };
    catalog.add(std::move(entry));
}

}  // namespace fovea
