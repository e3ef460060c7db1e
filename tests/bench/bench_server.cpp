// Runs one kind of work a line: "load", "forward", "capture", "statistics" or "maps"; answers with one JSON line each.
// Arguments: FOLDER HEIGHT WIDTH
#include <chrono>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "fovea/catalog.h"
#include "fovea/open_model.h"
#include "fovea/run.h"


namespace {

using namespace fovea;
using Clock = std::chrono::steady_clock;

double milliseconds(Clock::time_point begin) {
    return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

std::int64_t peakKibibytes() {
#if defined(__linux__)
    // getrusage() would count the peak of the process that started this one.
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);)
        if (line.starts_with("VmHWM:")) return std::stoll(line.substr(6));
#endif
    return 0;
}

class Bench {
public:
    Bench(std::string folder, int height, int width)
        : m_catalog(makeCatalog()), m_folder(std::move(folder)), m_picture(width, height) {
        for (std::size_t i = 0; i < m_picture.rgb.size(); ++i)
            m_picture.rgb[i] = static_cast<std::uint8_t>(i * 2654435761U >> 24);
    }

    nlohmann::json answer(const std::string& command) {
        const auto begin = Clock::now();
        if (command == "load") {
            m_model = openModel(m_catalog, m_folder);
            return {{"ms", milliseconds(begin)}, {"peak_kib", peakKibibytes()}};
        }
        prepare();
        const auto start = Clock::now();
        const double check = run(command);
        nlohmann::json reply = {{"ms", milliseconds(start)}, {"peak_kib", peakKibibytes()}, {"check", check}};
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

int main(int argc, char** argv) {
    if (argc != 4) {
        std::cerr << "usage: fovea_bench FOLDER HEIGHT WIDTH\n";
        return 2;
    }
    try {
        Bench bench(argv[1], std::stoi(argv[2]), std::stoi(argv[3]));
        for (std::string command; std::getline(std::cin, command);) std::cout << bench.answer(command) << std::endl;
        return 0;
    } catch (const std::exception& error) {
        std::cerr << "error: " << error.what() << "\n";
        return 1;
    }
}
