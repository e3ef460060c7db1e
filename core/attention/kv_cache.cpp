#include "attention/kv_cache.h"

#include <ATen/ops/empty.h>

#include <algorithm>

namespace fovea {

at::Tensor KvCache::grown(const Site& site, const at::Tensor& held, const at::Tensor& added) const {
    const auto used = static_cast<std::int64_t>(site.tokens.size());
    const std::int64_t needed = used + added.size(2);
    const bool enough = held.defined() && needed <= held.size(2);
    if (enough && !site.shared) return held;
    const std::int64_t room =
        enough ? held.size(2)
               : std::max({needed, m_expected, held.defined() ? held.size(2) + held.size(2) / 2 : 0});
    at::Tensor wider = at::empty({1, added.size(1), room, added.size(3)}, added.options());
    if (used > 0) wider.narrow(2, 0, used).copy_(held.narrow(2, 0, used));
    return wider;
}

KvCache::View KvCache::append(int site, const at::Tensor& key, const at::Tensor& value,
                              const std::vector<int>& tokens) {
    Site& held = m_sites[site];
    const auto used = static_cast<std::int64_t>(held.tokens.size());
    held.key = grown(held, held.key, key);
    held.value = grown(held, held.value, value);
    held.shared = false;
    held.key.narrow(2, used, key.size(2)).copy_(key);
    held.value.narrow(2, used, value.size(2)).copy_(value);
    held.tokens.insert(held.tokens.end(), tokens.begin(), tokens.end());
    return view(site);
}

KvCache::View KvCache::keep(int site, const at::Tensor& key, const at::Tensor& value, const std::vector<int>& tokens) {
    m_sites[site] = {key, value, tokens, true};
    return {key, value};
}

const std::vector<int>& KvCache::tokens(int site) const {
    static const std::vector<int> none;
    const auto found = m_sites.find(site);
    return found == m_sites.end() ? none : found->second.tokens;
}

KvCache::View KvCache::view(int site) const {
    const Site& held = m_sites.at(site);
    const auto used = static_cast<std::int64_t>(held.tokens.size());
    return {held.key.narrow(2, 0, used), held.value.narrow(2, 0, used)};
}

void KvCache::cut(Site& site, std::int64_t length) {
    while (!site.fixed && !site.tokens.empty() && site.tokens.back() >= length) site.tokens.pop_back();
}

void KvCache::truncate(std::int64_t length) {
    for (auto& [site, held] : m_sites) cut(held, length);
    m_length = std::min(m_length, length);
}

void KvCache::adopt(const KvCache& other, int site, std::int64_t length) {
    const auto found = other.m_sites.find(site);
    if (found == other.m_sites.end()) return;
    Site held = found->second;
    cut(held, length);
    held.shared = true;
    m_sites[site] = std::move(held);
}

KvCache KvCache::forked(std::int64_t length) const {
    KvCache fork = *this;
    fork.truncate(length);
    for (auto& [site, held] : fork.m_sites) held.shared = true;
    return fork;
}

std::uint64_t KvCache::bytes() const {
    std::uint64_t total = 0;
    for (const auto& [site, held] : m_sites)
        total += static_cast<std::uint64_t>(held.key.nbytes()) + static_cast<std::uint64_t>(held.value.nbytes());
    return total;
}

}  // namespace fovea
