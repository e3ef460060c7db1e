#include "text/regex.h"

#include <oniguruma.h>

#include <array>
#include <chrono>

#include "fovea/error.h"
#include "text/limits.h"
#include "text/utf8.h"

namespace fovea::text {
namespace {

constexpr unsigned maxMatchStack = 1U << 22;
constexpr unsigned long maxRetries = 10'000'000;
constexpr auto maxTime = std::chrono::seconds(20);
constexpr const char* damaged = "The tokenizer's files are damaged: fetch the folder again.";
constexpr const char* slow = "The tokenizer's files are damaged, or the text is of a kind that its pattern was not written for: fetch the "
                             "folder again, give another text, or give token ids as input_ids with --tensors.";

const OnigUChar* bytesOf(std::string_view text) {
    return reinterpret_cast<const OnigUChar*>(text.data());
}

std::string messageOf(int code, OnigErrorInfo* info) {
    std::array<OnigUChar, ONIG_MAX_ERROR_MESSAGE_LEN> buffer{};
    const int length = onig_error_code_to_str(buffer.data(), code, info);
    return {reinterpret_cast<const char*>(buffer.data()), static_cast<std::size_t>(std::max(length, 0))};
}

void initialize() {
    static const bool ready = [] {
        OnigEncoding encodings[] = {ONIG_ENCODING_UTF8};
        onig_initialize(encodings, 1);
        onig_set_parse_depth_limit(250);
        return true;
    }();
    static_cast<void>(ready);
}

}  // namespace

struct Regex::State {
    regex_t* regex = nullptr;
    OnigMatchParam* limits = nullptr;
    std::string where;

    ~State() {
        if (regex) onig_free(regex);
        if (limits) onig_free_match_param(limits);
    }
};

namespace {

/// The place of the last match; freed with the search.
class Region {
public:
    Region() : m_region(onig_region_new()) {}
    ~Region() { onig_region_free(m_region, 1); }
    Region(const Region&) = delete;
    Region& operator=(const Region&) = delete;
    OnigRegion* get() { return m_region; }

private:
    OnigRegion* m_region;
};

}  // namespace

Regex::Regex(const std::string& pattern, std::string where) : m_state(std::make_unique<State>()) {
    initialize();
    if (pattern.size() > maxPatternBytes)
        throw Error(where + ": expected a pattern of at most " + std::to_string(maxPatternBytes) + " bytes, found " +
                    std::to_string(pattern.size()),
                    damaged);
    m_state->where = std::move(where);
    OnigErrorInfo info{};
    const int code = onig_new(&m_state->regex, bytesOf(pattern), bytesOf(pattern) + pattern.size(), ONIG_OPTION_NONE,
                              ONIG_ENCODING_UTF8, ONIG_SYNTAX_RUBY, &info);
    if (code != ONIG_NORMAL) {
        m_state->regex = nullptr;
        throw Error(m_state->where + ": not a valid regular expression: " + messageOf(code, &info) + " in \"" +
                    pattern.substr(0, 80) + "\"",
                    damaged);
    }
    m_state->limits = onig_new_match_param();
    onig_initialize_match_param(m_state->limits);
    onig_set_match_stack_limit_size_of_match_param(m_state->limits, maxMatchStack);
    onig_set_retry_limit_in_match_of_match_param(m_state->limits, maxRetries);
    onig_set_retry_limit_in_search_of_match_param(m_state->limits, maxRetries);
}

Regex::~Regex() = default;
Regex::Regex(Regex&&) noexcept = default;
Regex& Regex::operator=(Regex&&) noexcept = default;

void Regex::findAll(std::string_view text, std::vector<Match>& out) const {
    Region region;
    const OnigUChar* begin = bytesOf(text);
    const OnigUChar* end = begin + text.size();
    const auto started = std::chrono::steady_clock::now();
    std::size_t from = 0, covered = 0, matches = 0;
    std::ptrdiff_t lastEnd = -1;
    while (from <= text.size() && !text.empty()) {
        const int found = onig_search_with_param(m_state->regex, begin, end, begin + from, end, region.get(),
                                                 ONIG_OPTION_NONE, m_state->limits);
        if (found == ONIG_MISMATCH) break;
        if (found < 0)
            throw Error(m_state->where + ": the pattern cannot be searched in this text: " + messageOf(found, nullptr),
                        slow);
        if (++matches % 256 == 0 && std::chrono::steady_clock::now() - started > maxTime)
            throw Error(m_state->where + ": the pattern takes too long on this text", slow);
        const auto matchBegin = static_cast<std::size_t>(region.get()->beg[0]);
        const auto matchEnd = static_cast<std::size_t>(region.get()->end[0]);
        // An empty match right behind the last one is none: step over one character.
        if (matchBegin == matchEnd && static_cast<std::ptrdiff_t>(matchEnd) == lastEnd) {
            from += from < text.size() ? charAt(text, from).length : 1;
            continue;
        }
        from = matchEnd;
        lastEnd = static_cast<std::ptrdiff_t>(matchEnd);
        if (matchBegin > covered)
            out.push_back({static_cast<std::uint32_t>(covered), static_cast<std::uint32_t>(matchBegin), false});
        out.push_back({static_cast<std::uint32_t>(matchBegin), static_cast<std::uint32_t>(matchEnd), true});
        covered = matchEnd;
    }
    if (covered < text.size() || text.empty())
        out.push_back({static_cast<std::uint32_t>(covered), static_cast<std::uint32_t>(text.size()), false});
}

}  // namespace fovea::text
