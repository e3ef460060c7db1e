// The measured half of `packaging/dev bench --vlm`: opens a folder, answers, and says what that took. One JSON object a
// line in, one a line out. Arguments: FOLDER DEVICE DTYPE
//   {"do": "open"}
//   {"do": "encode", "tensors": FILE} or {"do": "encode", "prompt": TEXT, "picture": FILE.ppm}
//   {"do": "answer", "forced": [IDS], "record": "none" | "rows" | "all"}
//   {"do": "rows"}       rows of all answer tokens of the latest recorded answer, site by site
//   {"do": "release"}    forgets the answer and gives cached memory back
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <fstream>
#include <string>

#include "fovea/attention_trace.h"
#include "fovea/catalog.h"
#include "fovea/compute_runtime.h"
#include "fovea/generate.h"
#include "fovea/open_model.h"
#include "fovea/ppm.h"
#include "server.h"

namespace {

using namespace fovea;
using bench::Clock;
using bench::milliseconds;
using nlohmann::json;

// Memory of the device, or of this process where that is the CPU; the peak since the last reset.
class Memory {
public:
    explicit Memory(bool cuda) : m_cuda(cuda) {}

    void reset() const {
        if (auto* device = allocator())
            device->resetPeakStats(0);
        else
            std::ofstream("/proc/self/clear_refs") << "5";
    }
    std::int64_t peak() const {
        if (auto* device = allocator()) return device->getDeviceStats(0).allocated_bytes[0].peak;
        return bench::processMemory("VmHWM:");
    }
    std::int64_t held() const {
        if (auto* device = allocator()) return device->getDeviceStats(0).allocated_bytes[0].current;
        return bench::processMemory("VmRSS:");
    }
    void synchronize() const {
        if (m_cuda) c10::impl::VirtualGuardImpl(c10::kCUDA).synchronizeDevice(0);
    }

private:
    c10::DeviceAllocator* allocator() const {
        if (!m_cuda) return nullptr;
        auto* device = c10::getDeviceAllocator(c10::kCUDA);
        return device->initialized() ? device : nullptr;
    }

    bool m_cuda;
};

class Bench {
public:
    explicit Bench(const char* const* arguments)
        : m_catalog(makeCatalog()), m_folder(arguments[0]),
          m_options{.device = arguments[1], .dtype = arguments[2], .strict = true, .adapters = {}},
          m_memory(m_options.device.starts_with("cuda")) {}

    json reply(const json& command) {
        const std::string what = command.at("do");
        m_memory.reset();
        const auto begin = Clock::now();
        json out = json::object();
        if (what == "open") out = open();
        if (what == "encode") out = encode(command);
        if (what == "answer") out = answer(command);
        if (what == "rows") out = rows();
        if (what == "release") release();
        m_memory.synchronize();
        out["ms"] = milliseconds(begin);
        out["peak"] = m_memory.peak();
        out["held"] = m_memory.held();
        return out;
    }

private:
    json open() {
        m_answer = {};
        m_input.reset();
        m_model.reset();
        m_model = openModel(m_catalog, m_folder, m_options);
        const ModelSpec& spec = m_model->spec();
        return {{"parameters", spec.parameters}, {"dtype", spec.computeDtype}, {"device", spec.device}};
    }

    json encode(const json& command) {
        UserInput input;
        if (command.contains("tensors")) input.tensors = command.at("tensors").get<std::string>();
        if (command.contains("prompt")) input.prompt = command.at("prompt");
        if (command.contains("picture")) input.images = {readPpm(command.at("picture").get<std::string>())};
        m_input = m_model->encode(input);
        json tokens = json::object();
        for (const StageTokens& stage : m_input->maps.front().stages) tokens[stage.stage] = stage.size();
        return {{"tokens", tokens}};
    }

    json answer(const json& command) {
        m_answer = {};
        GenerateSpec spec;
        spec.forced = command.at("forced").get<std::vector<int>>();
        spec.maxNewTokens = static_cast<int>(spec.forced.size());
        const std::string record = command.at("record");
        spec.capture.output = false;
        spec.capture.qkv = spec.capture.lse = record != "none";
        if (record == "rows") spec.capture.sites = {"text.*"};
        std::vector<double> stamps;
        const auto begin = Clock::now();
        m_answer = generate(*m_model, *m_input, spec,
                            [&](const GeneratedToken&) { stamps.push_back(milliseconds(begin)); });
        json steps = json::array(), routes = json::array(), probabilities = json::array();
        for (std::size_t i = 1; i < stamps.size(); ++i) steps.push_back(stamps[i] - stamps[i - 1]);
        for (const RouteReport& route : m_answer.routes) routes.push_back({route.route, route.calls});
        for (const GeneratedToken& step : m_answer.steps) probabilities.push_back(step.logProbability);
        return {{"prefill_ms", stamps.front()},
                {"steps_ms", steps},
                {"routes", routes},
                {"log_probabilities", probabilities},
                {"recorded", m_answer.trace->bytes()},
                {"estimate", m_answer.estimate.run()}};
    }

    json rows() {
        double sum = 0;
        std::int64_t count = 0, keys = 0, sites = 0;
        for (const int site : m_answer.trace->sites()) {
            if (m_model->spec().sites[static_cast<std::size_t>(site)].stage != "text") continue;
            const Array rows = m_answer.trace->probabilities(site);
            count = rows.size(0) * rows.size(1);
            keys = rows.size(2);
            ++sites;
            for (const float value : rows.values) sum += value;
        }
        return {{"rows", count * sites}, {"keys", keys}, {"mean_sum", sum / static_cast<double>(count * sites)}};
    }

    void release() {
        m_answer = {};
        releaseCachedMemory();
    }

    Catalog m_catalog;
    std::string m_folder;
    LoadOptions m_options;
    Memory m_memory;
    std::shared_ptr<const Model> m_model;
    std::shared_ptr<const ModelInput> m_input;
    Generation m_answer;
};

}  // namespace

int main(int argc, char** argv) { return bench::serve<Bench>(argc, argv, "fovea_vlm_bench FOLDER DEVICE DTYPE"); }
