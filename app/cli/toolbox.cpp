#include "toolbox.h"

#include <cstdio>

#include "fovea/open_model.h"
#include "picture_files.h"
#include "terminal.h"

namespace fovea::cli {

Toolbox::Toolbox(const CommonOptions& options, const Interrupt& interrupt)
    : m_options(options), m_interrupt(interrupt), m_bar(!options.quiet && errorIsTerminal()) {}

const std::shared_ptr<const Catalog>& Toolbox::catalog() {
    if (!m_catalog) m_catalog = std::make_shared<const Catalog>(makeCatalog());
    return m_catalog;
}

const std::shared_ptr<const viz::PainterCatalog>& Toolbox::painters() {
    if (!m_painters) m_painters = std::make_shared<const viz::PainterCatalog>(viz::makePainterCatalog());
    return m_painters;
}

Engine& Toolbox::engine() {
    if (!m_engine) m_engine = std::make_unique<Engine>(catalog(), painters(), imageReader(), videoOpener());
    return *m_engine;
}

void Toolbox::saveMemory() {
    if (m_engine) m_engine->saveMemory();
}

JobContext Toolbox::job() {
    return JobContext(m_interrupt.token(),
                      [this](double fraction, std::string_view label) { m_bar.update(fraction, label); });
}

void Toolbox::print(const std::string& text) {
    m_bar.clear();
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
        throw Error("standard output cannot be written", "check what reads it, or write to a file with -o");
}

void Toolbox::printJson(const nlohmann::ordered_json& json) {
    print(json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

void Toolbox::note(const std::string& text) {
    if (m_options.quiet) return;
    m_bar.clear();
    std::fprintf(stderr, "%s\n", text.c_str());
}

void Toolbox::warn(const std::string& text) {
    if (m_warned.insert(text).second) note("warning: " + text);
}

std::shared_ptr<const Model> Toolbox::openedModel(const std::string& reference, bool strict) {
    LoadOptions load;
    load.device = m_options.device;
    load.dtype = m_options.dtype;
    load.strict = strict;
    load.adapters = adaptersOf(m_options);
    return openModel(*catalog(), reference, load, job());
}

}  // namespace fovea::cli
