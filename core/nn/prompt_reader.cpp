#include "nn/prompt_reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "fovea/error.h"
#include "text/byte_alphabet.h"
#include "text/utf8.h"

namespace fovea {
namespace {

int countOf(const std::string& text, const std::string& part) {
    int count = 0;
    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++count;
    return count;
}

// A byte-level token as text, its bytes that are no whole character by name ("<0xF0>"), as other vocabularies spell them;
// a spelling outside that alphabet as it is.
std::string withNamedBytes(const std::string& spelling) {
    std::string bytes, out;
    for (std::size_t at = 0; at < spelling.size();) {
        const auto c = text::wholeCharAt(spelling, at);
        const int byte = c ? text::byteOfCharacter(c->code) : -1;
        if (byte < 0) return spelling;
        bytes.push_back(static_cast<char>(byte));
        at += c->length;
    }
    for (std::size_t at = 0; at < bytes.size();) {
        if (const auto c = text::wholeCharAt(bytes, at)) {
            out.append(bytes, at, c->length);
            at += c->length;
        } else {
            out += fmt::format("<0x{:02X}>", static_cast<unsigned char>(bytes[at++]));
        }
    }
    return out;
}

struct Placeholder {
    const std::string& spelling;
    int expected;
    const char* what;
    const char* flag;
    const std::string& whole;  ///< the placeholder with what belongs around it
};

// How a prompt came about, as far as a wrong number of placeholders has to do with it.
enum class Origin { Written, Conversation };

std::string hintFor(const Placeholder& slot, int found, Origin origin) {
    const std::string& whole = slot.whole.empty() ? slot.spelling : slot.whole;
    if (slot.expected == 0)
        return fmt::format("Give the {} with {}, or leave the placeholder out.", slot.what, slot.flag);
    if (found > slot.expected)
        return fmt::format("Write fewer placeholders, or give a {} for each with {}.", slot.what, slot.flag);
    if (origin == Origin::Conversation)
        return fmt::format("Let a message of the conversation have a part for each {}, or give fewer with {}.", slot.what,
                           slot.flag);
    if (found > 0) return fmt::format("Write another {}, or give fewer {}s with {}.", whole, slot.what, slot.flag);
    return fmt::format("Write {} where the {} belongs, or leave --raw-prompt out to have it put in.", whole, slot.what);
}

void requirePlaceholder(const std::string& text, const Placeholder& slot, Origin origin) {
    if (slot.spelling.empty()) return;
    const int found = countOf(text, slot.spelling);
    if (found != slot.expected)
        throw Error(fmt::format("the prompt: expected {} placeholder{} {} (one for each {}), found {}", slot.expected,
                                slot.expected == 1 ? "" : "s", slot.spelling, slot.what, found),
                    hintFor(slot, found, origin));
}

void requirePlaceholders(const std::string& text, const PromptRules& rules, Origin origin) {
    requirePlaceholder(text, {rules.placeholder, rules.images, "picture", "--image", rules.whole}, origin);
    requirePlaceholder(text, {rules.videoPlaceholder, rules.videos, "film", "--video", rules.videoWhole}, origin);
}

struct Kind {
    const char* what;
    const char* flag;
};

// Pictures come from the command line; what a conversation names only marks their places.
void noteNames(const std::vector<std::filesystem::path>& names, int given, const Kind& kind, std::vector<std::string>& notices) {
    const auto named = std::find_if(names.begin(), names.end(), [](const auto& name) { return !name.empty(); });
    if (named == names.end() || given == 0) return;
    notices.push_back(fmt::format("the conversation names a {0} of its own ({1}), which is not read: the {0}s of {2} stand in the "
                                  "places of its {0}s, in their order",
                                  kind.what, named->string(), kind.flag));
}

bool holdsPlaceholder(const std::string& text, const PromptRules& rules) {
    const auto holds = [&](const std::string& slot) { return !slot.empty() && text.find(slot) != std::string::npos; };
    return holds(rules.placeholder) || holds(rules.videoPlaceholder);
}

}  // namespace

const Tokenizer* PromptReader::tokenizerOrNull() const {
    const std::lock_guard lock(m_mutex);
    if (!m_tried) {
        m_tried = true;
        try {
            m_tokenizer = Tokenizer::fromFolder(m_folder);
        } catch (const Error& error) {
            m_problem = error.what();
        }
    }
    return m_tokenizer.get();
}

const Tokenizer& PromptReader::tokenizer() const {
    const Tokenizer* found = tokenizerOrNull();
    if (!found) throw Error(m_problem, "A prompt needs the model's tokenizer; --tensors takes input_ids without it.");
    return *found;
}

std::shared_ptr<const Tokenizer> PromptReader::sharedTokenizer() const {
    tokenizer();
    return m_tokenizer;
}

PromptText PromptReader::promptOf(const UserInput& input, const PromptRules& rules) const {
    PromptText out;
    const bool chat = !input.chat.empty();
    const bool placed = holdsPlaceholder(input.prompt, rules);
    if (!chat && (input.promptForm == PromptForm::Raw || placed)) {
        out.text = input.prompt;
        requirePlaceholders(out.text, rules, Origin::Written);
        return out;
    }
    const auto found = ChatTemplate::fromFolder(m_folder);
    if (!found) {
        if (chat)
            throw Error(m_folder.string() + ": expected a chat template for the conversation, found none",
                        "Give a single prompt with --prompt.");
        // The pictures come first, as a template would have it.
        for (int i = 0; i < rules.images; ++i) out.text += rules.placeholder;
        for (int i = 0; i < rules.videos; ++i) out.text += rules.videoPlaceholder;
        out.text += input.prompt;
        out.notices.push_back("the folder has no chat template: the prompt goes in as it is (a model that was taught to chat needs its "
                              "chat_template.jinja; --raw-prompt says that this is meant)");
        return out;
    }
    const Tokenizer& tokens = tokenizer();
    ChatOptions options;
    options.bosToken = tokens.bosToken();
    options.eosToken = tokens.eosToken();
    nlohmann::ordered_json messages;
    if (chat) {
        const ChatFile file = readChatFile(input.chat);
        messages = file.messages;
        if (!file.tools.is_null()) options.extra["tools"] = file.tools;
        noteNames(file.images, rules.images, {"picture", "--image"}, out.notices);
        noteNames(file.videos, rules.videos, {"film", "--video"}, out.notices);
    } else {
        messages = nlohmann::ordered_json::array({userMessage(rules.images, input.prompt, rules.videos)});
    }
    out.text = found->render(found->fitted(std::move(messages)), options);
    const bool begun = !options.bosToken.empty() && out.text.starts_with(options.bosToken);
    out.special = begun ? AddSpecial::No : rules.aroundTemplate;
    requirePlaceholders(out.text, rules, Origin::Conversation);
    return out;
}

Encoding PromptReader::encode(const PromptText& prompt, std::int64_t vocabulary) const {
    Encoding encoding = tokenizer().encode(prompt.text, prompt.special);
    if (encoding.ids.empty())
        throw Error("the prompt: expected at least one token, found none", "Write something.");
    for (const int id : encoding.ids)
        if (id >= vocabulary)
            throw Error(fmt::format("{}: expected token ids below the model's {}, found {} (\"{}\")", m_folder.string(),
                                    vocabulary, id, tokenizer().tokenText(id)),
                        "The tokenizer is that of another model.");
    return encoding;
}

std::string PromptReader::shown(int id) const {
    const Tokenizer* tokens = tokenizerOrNull();
    if (!tokens) return fmt::format("<{}>", id);
    const std::string spelling = tokens->tokenText(id);
    if (spelling.empty()) return fmt::format("<{}>", id);
    if (tokens->isSpecial(id)) return spelling;
    const int one[] = {id};
    std::string text = tokens->decode(one, SkipSpecial::No);
    // Half a character decodes to a replacement; decoders drop the space that a word begins with.
    if (text.empty() || text.find("\xEF\xBF\xBD") != std::string::npos) return withNamedBytes(spelling);
    const bool spaced = spelling.starts_with("\xC4\xA0") || spelling.starts_with("\xE2\x96\x81");
    return spaced && !text.starts_with(' ') ? " " + text : text;
}

bool PromptReader::isSpecial(int id) const {
    const Tokenizer* tokens = tokenizerOrNull();
    return tokens && tokens->isSpecial(id);
}

StageTokens promptTokens(const PromptReader& reader, const std::string& stage, const std::string& text,
                         const Encoding& encoding) {
    StageTokens tokens;
    tokens.stage = stage;
    for (std::size_t i = 0; i < encoding.ids.size(); ++i) {
        Token token;
        token.index = static_cast<int>(i);
        token.kind = encoding.special[i] ? TokenKind::Special : TokenKind::Text;
        const ByteSpan span = encoding.spans[i];
        const std::string piece = text.substr(span.begin, span.end - span.begin);
        // A token may end in the middle of a character.
        token.text = piece.empty() || encoding.special[i] || !text::isUtf8(piece) ? reader.shown(encoding.ids[i]) : piece;
        tokens.tokens.push_back(std::move(token));
    }
    return tokens;
}

}  // namespace fovea
