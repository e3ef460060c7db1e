#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "common_options.h"
#include "interrupt.h"
#include "progress_bar.h"
#include "session/engine.h"

namespace fovea::cli {

/// What every subcommand works with: catalogues and engine made on first use, output, progress.
class Toolbox {
public:
    Toolbox(const CommonOptions& options, const Interrupt& interrupt);

    const CommonOptions& options() const { return m_options; }
    const std::shared_ptr<const Catalog>& catalog();
    const std::shared_ptr<const viz::PainterCatalog>& painters();
    Engine& engine();
    /// Frees what can be freed, for a second try after memory ran out.
    void saveMemory();

    /// Reports to the progress bar and stops on Ctrl-C.
    JobContext job();

    /// Results, on standard output.
    void print(const std::string& text);
    void printJson(const nlohmann::ordered_json& json);
    /// Remarks, on standard error unless --quiet.
    void note(const std::string& text);
    /// The same warning is given once.
    void warn(const std::string& text);

    /// Opens MODEL with the common options.
    std::shared_ptr<const Model> openedModel(const std::string& reference, bool strict = true);

private:
    const CommonOptions& m_options;
    const Interrupt& m_interrupt;
    ProgressBar m_bar;
    std::set<std::string> m_warned;
    std::shared_ptr<const Catalog> m_catalog;
    std::shared_ptr<const viz::PainterCatalog> m_painters;
    std::unique_ptr<Engine> m_engine;
};

}  // namespace fovea::cli
