#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/aligned_text.h"

namespace fovea::text {

/// A compiled regular expression in Oniguruma's Ruby syntax over UTF-8, which is what tokenizer.json files are written
/// for. Immutable and safe from several threads.
class Regex {
public:
    /// Throws Error (Input), starting with where, for a pattern that does not compile.
    Regex(const std::string& pattern, std::string where);
    ~Regex();
    Regex(Regex&&) noexcept;
    Regex& operator=(Regex&&) noexcept;

    /// Appends ranges that cover the whole text in order: matches and what lies between them. Throws Error (Input) when
    /// the search needs more steps or memory than any sound pattern does.
    void findAll(std::string_view text, std::vector<Match>& out) const;

private:
    struct State;
    std::unique_ptr<State> m_state;
};

}  // namespace fovea::text
