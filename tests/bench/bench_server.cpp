// The measured half of `packaging/dev bench`: {"do": "load" | "forward" | "capture" | "statistics" | "maps"}.
// Arguments: FOLDER HEIGHT WIDTH
#include <string>

#include "fovea/catalog.h"
#include "fovea/open_model.h"
#include "fovea/run.h"
#include "server.h"

namespace {

using namespace fovea;
using bench::Clock;
using bench::milliseconds;

class Bench {
public:
    explicit Bench(const char* const* arguments)
        : m_catalog(makeCatalog()), m_folder(arguments[0]),
          m_picture(std::stoi(arguments[2]), std::stoi(arguments[1])) {
        for (std::size_t i = 0; i < m_picture.rgb.size(); ++i)
            m_picture.rgb[i] = static_cast<std::uint8_t>(i * 2654435761U >> 24);
    }

    nlohmann::json reply(const nlohmann::json& asked) {
        const std::string command = asked.at("do");
        const auto begin = Clock::now();
        if (command == "load") {
            m_model = openModel(m_catalog, m_folder);
            return {{"ms", milliseconds(begin)}, {"peak", bench::processMemory("VmHWM:")}};
        }
        prepare();
        const auto start = Clock::now();
        const double check = run(command);
        nlohmann::json reply = {{"ms", milliseconds(start)}, {"peak", bench::processMemory("VmHWM:")}, {"check", check}};
        reply["routes"] = nlohmann::json::array();
        for (const RouteReport& route : m_last.routes) reply["routes"].push_back(route.route);
        return reply;
    }

private:
    void prepare() {
        if (!m_model) m_model = openModel(m_catalog, m_folder);
        if (!m_input) m_input = m_model->encode({.images = {m_picture}, .video = {}, .prompt = {}, .chat = {}, .tensors = {}});
    }

    double run(const std::string& command) {
        RunSpec spec;
        if (command == "capture") spec.capture = CaptureRequest::parse("qkv,lse,hidden,output");
        if (command == "statistics") spec.capture = CaptureRequest::parse("stats,output");
        if (command == "maps") spec.capture = CaptureRequest::parse("probs,output");
        m_last = runModel(*m_model, *m_input, spec);
        double check = m_last.trace->output(m_last.trace->outputNames().front()).values.front();
        for (const int site : m_last.trace->sites()) {
            if (command == "statistics") check += m_last.trace->statistics(site).entropy.values.front();
            if (command == "maps") check += m_last.trace->probabilities(site).values.front();
        }
        return check;
    }

    Catalog m_catalog;
    std::string m_folder;
    Pixels m_picture;
    std::shared_ptr<const Model> m_model;
    std::shared_ptr<const ModelInput> m_input;
    RunResult m_last;
};

}  // namespace

int main(int argc, char** argv) { return bench::serve<Bench>(argc, argv, "fovea_bench FOLDER HEIGHT WIDTH"); }
