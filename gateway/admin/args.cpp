#include "gateway/admin/args.h"

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

namespace gateway::admin {

using wire::base::Errc;
using wire::base::Failure;

const boost::json::value* Args::get(std::string_view name) {
  known_.emplace(name);
  const boost::json::value* v = args_.if_contains({name.data(), name.size()});
  return v == nullptr || v->is_null() ? nullptr : v;
}

void Args::wrong(std::string_view name, std::string_view wanted) {
  if (!problem_) problem_.emplace(Errc::usage, "argument \"" + std::string(name) + "\" must be " + std::string(wanted));
}

std::string Args::text(std::string_view name) {
  std::optional<std::string> v = optional_text(name);
  if (!v || v->empty()) wrong(name, "a text");
  return v ? std::move(*v) : std::string();
}

std::optional<std::string> Args::optional_text(std::string_view name) {
  const boost::json::value* v = get(name);
  if (v == nullptr) return std::nullopt;
  if (!v->is_string()) {
    wrong(name, "a text");
    return std::nullopt;
  }
  return std::string(v->get_string().data(), v->get_string().size());
}

std::vector<std::string> Args::texts(std::string_view name) {
  std::vector<std::string> out;
  const boost::json::value* v = get(name);
  if (v == nullptr) return out;
  const boost::json::array* list = v->if_array();
  if (list == nullptr) {
    wrong(name, "a list of texts");
    return out;
  }
  for (const boost::json::value& item : *list) {
    if (!item.is_string()) {
      wrong(name, "a list of texts");
      return {};
    }
    out.emplace_back(item.get_string().data(), item.get_string().size());
  }
  return out;
}

bool Args::flag(std::string_view name) {
  const boost::json::value* v = get(name);
  if (v == nullptr) return false;
  if (!v->is_bool()) {
    wrong(name, "true or false");
    return false;
  }
  return v->get_bool();
}

std::optional<uint64_t> Args::number(std::string_view name) {
  const boost::json::value* v = get(name);
  if (v == nullptr) return std::nullopt;
  boost::json::error_code ec;
  const auto n = v->to_number<uint64_t>(ec);
  if (ec) {
    wrong(name, "a whole number");
    return std::nullopt;
  }
  return n;
}

std::optional<Failure> Args::problem() const {
  if (problem_) return problem_;
  for (const auto& item : args_) {
    const std::string_view key(item.key().data(), item.key().size());
    if (!known_.contains(key))
      return Failure(Errc::usage, "argument \"" + wire::base::escape(key, 60) + "\" is not known");
  }
  return std::nullopt;
}

}  // namespace gateway::admin
