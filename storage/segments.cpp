#include "storage/segments.h"

#include <algorithm>

#include "storage/coding.h"

namespace storage {
namespace {

struct Candidate {
  SegmentName name;
  std::optional<RetiredName> retired;  // where it is
};

// A rewritten segment stands for every older one that starts inside its range.
bool replaces(const SegmentName& by, const SegmentName& s) {
  return by.generation > s.generation && by.last && by.first <= s.first && s.first <= by.last;
}

Result<std::vector<RetiredName>> list_retired(Env& env, const std::filesystem::path& log) {
  Result<std::vector<std::string>> names = env.list(retired_directory(log));
  std::vector<RetiredName> all;
  if (!names && names.error().code == Errc::not_found) return all;
  if (!names) return names.error();
  for (const std::string& n : *names) {
    if (std::optional<RetiredName> r = RetiredName::parse(n)) all.push_back(*r);
  }
  return all;
}

}  // namespace

std::string RetiredName::text() const {
  std::string name = SegmentName{first, last, generation}.text();
  static constexpr char alphabet[] = "0123456789abcdef";
  std::string seconds = "-";
  for (int i = 15; i >= 0; --i) seconds += alphabet[static_cast<uint64_t>(since) >> (4 * i) & 15];
  return name.insert(name.size() - std::string_view(".log").size(), seconds);
}

std::optional<RetiredName> RetiredName::parse(std::string_view text) {
  constexpr size_t seconds = 17;  // with its dash
  if (!text.ends_with(".log") || text.size() < 4 + seconds) return {};
  std::string name(text.substr(0, text.size() - 4 - seconds));
  std::string_view digits = text.substr(name.size() + 1, seconds - 1);
  std::optional<SegmentName> s = SegmentName::parse(name + ".log");
  if (!s || !s->last) return {};
  RetiredName r{s->first, s->last, s->generation, 0};
  uint64_t since = 0;
  for (char c : digits) {
    size_t v = std::string_view("0123456789abcdef").find(c);
    if (v == std::string_view::npos) return {};
    since = since << 4 | v;
  }
  r.since = static_cast<int64_t>(since);
  if (r.text() != text) return {};
  return r;
}

Result<LogListing> list_log(Env& env, const std::filesystem::path& log) {
  Result<std::vector<std::string>> names = env.list(log);
  if (!names) return names.error();
  LogListing listing;
  std::vector<Candidate> all;
  for (const std::string& n : *names) {
    if (std::optional<SegmentName> s = SegmentName::parse(n)) {
      all.push_back({*s, {}});
    } else if (std::string_view name(n); name.ends_with(unfinished_suffix)) {
      name.remove_suffix(unfinished_suffix.size());
      if (SegmentName::parse(name)) listing.unfinished.push_back(n);
    }
  }
  Result<std::vector<RetiredName>> retired = list_retired(env, log);
  if (!retired) return retired.error();
  for (const RetiredName& r : *retired) {
    SegmentName name = r.in_log();
    bool there = std::any_of(all.begin(), all.end(), [&](const Candidate& c) { return c.name == name; });
    if (there) {
      listing.retired.push_back(r);
    } else {
      all.push_back({name, r});
    }
  }
  std::sort(all.begin(), all.end(), [](const Candidate& a, const Candidate& b) {
    if (a.name.first != b.name.first) return a.name.first < b.name.first;
    return a.name.generation > b.name.generation;
  });
  for (const Candidate& c : all) {
    bool replaced = std::any_of(all.begin(), all.end(), [&](const Candidate& by) { return replaces(by.name, c.name); });
    if (!replaced) {
      listing.in_force.push_back(c.name);
      if (c.retired) listing.taken_back.push_back(*c.retired);
    } else if (c.retired) {
      listing.retired.push_back(*c.retired);
    } else {
      listing.superseded.push_back(c.name);
    }
  }
  return listing;
}

Result<std::vector<SegmentName>> list_segments(Env& env, const std::filesystem::path& log) {
  Result<LogListing> listing = list_log(env, log);
  if (!listing) return listing.error();
  return std::move(listing->in_force);
}

Result<std::unique_ptr<File>> open_segment(Env& env, const std::filesystem::path& log, const SegmentName& name) {
  Result<std::unique_ptr<File>> file = env.open(log / name.text(), Env::Mode::read);
  if (file || file.error().code != Errc::not_found) return file;
  Result<std::vector<RetiredName>> retired = list_retired(env, log);
  if (!retired) return retired.error();
  for (const RetiredName& r : *retired) {
    if (r.in_log() == name) return env.open(retired_directory(log) / r.text(), Env::Mode::read);
  }
  return file;
}

}  // namespace storage
